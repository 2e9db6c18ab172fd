"""PDF: text that other programs find in the right place and order."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.pdf_pages import (
    LETTER,
    POPPLER,
    area,
    begin,
    box_of,
    line,
    opened,
    overlap,
    page_of,
    paper,
    pdfium_text,
    pdfium_words,
    picture,
    poppler_words,
    run,
    saved,
    shared,
)
from text_recognizer.formats.pdf.pdf import PdfFormat
from text_recognizer.page import Line, Word


@POPPLER
def test_words_of_a_letter_are_found_where_they_stand(letter_page, tmp_path):
    path = saved(PdfFormat().write(letter_page, picture(encoded=LETTER.read_bytes(), dpi=200)), tmp_path)
    words = [word for line in letter_page.lines for word in line.words]
    found = poppler_words(path)
    assert [text for text, _ in found] == [word.text for word in words]
    wanted = [box_of(word.polygon, 72 / 200) for word in words]
    covered = [shared(box, want) / area(want) for (_, box), want in zip(found, wanted, strict=True)]
    assert min(covered) > 0.8
    assert np.mean(covered) > 0.95
    across = [overlap((b[0], 0, b[2], 1), (w[0], 0, w[2], 1)) for (_, b), w in zip(found, wanted, strict=True)]
    assert min(across) > 0.75  # the heights are those of the line
    assert np.mean([overlap(box, want) for (_, box), want in zip(found, wanted, strict=True)]) > 0.6


@pytest.mark.parametrize("baseline", [True, False])
@pytest.mark.parametrize("angle", [-90, -40, -12, -3, 0, 3, 12, 40, 90])
def test_slanted_lines(angle, baseline):
    slanted = line("Hôtel de la Poste", *begin(17, angle), angle, baseline=baseline)
    found = pdfium_words(PdfFormat().write(page_of(slanted), paper()))
    assert [text for text, _ in found] == slanted.text.split()
    for (_, box), word in zip(found, slanted.words, strict=True):
        assert overlap(box, box_of(word.polygon, 0.5)) > 0.7


@POPPLER
@pytest.mark.parametrize("angle", [-3, 0, 3, 90, 180])
def test_words_that_hardly_rise_are_whole_for_pdftotext(angle, tmp_path):
    """It cuts those that do rise into pieces."""
    slanted = line("Hôtel de la Renaissance", *begin(23, angle), angle)
    found = poppler_words(saved(PdfFormat().write(page_of(slanted), paper()), tmp_path))
    assert [text for text, _ in found] == slanted.text.split()
    for (_, box), word in zip(found, slanted.words, strict=True):
        assert overlap(box, box_of(word.polygon, 0.5)) > 0.6


@pytest.mark.parametrize("angle", [-30, -8, -2, 0, 2, 8, 30])
def test_slanted_lines_come_out_line_by_line(angle):
    first, second = "a line as broad as that", "and what follows it"
    down = np.array([math.sin(math.radians(angle)), math.cos(math.radians(angle))]) * 40
    x, y = begin(23, angle)
    lines = line(first, x, y, angle), line(second, x + down[0], y + down[1], angle)
    rows = pdfium_text(PdfFormat().write(page_of(*lines), paper())).splitlines()
    assert [row.strip() for row in rows] == [first, second]


def test_curved_lines_are_followed():
    """Two halves of a line, one that rises and one that falls."""
    rising, falling = line("up the hill", 50, 200, 15), line("down it again", 230, 152, -15)
    curved = Line("", (), 0.9, rising.baseline + falling.baseline, rising.words + falling.words)
    found = pdfium_words(PdfFormat().write(page_of(curved), paper()))
    assert [text for text, _ in found] == "up the hill down it again".split()
    for (_, box), word in zip(found, curved.words, strict=True):
        assert overlap(box, box_of(word.polygon, 0.5)) > 0.55


def test_pdfium_extracts_and_finds(letter_page):
    data = PdfFormat().write(letter_page, picture(encoded=LETTER.read_bytes(), dpi=200))
    assert [row.strip() for row in pdfium_text(data).splitlines()] == letter_page.text.splitlines()
    word = next(word for line in letter_page.lines for word in line.words if word.text == "Watson,")
    with opened(data) as pdf:
        text = pdf[0].get_textpage()
        begin, count = text.search("Watson,").get_next()
        left, bottom, right, top = text.get_rect(0) if text.count_rects(begin, count) == 1 else ()
        height = pdf[0].get_height()
    assert overlap((left, height - top, right, height - bottom), box_of(word.polygon, 72 / 200)) > 0.6


@POPPLER
def test_words_that_touch_stay_apart(tmp_path):
    """Their outlines overlap, as they do in slanted writing."""
    words = [Word(text, ((x, 50), (x + 60, 50), (x + 60, 80), (x, 80)), 0.9) for text, x in (("J'ai", 50), ("lu", 105))]
    close = Line("J'ai lu", ((40, 40), (170, 40), (170, 90), (40, 90)), 0.9, ((40, 75), (170, 75)), tuple(words))
    data = PdfFormat().write(page_of(close), paper())
    assert [text for text, _ in poppler_words(saved(data, tmp_path))] == ["J'ai", "lu"]
    assert pdfium_text(data).split() == ["J'ai", "lu"]


@POPPLER
def test_lines_whose_words_have_no_places(tmp_path):
    whole = replace(line("three small words", 50, 100), words=())
    data = PdfFormat().write(page_of(whole), paper())
    found = poppler_words(saved(data, tmp_path))
    assert [text for text, _ in found] == ["three", "small", "words"]
    assert area(box_of(whole.polygon, 0.5)) == pytest.approx(
        sum(shared(box, box_of(whole.polygon, 0.5)) for _, box in found), rel=0.2
    )


TEXTS = [
    "Là-bas, l'œuvre coûte 12 € « enfin »",
    "„Grüße“ — ‘naïve’ … ½ ³ №",
    "Привет, мир",
    "日本語の 手書き 文字",
    "한국어 ελληνικά",
    "emoji 😀 𝔘𝔫𝔦 𠀋",
    "e\u0301te\u0301 combined",
    "<tags> & (brackets) \\ % / [ ]",
]


@POPPLER
@pytest.mark.parametrize("text", TEXTS)
def test_any_characters(text, tmp_path):
    data = PdfFormat().write(page_of(line(text, 20, 100)), paper(900))
    assert pdfium_text(data).strip() == text
    assert run("pdftotext", "-raw", saved(data, tmp_path), "-").strip() == text


def test_more_characters_than_a_list_of_a_cmap_holds():
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 250)))
    data = PdfFormat().write(page_of(line(text, 20, 100), size=(4000, 400)), paper(4000))
    assert pdfium_text(data).strip() == text


def test_half_a_character_is_no_reason_to_stop():
    assert pdfium_text(PdfFormat().write(page_of(line("ab\ud800cd", 20, 100)), paper())).strip() == "ab?cd"
