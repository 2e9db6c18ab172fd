"""Forms of prompts, printed, filled and photographed by programs, and the lines that come back."""

from __future__ import annotations

import csv
import random
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("fontTools", reason="the forms are filled with what training writes")

from benchmarks.labeling import filled_forms
from tests.conftest import DATA, fonts_and_text
from text_recognizer.alphabet import Alphabet
from text_recognizer.cli.main import app
from text_recognizer.images import open_document
from text_recognizer.labeling.forms import prompts
from text_recognizer.labeling.forms.boxes import State
from text_recognizer.labeling.forms.collection import NewLine
from text_recognizer.labeling.forms.form import Form, form_json, make_form, read_form
from text_recognizer.labeling.forms.label_checks import doubts, error_rate
from text_recognizer.labeling.forms.printing import form_pdf, write_form
from text_recognizer.labeling.forms.scan import Consent, Problem
from text_recognizer.learning.datasets.own_folder import folder_lines
from text_recognizer.learning.synthesis.lines import handwriting_faces

EMPTY = (2, 6)  # rows from 0


@pytest.fixture(scope="module")
def form() -> Form:
    """Two pages of one writer."""
    return make_form(prompts.shipped_prompts("en"), 2, "en", "Ada", seed=3)


@pytest.fixture(scope="module")
def filled(form, tmp_path_factory):
    """Its pages, filled, all but two boxes each; consent is ticked."""
    with pytest.MonkeyPatch.context() as patch:
        fonts_and_text(tmp_path_factory.mktemp("filled"), patch)
        faces, rng = handwriting_faces(), random.Random(5)
        pages = []
        for page, blank in zip(form.pages, filled_forms.blank_pages(form), strict=True):
            filled_forms.tick(blank, form.sheet.yes)
            lines = [
                None if number in EMPTY else filled_forms.in_font(row.text, faces, rng)
                for number, row in enumerate(page.rows)
            ]
            pages.append(filled_forms.fill(blank, [row.box for row in page.rows], lines, rng))
        return pages


@pytest.fixture
def folder(form, filled, tmp_path) -> Path:
    """A folder with the form's JSON and a scan of each page."""
    write_form(form, tmp_path / "forms.pdf")
    for number, page in enumerate(filled, 1):
        save(tmp_path / f"page-{number}.png", page.image)
    return tmp_path


