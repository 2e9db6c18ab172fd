"""Datasets of whole pages with the outline, baseline and text of every line.

Layout: `<name>/pages.json`, a list of {page, split, size, lines: [{text, polygon, baseline}]}, and the
images in `<name>/pages/`. A line of kind "printed" is no handwriting. `page_sets.py` names the datasets.

Pages for the line detector: images with the baseline and outline of their lines, from every page dataset.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from text_recognizer.alphabet import Alphabet
from text_recognizer.images import CUT_VERSION, cut_line, normalize_line, open_image, to_gray
from text_recognizer.images.normalize import ink_density, remove_rules
from text_recognizer.images.open import image_header, read_file
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.iam import IAM
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.datasets.page_sets import PAGE_SETS, VERBATIM, PageSet, Rule, Transcription, page_set
from text_recognizer.learning.datasets.registry import Description, register
from text_recognizer.paths import cache_dir, data_dir, require

#: Changes with the rules by which pages are set apart, and with what of a page counts as a line of handwriting.
SPLIT_VERSION = 2

#: Columns of a normalised line that a character needs: a frame of CTC. With fewer, its text is another line's.
LEAST_COLUMNS = 5

_BASELINE = 0.72  # of the height of an outline, from above, where no baseline is given

#: Changes with how lines are traced; prepared pages are made again.
TRACE_VERSION = 1


@dataclass(frozen=True)
class PageTruth:
    """A page image on disk and its lines, each a dict with text, polygon and baseline in pixels.

    silent: lines of which no text is known, where they are known, of the same form. as_stored: those pixels are of the
    picture as its file stores it, not of the one that its EXIF orientation turns upright.
    """

    identifier: str
    path: Path
    lines: list[dict[str, Any]]
    silent: list[dict[str, Any]] = field(default_factory=list)
    as_stored: bool = False

    def image(self) -> NDArray[np.uint8]:
        """The page as uint8 (H, W) gray, opened as reading opens it. Raises ImageError (a ValueError)."""
        if not self.as_stored:
            return to_gray(open_image(self.path))
        with image_header(read_file(self.path)) as picture:
            picture.getexif().pop(ExifTags.Base.Orientation, None)
            return to_gray(open_image(picture))


def pages(name: str, split: str) -> list[PageTruth]:
    """The pages of one split of dataset `name`, in the order of its table; `page_sets.py` says which are val.

    Raises FileNotFoundError where the dataset is missing.
    """
    folder = data_dir() / name
    rows = json.loads(require(folder / "pages.json", f"the pages of {name}").read_text(encoding="utf-8"))
    files = {path.stem: path for path in (folder / "pages").iterdir()}
    rule = page_set(name).held_out
    if any(row["split"] != "train" for row in rows):
        rule = "named"
    return [
        PageTruth(row["page"], files[row["page"]], [_with_baseline(line) for line in row["lines"]])
        for number, row in enumerate(rows)
        if _split(rule, number, row) == split
    ]


def _split(rule: Rule, number: int, row: dict[str, Any]) -> str:
    """The split of a page, the given one of its dataset."""
    if rule == "tenth":
        return "val" if number % 10 == 4 else "train"
    if rule == "letters":
        # Pages of one letter, whose names differ in the last number alone, are on the same side.
        letter = re.sub(r"[-_]\d+$", "", row["page"])
        return "val" if int(hashlib.sha256(letter.encode()).hexdigest(), 16) % 10 == 0 else "train"
    return str(row["split"])


def _with_baseline(line: dict[str, Any]) -> dict[str, Any]:
    if len(line.get("baseline") or ()) >= 2 or len(line["polygon"]) < 3:
        return line
    return line | {"baseline": baseline_in(np.array(line["polygon"], float)).tolist()}


def baseline_in(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """The straight baseline (2, 2) that writing in an outline (N, 2) has, from its left end to its right end.

    At each column the outline reaches from ascenders to descenders; the median of where the baseline is between them,
    and of its slope, holds against words without either.
    """
    (left, top), (right, bottom) = polygon.min(axis=0), polygon.max(axis=0)
    size = max(1, round(right - left) + 1), max(1, round(bottom - top) + 1)
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.round(polygon - (left, top)).astype(np.int32)], 1)
    columns = np.unique(np.linspace(0, size[0] - 1, 24).astype(int))
    upper = mask[:, columns].argmax(axis=0)
    lower = size[1] - 1 - mask[::-1, columns].argmax(axis=0)
    levels = upper + _BASELINE * (lower - upper)
    first, second = np.triu_indices(len(columns), 1)
    slope = np.median((levels[second] - levels[first]) / (columns[second] - columns[first])) if len(first) else 0.0
    start = top + np.median(levels - slope * columns)
    return np.array([[left, start], [right, start + slope * (right - left)]])


def is_legible(text: str) -> bool:
    """Whether the transcription is of plain text: `>...<` marks crossed-out and illegible words."""
    return bool(text) and ">" not in text and "<" not in text


def page_lines(name: str, split: str) -> LineDataset:
    """The lines of the pages, cut along their baselines inside their polygons, normalised.

    Left out, counted and named are printed lines, those with crossed-out or unread words, with characters outside the
    alphabet, that cannot be cut, or with more text than there is room for.
    """
    truth, transcription = pages(name, split), page_set(name).transcription
    made_of = fingerprint(data_dir() / name / "pages.json", CUT_VERSION, SPLIT_VERSION, transcription)
    exclusions = Exclusions(f"{name}-{split}")
    samples = cut_lines(name, truth, exclusions, transcription)
    return cached_lines(cache_dir(), f"{name}-{split}-{made_of}", samples, exclusions=exclusions)


def cut_lines(
    name: str, truth: list[PageTruth], exclusions: Exclusions, transcription: Transcription = VERBATIM
) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
    """The handwritten lines of pages whose text is known, normalised, and their labels; each page is a writer."""
    alphabet = Alphabet()
    for page in truth:
        image = page.image()
        for number, line in enumerate(page.lines):
            where = f"{page.path}, line {number + 1}"
            text = _handwritten(line, transcription, exclusions, where)
            if not text or exclusions.unknown(text, alphabet, where):
                continue
            picture = _cut(image, line)
            if picture is None:
                exclusions.add("no ink in the outline", where)
            elif picture.shape[1] < LEAST_COLUMNS * len(text):
                exclusions.add("more text than there is room for in the outline", where)
            else:
                yield picture, LineLabel(f"{page.identifier}-{number:02d}", text, f"{name}-{page.identifier}", name)


def _handwritten(line: dict[str, Any], transcription: Transcription, exclusions: Exclusions, where: str) -> str | None:
    """The plain text of a line of handwriting; None, and counted, where it is none or the text is not known."""
    text = transcription.plain(line["text"])
    if line.get("kind") == "printed":
        exclusions.add("printed", where)
    elif text is None:
        exclusions.add("crossed-out, unread or inserted words", where)
    elif not text:
        exclusions.add("no text", where)
    elif len(line["polygon"]) < 3 or len(line["baseline"]) < 2:
        exclusions.add("no outline", where)
    else:
        return text
    return None


def _cut(image: NDArray[np.uint8], line: dict[str, Any]) -> NDArray[np.uint8] | None:
    """The normalised line, None without ink."""
    picture = normalize_line(cut_line(image, np.array(line["baseline"]), np.array(line["polygon"])))
    return picture if picture.any() else None


@dataclass(frozen=True)
class TracedLine:
    """A line's baseline (N, 2) and outline (M, 2), both x, y in pixels, and its text where it is known."""

    baseline: NDArray[np.float64]
    polygon: NDArray[np.float64]
    text: str | None = None


