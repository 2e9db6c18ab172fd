"""PDF: sound and the same each time, paragraphs tagged, pages joined, text over pages that are there."""

from __future__ import annotations

import io
import re
import shutil
import sys
from contextlib import closing
from dataclasses import replace

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from tests.helpers.pdf_pages import (
    LETTER,
    POPPLER,
    box_of,
    line,
    opened,
    overlap,
    page_of,
    paper,
    pdfium_text,
    pdfium_words,
    picture,
    run,
    saved,
)
from text_recognizer.formats.format import FormatError
from text_recognizer.formats.pdf.overlay import add_text
from text_recognizer.formats.pdf.pdf import PdfFormat
from text_recognizer.images import open_document
from text_recognizer.page import Line, Page, Region


def test_metadata_and_the_same_bytes():
    written = [PdfFormat().write(page_of(line("word", 20, 100)), paper()) for _ in range(2)]
    assert written[0] == written[1]
    with opened(written[0]) as pdf:
        assert pdf.get_metadata_value("Title") == "Brief an Émile.jpg"
        assert pdf.get_metadata_value("Producer") == "Text Recognizer"


def test_what_cannot_be_written_is_said():
    with pytest.raises(ValueError, match="picture of the page"):
        PdfFormat().write(page_of())
    with pytest.raises(ValueError, match="width and the height"):
        PdfFormat().write(Page(), paper())
    with pytest.raises(ValueError, match="'lost' has no outline"):
        PdfFormat().write(page_of(Line("lost", (), 0.9)), paper())
    PdfFormat().write(page_of(Line(" ", (), 0.9)), paper())


def some_regions() -> Page:
    lines = (
        line("A title", 20, 50),
        line("first line", 20, 150),
        line("its second", 20, 200),
        line("a note", 400, 200),
    )
    boxes = [Region("heading", lines[0].polygon, (0,)), Region("paragraph", lines[1].polygon, (1, 2), 0)]
    return replace(page_of(*lines), regions=(*boxes, Region("marginalia", lines[3].polygon, (3,))))


@POPPLER
def test_paragraphs_are_tagged(tmp_path):
    parts = [saved(PdfFormat().write(some_regions(), paper()), tmp_path, f"{number}.pdf") for number in range(2)]
    with (tmp_path / "all.pdf").open("wb") as file:
        PdfFormat().join(parts, file)
    structure = re.sub(r"\s+", " ", run("pdfinfo", "-struct-text", tmp_path / "all.pdf"))
    section = 'Sect H1 (block) "A title " P (block) "first line its second " Note "a note "'
    assert re.sub(r" \(\w+\)", "", structure).strip() == f"Document {section} {section}".replace(" (block)", "")


@pytest.mark.skipif(not shutil.which("qpdf"), reason="qpdf is not installed")
def test_files_are_sound(letter_page, tmp_path):
    one = saved(PdfFormat().write(letter_page, picture(encoded=LETTER.read_bytes())), tmp_path, "one.pdf")
    two = saved(PdfFormat().write(some_regions(), paper()), tmp_path, "two.pdf")
    three = saved(PdfFormat().write(page_of(), paper()), tmp_path, "three.pdf")
    with (tmp_path / "all.pdf").open("wb") as file:
        PdfFormat().join([one, two, three], file)
    for path in (one, two, three, tmp_path / "all.pdf"):
        assert "No syntax or stream encoding errors" in run("qpdf", "--check", path)


def test_joined_pages_keep_their_order_text_and_pictures(tmp_path):
    parts = []
    for number in range(12):
        page = replace(
            page_of(line(f"page {number} – ü{chr(0x430 + number)}", 20, 100)), source=f"book.pdf#page={number}"
        )
        grey = picture(np.full((400, 600), 20 * number, np.uint8))
        parts.append(saved(PdfFormat().write(page, grey), tmp_path, f"{number}.pdf"))
    joined = io.BytesIO()
    PdfFormat().join(iter(parts), joined)
    with opened(joined.getvalue()) as pdf:
        assert len(pdf) == 12
        assert pdf.get_metadata_value("Title") == "book.pdf"
        for number in range(12):
            text = pdf[number].get_textpage().get_text_range().strip()
            assert text == f"page {number} – ü{chr(0x430 + number)}"
            assert np.array(pdf[number].render().to_pil().convert("L"))[100, 100] == 20 * number