def save(path: Path, image: np.ndarray) -> None:
    """An image as a small scanner would give it."""
    Image.fromarray(image).resize((image.shape[1] * 6 // 10, image.shape[0] * 6 // 10)).save(path, compress_level=1)


def run(*arguments: object) -> tuple[int, str]:
    """Exit code, and stdout with stderr."""
    result = CliRunner().invoke(app, ["label", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def scan(folder: Path, *names: str, more: tuple[str, ...] = ()) -> tuple[int, str]:
    """Scan pictures of a folder into its `lines`, without the recogniser."""
    photos = (folder / name for name in names)
    return run("scan", *photos, "--forms", folder / "forms.json", "--output", folder / "out", "--no-check", *more)


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of what was scanned."""
    with (folder / "out" / "lines.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("language", prompts.LANGUAGES)
def test_shipped_prompts_show_every_character_and_fit_a_line(language):
    shipped = prompts.shipped_prompts(language)
    assert len(set(shipped)) == len(shipped) >= 150
    assert all(prompts.SHORTEST <= len(prompt) <= prompts.LONGEST for prompt in shipped)
    assert not prompts.unprintable("".join(shipped))
    accents = "àâçèéêëîïôùûüÿœæ«»" if language == "fr" else "“”–—"
    assert {chr(code) for code in range(33, 127)} | set(accents) <= prompts.coverage(shipped)[0]


def test_chosen_prompts_show_more_than_the_first_ones_and_depend_on_the_seed_alone():
    shipped = prompts.shipped_prompts("en")
    chosen = prompts.choose(shipped, 30, seed=1)
    assert chosen == prompts.choose(shipped, 30, seed=1) != prompts.choose(shipped, 30, seed=2)
    assert len(set(chosen)) == 30
    assert all(len(a) > len(b) for a, b in zip(prompts.coverage(chosen), prompts.coverage(shipped[:30]), strict=True))
    assert set(prompts.choose(shipped, len(shipped), seed=1)) == set(shipped)
    with pytest.raises(ValueError, match="fewer pages or a longer text"):
        prompts.choose(shipped, len(shipped) + 1, seed=1)


def test_text_is_cut_at_sentences_and_between_words():
    text = (
        "One. Two three four five six seven eight nine. "
        + "word " * 40
        + "end.\n\nA new paragraph, with a Ж inside it."
    )
    cut = prompts.cut_text(text)
    assert all(prompts.SHORTEST <= len(prompt) <= prompts.LONGEST for prompt in cut.prompts)
    assert cut.prompts[0] == "One. Two three four five six seven eight nine."
    assert " ".join(cut.prompts[1:]).count("word") == len(set(cut.prompts[1:])) * 10 or len(cut.prompts) > 2
    assert cut.unknown == {"Ж": 1}
    assert "Ж" not in Alphabet()


def test_a_form_is_the_same_every_time_and_comes_back_from_its_file(form, tmp_path):
    assert form_pdf(form) == form_pdf(make_form(prompts.shipped_prompts("en"), 2, "en", "Ada", seed=3))
    beside = write_form(form, tmp_path / "f.pdf")
    assert read_form(beside) == form
    rows = [row for page in form.pages for row in page.rows]
    assert sum(row.split == "val" for row in rows) == len(rows) // 10
    with pytest.raises(FileExistsError, match="holds another form"):
        write_form(make_form(prompts.shipped_prompts("en"), 2, "en", "Bea"), tmp_path / "f.pdf")
    beside.write_text(form_json(form).replace(rows[0].text, rows[0].text[::-1]), encoding="utf-8")
    with pytest.raises(ValueError, match="was changed"):
        read_form(beside)
    with pytest.raises(ValueError, match="enough for 16"):
        make_form(prompts.shipped_prompts("en"), 17, "en")


def test_letter_paper_and_french_print(tmp_path):
    letter = make_form(prompts.shipped_prompts("fr"), 1, "fr", paper="letter")
    assert len(letter.pages[0].rows) == 9
    page = filled_forms.blank_pages(letter)[0]
    result = filled_forms.scanned(page, letter)
    assert not isinstance(result, Problem)
    assert {box.state for box in result.boxes} == {State.EMPTY}
    assert result.consent is Consent.OPEN


@pytest.mark.parametrize("condition", ["scanned at 200 dpi", "... with one marker hidden", "photographed badly"])
def test_boxes_come_back_right_under_every_condition(form, filled, condition):
    score = filled_forms.Score()
    number = len(condition) % 2
    result = filled_forms.scanned(filled_forms.CONDITIONS[condition](filled[number].image, 7), form)
    assert not list(filled_forms.judge(result, filled[number], number, form, score))
    assert (score.filled_right, score.empty_right, score.ticks_right) == (8, 2, 1)


def test_the_recogniser_reads_what_was_cut_and_doubts_what_is_another_text(form, filled, recognizer):
    result = filled_forms.scanned(filled_forms.flatbed(filled[0].image, 3), form)
    row = {"form": "f", "page": "1", "writer": "w"}
    lines = [
        NewLine(row | {"row": str(n), "text": r.text, "line_id": str(n)}, image) for n, r, image in result.filled()
    ]
    assert not doubts(lines, recognizer)
    swapped = [NewLine(a.row, b.image) for a, b in zip(lines, [lines[1], lines[0], *lines[2:]], strict=True)]
    found = doubts(swapped, recognizer)
    assert [(doubt.line.row["row"], doubt.meant) for doubt in found] == [("1", "2"), ("2", "1")]


@pytest.mark.parametrize(
    ("read", "text", "edits"), [("", "abc", 3), ("abc", "abc", 0), ("xabd", "abc", 2), ("a", "", 1)]
)
def test_error_rate(read, text, edits):
    assert error_rate(read, text) == pytest.approx(edits / max(1, len(text)))


def test_scanning_makes_a_folder_that_training_reads(folder, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(folder / "cache"))
    code, output = scan(folder, "page-1.png", "page-2.png")
    assert code == 0, output
    assert "page 1: 8 lines, empty: boxes 3, 7" in output
    assert "added 16 lines" in output
    rows = table(folder)
    assert {row["writer"] for row in rows} == {"Ada"}
    assert {row["consent"] for row in rows} == {"ticked"}
    train = folder_lines(str(folder / "out"), "train")
    assert len(train) == sum(row["split"] == "train" for row in rows)
    assert [label.text for _, label in train] == [row["text"] for row in rows if row["split"] == "train"]
    assert (folder / "out" / "contact-001.png").is_file()


def test_scans_are_added_to_and_never_overwritten(folder):
    assert scan(folder, "page-1.png")[0] == 0
    before = {path: path.read_bytes() for path in (folder / "out" / "lines").iterdir()}
    shutil.copy(folder / "page-1.png", folder / "copy.png")
    Image.open(folder / "page-1.png").save(folder / "again.jpg", quality=80)
    code, output = scan(folder, "copy.png", "again.jpg", "page-2.png", more=("--split", "val"))
    assert code == 0, output
    assert "copy.png, form" in output
    assert "this very picture was scanned before" in output
    assert "8 lines were there already" in output
    assert "added 8 lines" in output
    assert all(path.read_bytes() == data for path, data in before.items())
    assert len({row["line_id"] for row in table(folder)}) == 16


def test_of_two_pictures_of_a_page_the_sharper_is_kept(folder, filled):
    blurred = cv2.GaussianBlur(filled[0].image, (0, 0), 2.5)
    save(folder / "blurred.png", blurred)
    code, output = scan(folder, "blurred.png", "page-1.png")
    assert code == 0, output
    assert "blurred.png" in output
    assert "left aside, page-1.png shows it better" in output
    assert {row["photo"] for row in table(folder)} == {"page-1.png"}


def test_two_sheets_on_one_picture_a_pdf_and_turned_pictures(folder, filled):
    both = np.concatenate([filled[0].image, np.rot90(filled[1].image, 2)], axis=1)
    save(folder / "both.png", both)
    code, output = scan(folder, "both.png")
    assert code == 0, output
    assert len(table(folder)) == 16
    pages = [Image.new("L", (300, 200), 255), Image.fromarray(np.rot90(filled[1].image))]
    pages[0].save(folder / "scans.pdf", save_all=True, append_images=pages[1:], resolution=254)
    code, output = scan(folder, "scans.pdf", more=("--writer", "Bea"))
    assert code == 2
    assert "scans.pdf#1 shows no form" in output
    assert "scans.pdf#2, form" in output
    assert sum(row["writer"] == "Bea" for row in table(folder)) == 8


def _without(page: np.ndarray, *corners: tuple[int, int]) -> np.ndarray:
    """The page with paper over the markers in some corners."""
    image = page.copy()
    height, width = image.shape
    for row, column in corners:
        image[
            row * (height - 250) : row * (height - 250) + 250, column * (width - 250) : column * (width - 250) + 250
        ] = 255
    return image


def test_pictures_that_cannot_be_used_are_named(folder, filled):
    page = filled[0].image
    bad = {
        "blank": (np.full_like(page, 240), "shows no form"),
        "covered": (_without(page, (0, 0), (1, 1)), "shows only 2 of the 4 black squares"),
        "half": (page[:, :1700], "shows only 2 of the 4 black squares"),
        "twice": (np.concatenate([page, page], axis=1), "shows the same page number twice"),
    }
    for name, (image, _) in bad.items():
        save(folder / f"{name}.png", image)
    code, output = scan(folder, *(f"{name}.png" for name in bad), "page-2.png")
    assert code == 2
    for name, (_, message) in bad.items():
        assert f"{name}.png {message}" in output
    assert "added 8 lines" in output  # of the other picture


def test_damaged_files_hidden_codes_and_wrong_forms_are_named(folder, filled, form):
    (folder / "broken.jpg").write_bytes(b"no picture")
    x, y, side, _ = (round(10 * value) for value in form.sheet.code)
    hidden = filled[0].image.copy()
    hidden[y - 5 : y + side + 5, x - 5 : x + side + 5] = 255
    save(folder / "hidden.png", hidden)
    other = make_form(prompts.shipped_prompts("fr"), 1, "fr", paper="letter")
    save(folder / "other.png", filled_forms.blank_pages(other)[0])
    code, output = scan(folder, "broken.jpg", "hidden.png", "other.png", "absent.png")
    assert code == 2
    assert "broken.jpg" in output
    assert "absent.png" in output
    assert "hidden.png shows a sheet whose QR code cannot be read" in output
    assert f"other.png shows form {other.identifier}, page 1, whose JSON is missing" in output
    assert not (folder / "out").exists()
    assert run("scan", folder / "page-1.png", "--forms", folder / "no.json", "--output", folder / "out")[0] == 2


def test_hidden_boxes_and_boxes_outside_of_the_picture_are_said(folder, filled, form):
    covered = filled[0].image.copy()
    _, y, _, height = (round(10 * value) for value in form.pages[0].rows[4].box)
    covered[y - 40 : y + height + 40] = 90  # a strip of card lies there
    save(folder / "covered.png", covered)
    page = filled[1].image
    corners = np.array([[0, 0], [page.shape[1], 0], page.shape[::-1], [0, page.shape[0]]], np.float32)
    seen = np.array([[100, 100], [1700, 100], [2000, 2700], [100, 2700]], np.float32)
    picture = cv2.warpPerspective(page, cv2.getPerspectiveTransform(corners, seen), (1800, 2800), borderValue=60)
    Image.fromarray(picture).save(folder / "cut-off.png", compress_level=1)
    code, output = scan(folder, "covered.png", "cut-off.png")
    assert code == 2
    assert "page 1: not read, because hidden, or folded away: box 5" in output
    assert "page 2: not read, because outside of the picture: boxes" in output
    assert "8, 9, 10" in output
    rows = table(folder)
    assert len([row for row in rows if row["page"] == "1"]) == 7
    assert 0 < len([row for row in rows if row["page"] == "2"]) < 8


def test_consent_is_needed_and_a_no_stands(folder, filled, form):
    blank = filled_forms.blank_pages(form)[0]
    x, y, width, height = (round(10 * value) for value in form.sheet.yes)
    unticked = filled[0].image.copy()
    margin = slice(y - 30, y + height + 30), slice(x - 15, x + width + 40)
    unticked[margin] = blank[margin]
    refused = unticked.copy()
    filled_forms.tick(refused, form.sheet.no)
    for name, image in (("open", unticked), ("no", refused)):
        save(folder / f"{name}.png", image)
    code, output = scan(folder, "no.png", more=("--consent",))
    assert code == 2
    assert "the writer ticked that the lines may not be used" in output
    code, output = scan(folder, "open.png")
    assert code == 2
    assert "no box for consent is ticked" in output
    assert not (folder / "out").exists()
    assert scan(folder, "open.png", more=("--consent",))[0] == 0
    assert {row["consent"] for row in table(folder)} == {"given"}


def test_forms_from_the_command_line(tmp_path):
    code, output = run("forms", "--pages", 2, "--output", tmp_path / "forms.pdf", "--writer", "Zoë", "--language", "fr")
    assert code == 0, output
    assert "2 pages, 20 lines" in output
    with open_document(tmp_path / "forms.pdf") as document:
        assert len(document) == 2
        assert document.has_text(0)
    story = DATA / "text" / "story.txt"
    code, output = run("forms", "--text", story, "--pages", 1, "--output", tmp_path / "story.pdf", "--paper", "letter")
    assert code == 0, output
    assert len(read_form(tmp_path / "story.json").pages[0].rows) == 9
    code, output = run("forms", "--text", story, "--pages", 900, "--output", tmp_path / "long.pdf")
    assert code == 2
    assert "take fewer pages" in output
    assert run("forms", "--language", "xx", "--output", tmp_path / "x.pdf")[0] == 2
    assert run("forms", "--paper", "a0", "--output", tmp_path / "x.pdf")[0] == 2
    code, output = run("scan", tmp_path / "forms.pdf", "--forms", tmp_path / "forms.json", "--output", tmp_path)
    assert code == 2
    assert "holds something that is no collection of lines" in output