@dataclass(frozen=True)
class TracedPage:
    """A page image gray uint8 (H, W) and its lines."""

    identifier: str
    image: NDArray[np.uint8]
    lines: list[TracedLine]


def traced_pages(name: str, split: str) -> Iterator[TracedPage]:
    """The pages of "iam" or of a page set; printed lines among them, and lines whose text is not known."""
    if name == "iam":
        yield from iam_forms(split)
        return
    transcription = page_set(name).transcription
    for page in pages(name, split):
        lines = [
            TracedLine(
                np.array(line["baseline"], float), np.array(line["polygon"], float), transcription.plain(line["text"])
            )
            for line in page.lines
            if len(line["baseline"]) >= 2 and len(line["polygon"]) >= 3
        ]
        yield TracedPage(page.identifier, page.image(), lines)


@register(
    replace(
        IAM,
        name="iam-forms",
        kind="pages",
        about="IAM: whole forms",
        splits=("train", "val"),
        files=(("iam/forms.json",),),
    )
)
def iam_forms(split: str) -> Iterator[TracedPage]:
    """IAM forms: handwritten lines from the database's boxes, the printed lines above them traced here."""
    folder = data_dir() / "iam"
    rows = json.loads(require(folder / "forms.json", "the IAM forms").read_text(encoding="utf-8"))
    for row in rows:
        if row["split"] != split:
            continue
        with Image.open(Path(folder / "forms" / f"{row['form']}.webp")) as picture:
            image = np.array(picture.convert("L"))
        density = ink_density(image, kernel=41)
        boxes = [line["box_xywh"] for line in row["lines"]]
        lines = [trace_box(density, box, line["text"]) for box, line in zip(boxes, row["lines"], strict=True)]
        top = int(min(y for _, y, _, _ in boxes))
        lines += [trace_box(density, box) for box in printed_boxes(density[: max(1, top - 10)])]
        yield TracedPage(row["form"], image, lines)