def test_only_our_pages_are_joined(tmp_path):
    with pytest.raises(ValueError, match="one page at least"):
        PdfFormat().join([], io.BytesIO())
    ours = saved(PdfFormat().write(page_of(), paper()), tmp_path)
    joined = io.BytesIO()
    PdfFormat().join([ours, ours], joined)
    with closing(pypdfium2.PdfDocument.new()) as pdf:
        pdf.new_page(100, 100)
        foreign = io.BytesIO()
        pdf.save(foreign)
    for data in (joined.getvalue(), foreign.getvalue(), b"", b"no PDF", ours.read_bytes()[:-300]):
        with pytest.raises(ValueError, match="not a PDF of one page"):
            PdfFormat().join([saved(data, tmp_path, "other.pdf")], io.BytesIO())


JOINING = """
import sys, tracemalloc
from pathlib import Path
from text_recognizer.formats.pdf.pdf import PdfFormat
tracemalloc.start()
with open(sys.argv[2], "wb") as file:
    PdfFormat().join((Path(sys.argv[1]) for _ in range(int(sys.argv[3]))), file)
print(tracemalloc.get_traced_memory()[1])
"""


def test_joining_takes_the_memory_of_one_page(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (500, 500), dtype=np.uint8)  # that cannot be packed
    one = saved(PdfFormat().write(page_of(line("word", 20, 100)), picture(noise)), tmp_path)
    target = tmp_path / "all.pdf"
    few, many = (int(run(sys.executable, "-c", JOINING, one, target, count)) for count in (3, 300))
    assert many < few + 500_000 < 3_000_000
    with opened(target) as pdf:
        assert len(pdf) == 300
        assert pdf[299].get_textpage().get_text_range().strip() == "word"


def scanned(angle: int) -> bytes:
    """A PDF with a page that another program made: a white and a black half, cropped, shown after a turn by `angle`."""
    with closing(pypdfium2.PdfDocument.new()) as pdf:
        sheet = pdf.new_page(700, 800)
        image = pypdfium2.PdfImage.new(pdf)
        with Image.new("RGB", (100, 100), "white") as halves:
            halves.paste("black", (50, 0, 100, 100))
            image.set_bitmap(pypdfium2.PdfBitmap.from_pil(halves))
        image.set_matrix(pypdfium2.PdfMatrix(700, 0, 0, 800, 0, 0))
        sheet.insert_obj(image)
        sheet.gen_content()
        sheet.set_cropbox(50, 100, 350, 300) if angle % 180 == 0 else sheet.set_cropbox(50, 100, 250, 400)
        sheet.set_rotation(angle)
        pdf.new_page(300, 300)
        file = io.BytesIO()
        pdf.save(file)
    return file.getvalue()


@POPPLER
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_text_is_laid_over_the_pages_of_a_pdf(angle):
    source = scanned(angle)
    before = open_document(source, dpi=144).page(0)
    assert before.shape[:2] == (400, 600)
    page = page_of(line("Hôtel de la", 50, 200, 10), line("Poste 😀", 50, 300))
    target = io.BytesIO()
    add_text(source, [(0, page)], target)
    data = target.getvalue()
    assert np.array_equal(open_document(data, dpi=144).page(0), before)
    assert pdfium_text(data).split() == page.text.split()
    assert pdfium_text(data, 1) == ""
    words = [word for line in page.lines for word in line.words]
    for (text, box), word in zip(pdfium_words(data), words, strict=True):
        assert text == word.text
        assert overlap(box, box_of(word.polygon, 0.5)) > 0.6


def test_text_is_not_laid_over_what_is_not_there():
    target = io.BytesIO()
    with pytest.raises(FormatError, match="damaged or encrypted"):
        add_text(b"no PDF", [], target)
    with pytest.raises(ValueError, match="has 2 pages"):
        add_text(scanned(0), [(2, page_of())], target)
    with pytest.raises(ValueError, match="size of the picture"):
        add_text(scanned(0), [(1, Page())], target)
    assert target.getvalue() == b""


def test_the_font_is_what_its_script_makes(tmp_path):
    pytest.importorskip("fontTools")
    from tools.make_glyphless_font import FILE, make

    make(tmp_path / "font.ttf")
    assert (tmp_path / "font.ttf").read_bytes() == FILE.read_bytes()
