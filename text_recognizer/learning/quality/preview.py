"""Previews of a dataset: contact sheets of samples with their labels, and what it holds in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from text_recognizer.learning.datasets.pages import TracedPage
from text_recognizer.learning.datasets.registry import Kind, find, load
from text_recognizer.learning.synthesis.lines import Typeface, handwriting_faces, printed_faces

_INK, _GRAY, _EDGE, _BLUE = (20, 20, 20), (120, 120, 120), (225, 225, 225), (30, 90, 200)
_GAP = 22  # pixels between cells, and at the edge of the sheet
_FAMILIES = ("dejavusans.", "notosans-regular", "liberationsans-regular", "arial.", "carlito-regular", "freesans.")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_SHOWN = 12  # characters, of the most frequent and of the rarest


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


def sheet(name: str, count: int = 12, **options: Any) -> Image.Image:
    """The first samples of a dataset with their labels. name: with its split, `iam-val`; options: as its source takes
    them (`count` of a source that is made is enough for the sheet). Errors as of `registry.load`."""
    description, split = find(name)
    items = load(name, description.kind, split, **({"count": count} | options))
    subtitle = f"{description.about}  ·  {description.licence}"
    return contact_sheet(list(islice(samples(items), count)), description.kind, name, subtitle)


@dataclass(frozen=True)
class Sample:
    """One item of a dataset of any kind: its picture uint8 (H, W), ink dark on light, text, writer, identifier.

    outlines: of the lines of a page, (N, 2) points each.
    """

    image: NDArray[np.uint8]
    text: str
    writer: str
    identifier: str
    outlines: tuple[NDArray[np.float64], ...] = ()


def samples(dataset: Any) -> Iterator[Sample]:
    """The items of a dataset of any kind of the registry, one by one."""
    if hasattr(dataset, "writers"):  # characters: labels are numbers, the text is kept beside them
        for number, writer in enumerate(dataset.writers):
            yield Sample(255 - dataset[number][0], dataset.text[number], writer, "")
        return
    for item in dataset:
        if isinstance(item, TracedPage):
            text = "\n".join(line.text for line in item.lines if line.text)
            outlines = tuple(line.polygon for line in item.lines)
            yield Sample(item.image, text, "", item.identifier, outlines)
        else:
            image, label = item
            yield Sample(255 - image, label.text, label.writer, label.identifier)


@dataclass
class Summary:
    """Counts over samples; add them one by one."""

    writers: set[str] = field(default_factory=set)
    characters: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        self.writers |= {sample.writer} - {""}
        self.characters.update(sample.text.replace("\n", ""))
        self.lengths.append(len(sample.text))
        self.sizes.append((sample.image.shape[1], sample.image.shape[0]))

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of every figure, as they are printed. Raises ValueError where nothing was counted."""
        if not self.lengths:
            raise ValueError("the dataset is empty")
        widths, heights = np.array(self.sizes).T
        order = sorted(self.characters.items(), key=lambda entry: (-entry[1], entry[0]))
        return [
            ("samples", f"{len(self.lengths):,}"),
            ("writers", f"{len(self.writers):,}" if self.writers else "not known"),
            ("characters", f"{sum(self.characters.values()):,}, {len(self.characters)} different ones"),
            ("length of a text", _range(self.lengths)),
            ("width in pixels", _range(widths)),
            ("height in pixels", _range(heights)),
            ("most frequent", _named(order[:_SHOWN])),
            ("rarest", _named(order[::-1][:_SHOWN])),
        ]


def _range(values: Any) -> str:
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{low:,} to {high:,}, median {middle:,.0f}"


def _named(entries: list[tuple[str, int]]) -> str:
    return "  ".join(f"{'space' if character == ' ' else character} {count:,}" for character, count in entries)
