"""Forms: sheets of prompts to copy by hand, and the file that says what stands on them.

A printed sheet carries the form's identifier, the page and a hash of the page's texts, in its code; the texts
themselves are in the JSON.

Where things stand on a form, in millimetres from the top left corner of the sheet: boxes are x, y, width, height.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from text_recognizer.alphabet import normalize_text
from text_recognizer.labeling.forms.codes import code_text, digest
from text_recognizer.labeling.forms.prompts import choose

_KIND, _VERSION = "text-recognizer-form", 1
_VAL_SHARE = 10  # one prompt of so many is for validation

Box = tuple[float, float, float, float]

PAPERS = {"a4": (210.0, 297.0), "letter": (215.9, 279.4)}

MARGIN = 10.0  # many printers leave out the outermost five
MARKER = 12.0
CODE = 22.0
TICK = 4.5
FIRST_ROW = 42.0
ROW_PITCH = 23.0
PROMPT_BASELINE = 4.4  # of a row, below its top
PROMPT_SIZE = 3.6
BOX_TOP = 6.8  # below the prompt's descenders
BOX_HEIGHT = 14.6
FOOT = 4.0  # kept free above the lower markers
CONSENT_BASELINE = 36.0
MARK, MARK_GAP = 1.5, 0.8  # length of the mark on the left of a box that says where to write, its distance from it
WRITING_LINE = 0.68  # of a box's height, where it is
#: How far beyond its box writing is still taken: left, top, right, bottom. Above stands the prompt, below the next one.
OVERFLOW = (0.0, 0.9, 4.0, 2.3)


@dataclass(frozen=True)
class Row:
    """A prompt, the box to copy it into, and the split that the line will belong to."""

    text: str
    box: Box
    split: str


@dataclass(frozen=True)
class FormPage:
    """A page, counted from 1. digest: of its texts, as in its code."""

    number: int
    digest: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Form:
    """A set of pages for one person. identifier: eight hexadecimal digits that stand for all of it."""

    identifier: str
    language: str
    writer: str
    paper: str
    sheet: Sheet
    pages: tuple[FormPage, ...]

    def code(self, page: FormPage) -> str:
        """What the code of a page says."""
        return code_text(self.identifier, page.number, page.digest)


def make_form(
    prompts: Sequence[str], pages: int, language: str, writer: str = "", paper: str = "a4", seed: int = 1
) -> Form:
    """A form with `pages` pages of chosen prompts; the same arguments give the same form.

    A tenth of the prompts, the same ones in every form, are for validation. Raises ValueError where there are too few
    prompts, or for an unknown paper.
    """
    sheet, boxes = sheet_of(paper), row_boxes(paper)
    if len(prompts) < pages * len(boxes):
        raise ValueError(
            f"{pages} pages need {pages * len(boxes)} prompts and there are {len(prompts)}, enough for "
            f"{len(prompts) // len(boxes)}: take fewer pages, or a longer text with --text"
        )
    texts = choose(prompts, pages * len(boxes), seed)
    val = set(sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())[: -(-len(texts) // _VAL_SHARE)])
    writer = normalize_text(writer)
    identifier = _identifier(language, writer, sheet, texts, boxes)
    made = []
    for number in range(pages):
        own = texts[number * len(boxes) : (number + 1) * len(boxes)]
        rows = (Row(text, box, "val" if text in val else "train") for text, box in zip(own, boxes, strict=True))
        page = FormPage(number + 1, "", tuple(rows))
        made.append(replace(page, digest=_page_digest(identifier, page)))
    return Form(identifier, language, writer, paper, sheet, tuple(made))


def form_json(form: Form) -> str:
    """All of a form as JSON; lengths in millimetres."""
    content = {"kind": _KIND, "version": _VERSION, **asdict(form)}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def read_form(path: Path) -> Form:
    """A form from its JSON. Raises ValueError where it is none, or was changed, and FileNotFoundError."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: scanning needs the JSON that was written beside the forms' PDF")
    try:
        form = _form_of(json.loads(path.read_text(encoding="utf-8")))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the JSON of a form that `label forms` wrote ({error})") from error
    rows = [row for page in form.pages for row in page.rows]
    texts, boxes = [row.text for row in rows], [row.box for row in rows]
    same = form.identifier == _identifier(form.language, form.writer, form.sheet, texts, boxes)
    if not same or any(page.digest != _page_digest(form.identifier, page) for page in form.pages):
        raise ValueError(f"{path} was changed after its form had been made: its texts are not those on the sheets")
    return form


