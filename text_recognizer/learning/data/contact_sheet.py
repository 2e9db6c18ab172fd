"""A contact sheet: samples of a dataset in aligned rows, each with its label below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from text_recognizer.learning.data.registry import Kind
from text_recognizer.learning.data.summary import Sample
from text_recognizer.learning.data.synthetic import Typeface, handwriting_faces, printed_faces

_INK, _GRAY, _EDGE, _BLUE = (20, 20, 20), (120, 120, 120), (225, 225, 225), (30, 90, 200)
_GAP = 22  # pixels between cells, and at the edge of the sheet
_FAMILIES = ("dejavusans.", "notosans-regular", "liberationsans-regular", "arial.", "carlito-regular", "freesans.")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Layout:
    """Cells of one kind of sample: how many in a row, the widest and highest picture, how much it may be
    enlarged, size and lines of the label."""

    columns: int
    width: int
    height: int
    enlarged: float
    text: int
    rows: int


_LAYOUTS: dict[Kind, Layout] = {
    "lines": Layout(2, 820, 52, 1, 17, 2),
    "paragraphs": Layout(3, 540, 420, 1, 13, 14),
    "pages": Layout(4, 400, 600, 1, 13, 1),
    "characters": Layout(16, 84, 84, 3, 20, 1),
}


def contact_sheet(samples: Sequence[Sample], kind: Kind, title: str, subtitle: str = "") -> Image.Image:
    """The samples as one RGB picture. Pictures keep their proportions; long labels are broken into lines."""
    layout = _LAYOUTS[kind]
    font = _fonts("".join(sample.text for sample in samples) + title)
    cells = [_cell(sample, layout, kind, font) for sample in samples]
    rows = [cells[at : at + layout.columns] for at in range(0, len(cells), layout.columns)]
    head = 96
    # A row is as high as its highest cell, so pictures and labels stand at one level.
    heights = [max(cell.height for cell in row) for row in rows]
    columns = min(layout.columns, max(1, len(cells)))
    width = max(640, _GAP + columns * (layout.width + _GAP))
    sheet = Image.new("RGB", (width, head + sum(heights) + _GAP * (len(rows) + 1)), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 20), title, _INK, font(30))
    draw.text((_GAP, 62), subtitle, _GRAY, font(16))
    y = head
    for row, height in zip(rows, heights, strict=True):
        draw.line((_GAP, y, width - _GAP, y), _EDGE)
        for number, cell in enumerate(row):
            sheet.paste(cell, (_GAP + number * (layout.width + _GAP), y + _GAP // 2))
        y += height + _GAP
    return sheet


def _cell(sample: Sample, layout: Layout, kind: Kind, font: Fonts) -> Image.Image:
    """Picture, label and, small, where it is from."""
    picture = _picture(sample, layout)
    text = f"{len(sample.outlines)} lines" if kind == "pages" else sample.text
    face = font(layout.text)
    rows = [part for line in text.split("\n") for part in _wrapped(line, face, layout.width)]
    if len(rows) > layout.rows:
        rows = [*rows[: layout.rows - 1], f"{rows[layout.rows - 1]} …"]
    leading = round(layout.text * 1.35)
    small = "" if kind == "characters" else "  ·  ".join(part for part in (sample.identifier, sample.writer) if part)
    cell = Image.new("RGB", (layout.width, picture.height + 8 + len(rows) * leading + (18 if small else 0)), "white")
    cell.paste(picture, (0, 0))
    draw = ImageDraw.Draw(cell)
    for number, row in enumerate(rows):
        draw.text((0, picture.height + 6 + number * leading), row, _BLUE, face)
    draw.text((0, cell.height - 16), small, _GRAY, font(12))
    return cell


def _picture(sample: Sample, layout: Layout) -> Image.Image:
    """The sample's picture, within the cell, its outlines drawn on it."""
    height, width = sample.image.shape
    scale = min(layout.width / width, layout.height / height, layout.enlarged)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    picture = cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    outlines = [np.round(outline * scale).astype(np.int32) for outline in sample.outlines]
    cv2.polylines(picture, outlines, True, _BLUE, 1, cv2.LINE_AA)
    return Image.fromarray(picture)


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    """The text in lines that are no wider than `width`, broken at spaces, or within a word where it must be."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        lines.append("")
        for character in word:
            if font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line] or [""]


class Fonts:
    """A font that has the characters of the labels, by size; Pillow's own where the machine has none."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def __call__(self, size: int) -> Font:
        """The font at a size in pixels."""
        return ImageFont.truetype(str(self.path), size) if self.path else ImageFont.load_default(size)


def _fonts(text: str) -> Fonts:
    """The first of the plain typefaces of this machine that lacks the fewest characters of the text."""
    faces = sorted(printed_faces(), key=_plainness)
    if not faces:
        try:
            faces = handwriting_faces()
        except FileNotFoundError:
            return Fonts(None)
    wanted = set(text) - {"\n"}
    return Fonts(min(faces, key=lambda face: len(wanted - face.characters)).path) if faces else Fonts(None)


def _plainness(face: Typeface) -> int:
    name = face.path.name.lower()
    return next((rank for rank, family in enumerate(_FAMILIES) if name.startswith(family)), len(_FAMILIES))
