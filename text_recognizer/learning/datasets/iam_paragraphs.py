"""IAM paragraphs: the handwritten block of each form, from either layout of the database (`iam.py`).

The block is cut around consecutive lines. Where the ground truth leaves a line out (crossed-out words), the
longest run of lines without a gap is the paragraph: an image must not hold a line that its text does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.learning.datasets import iam
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.iam import IAM, iam_rows
from text_recognizer.learning.datasets.paragraphs import (
    PAGE_WIDTH,
    ParagraphDataset,
    ParagraphLabel,
    cached_paragraphs,
    ink_at_scale,
)
from text_recognizer.learning.datasets.registry import register
from text_recognizer.paths import cache_dir, data_dir, require

#: Changes with how paragraphs are cut; prepared ones are made again.
BLOCK_VERSION = 1

_AIR = 0.012  # of the page's width, kept around the block

Box = tuple[float, float, float, float]


class _Numbered(Protocol):
    @property
    def number(self) -> int: ...


_Line = TypeVar("_Line", bound=_Numbered)


@dataclass(frozen=True)
class FormLine:
    """A line of a form: its number there, its box x, y, width, height in the image's pixels, and its text."""

    number: int
    box: Box
    text: str


@dataclass(frozen=True)
class Form:
    """A form's image on disk, its writer and the lines whose text is known, in order."""

    identifier: str
    writer: str
    path: Path
    lines: list[FormLine]


@register(
    replace(
        IAM,
        name="iam-paragraphs",
        kind="paragraphs",
        about="IAM: the handwriting of forms",
        files=(("iam/forms.json", "iam/forms", "iam/formsA-D"), *IAM.files),
    )
)
def iam_paragraphs(split: str) -> ParagraphDataset:
    """The paragraphs of a split; splits and writers are those of the lines (`iam_lines`).

    Raises FileNotFoundError that says what is missing.
    """
    folder = data_dir() / "iam"
    forms = _all_forms(split)
    exclusions = Exclusions(f"iam-paragraphs-{split}")
    forms = [form for form in forms if _legible(form, exclusions)]
    texts = [(form.identifier, form.writer, [(line.box, line.text) for line in form.lines]) for form in forms]
    key = f"iam-paragraphs-{split}-{fingerprint(BLOCK_VERSION, texts, folder.resolve())}"
    return cached_paragraphs(cache_dir(), key, _blocks(forms), len(forms), exclusions)


def _all_forms(split: str) -> list[Form]:
    """The forms of a split in either layout."""
    folder = data_dir() / "iam"
    original = not (folder / "forms.json").exists() and iam.is_original(folder)
    return _original_forms(folder, split) if original else _forms(folder, split)


def _forms(folder: Path, split: str) -> list[Form]:
    """Forms of `forms.json`; their writers are in `lines.tsv`."""
    rows = json.loads(require(folder / "forms.json", "the IAM forms").read_text(encoding="utf-8"))
    writers = {row["line_id"].rpartition("-")[0]: row["writer"] for row in iam_rows(split)}
    forms = []
    for row in rows:
        if row["split"] == split and row["form"] in writers:
            lines = [
                FormLine(int(line["id"].rpartition("-")[2]), tuple(line["box_xywh"]), normalize_text(line["text"]))
                for line in row["lines"]
            ]
            forms.append(Form(row["form"], writers[row["form"]], folder / "forms" / f"{row['form']}.webp", lines))
    return forms


def _original_forms(folder: Path, split: str) -> list[Form]:
    images = iam.form_images(folder)
    forms = []
    for form, lines in groupby(iam.split_lines(folder, split), key=lambda line: line.form):
        if form not in images:
            raise FileNotFoundError(f"the image of form {form} is not in {folder / 'forms'}: unpack IAM's forms there")
        known = list(lines)
        legible = [
            FormLine(int(line.identifier.rpartition("-")[2]), line.box, line.text)
            for line in known
            if line.box is not None and not line.crossed_out
        ]
        forms.append(Form(form, known[0].writer, images[form], legible))
    return forms


def _legible(form: Form, exclusions: Exclusions) -> bool:
    alphabet = Alphabet()
    if len(form.lines) < 2:
        exclusions.add("fewer than two lines with a text", form.identifier)
        return False
    return not any(
        exclusions.unknown(line.text, alphabet, f"{form.identifier}-{line.number:02d}") for line in form.lines
    )


def consecutive(lines: Sequence[_Line]) -> list[_Line]:
    """The longest run of lines that follow each other without a number left out; the first of equally long ones."""
    runs: list[list[_Line]] = []
    for line in lines:
        if runs and line.number == runs[-1][-1].number + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    return max(runs, key=len)


def _blocks(forms: list[Form]) -> Iterator[tuple[NDArray[np.uint8], ParagraphLabel]]:
    for form in forms:
        with Image.open(form.path) as picture:
            page = np.array(picture.convert("L"))
        lines = consecutive(form.lines)
        text = "\n".join(line.text for line in lines)
        label = ParagraphLabel(form.identifier, text, f"iam-{form.writer}", "iam-paragraphs")
        yield block_image(page, [line.box for line in lines], [line.box for line in form.lines]), label


def block_image(page: NDArray[np.uint8], boxes: list[Box], others: list[Box]) -> NDArray[np.uint8]:
    """The ink inside of `boxes` and a little air, at the scale of paragraphs: uint8 (H, W), ink 255.

    page: gray uint8 of a whole page. The cut never reaches half of the way into one of the `others`.
    """
    scale = PAGE_WIDTH / page.shape[1]
    left, top, right, bottom = _block(page.shape[1], boxes, others)
    return ink_at_scale(page[top : bottom + 1, left : right + 1], scale)


def _block(page_width: int, boxes: list[Box], others: list[Box]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the block in pixels of the page."""
    air = _AIR * page_width
    left, right = min(b[0] for b in boxes) - air, max(b[0] + b[2] for b in boxes) + air
    top, bottom = min(b[1] for b in boxes), max(b[1] + b[3] for b in boxes)
    above = [y + h / 2 for _, y, _, h in others if y + h / 2 < boxes[0][1]]
    below = [y + h / 2 for _, y, _, h in others if y + h / 2 > boxes[-1][1] + boxes[-1][3]]
    top, bottom = max([top - air, *above]), min([bottom + air, *below])
    return max(0, int(left)), max(0, int(top)), int(right), int(bottom)


def iam_line_boxes(split: str) -> dict[str, NDArray[np.float64]]:
    """The boxes of each paragraph's lines by its identifier: (n, 4) left, top, width, height in its pixels."""
    placed = {}
    for form in _all_forms(split):
        boxes = [line.box for line in consecutive(form.lines)] if form.lines else []
        if not boxes:
            continue
        with Image.open(form.path) as picture:
            width = picture.width
        left, top, _, _ = _block(width, boxes, [line.box for line in form.lines])
        placed[form.identifier] = (np.array(boxes) - (left, top, 0, 0)) * PAGE_WIDTH / width
    return placed