def read_forms(paths: Iterable[Path]) -> dict[str, Form]:
    """Forms by their identifiers. Raises like `read_form`."""
    return {form.identifier: form for form in (read_form(path) for path in paths)}


def _identifier(language: str, writer: str, sheet: Sheet, texts: Sequence[str], boxes: Sequence[Box]) -> str:
    """Stands for all that is on a form. boxes: of every text, or of those of a page where all pages are alike."""
    places = [*sheet.size, *(value for box in (*sheet.markers, sheet.code, sheet.yes, sheet.no) for value in box)]
    rows = [value for number in range(len(texts)) for value in boxes[number % len(boxes)]]
    return digest(_VERSION, language, writer, *texts, *(f"{value:.2f}" for value in (*places, *rows)))


def _page_digest(identifier: str, page: FormPage) -> str:
    return digest(identifier, page.number, *(row.text for row in page.rows))


def _form_of(content: dict[str, Any]) -> Form:
    if content["kind"] != _KIND or content["version"] != _VERSION:
        raise ValueError(f"kind {content['kind']!r}, version {content['version']!r}")
    sheet = content["sheet"]
    first, second, third, fourth = (_box(marker) for marker in sheet["markers"])
    width, height = sheet["size"]
    return Form(
        str(content["identifier"]),
        str(content["language"]),
        str(content["writer"]),
        str(content["paper"]),
        Sheet(
            (float(width), float(height)),
            (first, second, third, fourth),
            *(_box(sheet[name]) for name in ("code", "yes", "no")),
        ),
        tuple(
            FormPage(
                int(page["number"]),
                str(page["digest"]),
                tuple(Row(str(row["text"]), _box(row["box"]), str(row["split"])) for row in page["rows"]),
            )
            for page in content["pages"]
        ),
    )


def _box(values: Sequence[float]) -> Box:
    x, y, width, height = (float(value) for value in values)
    return x, y, width, height


@dataclass(frozen=True)
class Sheet:
    """What every page of a form has. markers: clockwise from the top left; yes, no: the boxes to tick for consent."""

    size: tuple[float, float]
    markers: tuple[Box, Box, Box, Box]
    code: Box
    yes: Box
    no: Box


def sheet_of(paper: str) -> Sheet:
    """The sheet of a paper. Raises ValueError for an unknown one."""
    if paper not in PAPERS:
        raise ValueError(f"{paper!r} is no paper of forms; there are: {', '.join(PAPERS)}")
    width, height = PAPERS[paper]
    left, right, top, bottom = MARGIN, width - MARGIN - MARKER, MARGIN, height - MARGIN - MARKER
    places = ((left, top), (right, top), (right, bottom), (left, bottom))
    first, second, third, fourth = ((x, y, MARKER, MARKER) for x, y in places)
    tick = CONSENT_BASELINE - TICK + 0.8
    return Sheet(
        (width, height),
        (first, second, third, fourth),
        (right - 6 - CODE, top, CODE, CODE),
        (86.0, tick, TICK, TICK),
        (100.0, tick, TICK, TICK),
    )


def row_boxes(paper: str) -> list[Box]:
    """The boxes to write into, from top to bottom: ten on A4, nine on Letter."""
    width, height = PAPERS[paper]
    free = height - MARGIN - MARKER - FOOT - FIRST_ROW
    count = int((free + ROW_PITCH - BOX_TOP - BOX_HEIGHT) // ROW_PITCH)
    tops = (FIRST_ROW + number * ROW_PITCH for number in range(count))
    return [(MARGIN, round(top + BOX_TOP, 2), width - 2 * MARGIN, BOX_HEIGHT) for top in tops]