def trace_box(density: NDArray[np.float32], box: list[float], text: str | None = None) -> TracedLine:
    """The line inside an upright box (x, y, w, h): its baseline follows the ink, its outline is the box."""
    x, y, w, h = box
    left, top, right, bottom = round(x), round(y), round(x + w), round(y + h)
    ink = density[max(0, top) : bottom, max(0, left) : right]
    windows = max(1, min(8, round(w / max(h, 1) / 1.5)))
    centers, rows = [], []
    for part in range(windows):
        piece = ink[:, ink.shape[1] * part // windows : ink.shape[1] * (part + 1) // windows]
        profile = cv2.GaussianBlur(piece.sum(axis=1, keepdims=True), (1, 5), 0)[:, 0] if piece.size else np.zeros(1)
        if profile.max() > 1:
            centers.append(left + (part + 0.5) * w / windows)
            rows.append(top + float(np.flatnonzero(profile > 0.5 * profile.max())[-1]) + 1)
    slope, level = 0.0, y + 0.72 * h
    if rows:
        level = float(np.median(rows))
    if len(rows) >= 3:
        slopes = [(rows[j] - rows[i]) / (centers[j] - centers[i]) for i in range(len(rows)) for j in range(i)]
        slope = float(np.clip(np.median(slopes), -0.08, 0.08))
        level = float(np.median([row - slope * (at - x - w / 2) for row, at in zip(rows, centers, strict=True)]))
    level = float(np.clip(level, y + 0.4 * h, y + h))
    baseline = np.array([[x, level - slope * w / 2], [x + w, level + slope * w / 2]])
    polygon = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    return TracedLine(baseline, polygon, text)


def printed_boxes(density: NDArray[np.float32]) -> list[list[float]]:
    """Boxes (x, y, w, h) of the upright printed lines in the head of a form, wide gaps splitting a line in two."""
    clean = remove_rules(density, length=250, min_share=0.0)
    mask = (clean > 0.4).astype(np.uint8)
    mask[:, : mask.shape[1] // 14] = 0  # the shadow of the scanner's edge
    words = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 25), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(words)
    boxes = [[float(v) for v in row[:4]] for row in stats[1:count] if row[2] > 12 and 8 <= row[3] <= 45 and row[4] > 60]
    lines: list[list[float]] = []
    for x, y, w, h in sorted(boxes):
        for line in lines:
            overlap = min(line[1] + line[3], y + h) - max(line[1], y)
            if overlap > 0.5 * min(line[3], h) and x - (line[0] + line[2]) < 60:
                right, bottom = max(line[0] + line[2], x + w), max(line[1] + line[3], y + h)
                line[1] = min(line[1], y)
                line[2], line[3] = right - line[0], bottom - line[1]
                break
        else:
            lines.append([x, y, w, h])
    return [line for line in lines if line[2] > 40]


def of_page_set(name: str) -> Description:
    """What is known of the lines of a page set."""
    known = PAGE_SETS[name]
    return Description(
        name,
        "lines",
        known.about,
        known.licence,
        source=f"{known.source}, into {name}/",
        splits=known.splits,
        files=((f"{name}/pages.json",),),
    )


def register_page_set(name: str, known: PageSet) -> None:
    """Make a page set known: its lines as dataset `name`, its pages as `name-pages`. Raises ValueError for a name that
    is taken."""
    PAGE_SETS[name] = known
    lines = of_page_set(name)

    @register(lines)
    def load_lines(split: str) -> LineDataset:
        return page_lines(name, split)

    @register(replace(lines, name=f"{name}-pages", kind="pages"))
    def load_pages(split: str) -> Iterator[TracedPage]:
        return traced_pages(name, split)


for _name, _known in tuple(PAGE_SETS.items()):
    register_page_set(_name, _known)
