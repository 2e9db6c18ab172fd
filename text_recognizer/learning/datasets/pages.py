"""Datasets of whole pages with the outline, baseline and text of every line.

Layout: `<name>/pages.json`, a list of {page, split, size, lines: [{text, polygon, baseline}]}, and the
images in `<name>/pages/`. Known names: copiste ("Copiste d'un jour", modern French, CC BY 4.0), hooker,
lathrop, poilus (historical hands).

Pages for the line detector: images with the baseline and outline of their lines, from every page dataset.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import CUT_VERSION, cut_line, normalize_line, open_image, to_gray
from text_recognizer.images.normalize import ink_density, remove_rules
from text_recognizer.images.open import image_header, read_file
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import LeftOut
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.paths import cache_dir, data_dir, require

_SPLIT_VERSION = 1  # of the rule by which pages are set apart

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
    """The pages of one split of dataset `name`. Raises FileNotFoundError where the dataset is missing.

    Where the dataset sets none apart for validation, a tenth of its letters is, drawn by their names.
    """
    folder = data_dir() / name
    rows = json.loads(require(folder / "pages.json", f"the pages of {name}").read_text(encoding="utf-8"))
    files = {path.stem: path for path in (folder / "pages").iterdir()}
    whole = all(row["split"] == "train" for row in rows)
    return [
        PageTruth(row["page"], files[row["page"]], row["lines"])
        for row in rows
        if (_drawn_split(row["page"]) if whole else row["split"]) == split
    ]


def _drawn_split(page: str) -> str:
    """Pages of one letter, whose names differ in the last number alone, are on the same side."""
    letter = re.sub(r"[-_]\d+$", "", page)
    return "val" if int(hashlib.sha256(letter.encode()).hexdigest(), 16) % 10 == 0 else "train"


def is_legible(text: str) -> bool:
    """Whether the transcription is of plain text: `>...<` marks crossed-out and illegible words."""
    return bool(text) and ">" not in text and "<" not in text


def page_lines(name: str, split: str) -> LineDataset:
    """The lines of the pages, cut along their baselines inside their polygons, normalised.

    Lines with crossed-out words or characters outside the alphabet are left out.
    """
    truth = pages(name, split)
    key = f"{name}-{split}-{fingerprint(data_dir() / name / 'pages.json', CUT_VERSION, _SPLIT_VERSION)}"
    left_out = LeftOut(f"{name}-{split}")
    return cached_lines(cache_dir(), key, cut_lines(name, truth, left_out), left_out=left_out)


def cut_lines(
    name: str, truth: list[PageTruth], left_out: LeftOut, legible: Callable[[str], bool] = is_legible
) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
    """The legible lines of pages, normalised, and their labels; each page counts as a writer."""
    alphabet = Alphabet()
    for page in truth:
        image = page.image()
        for number, line in enumerate(page.lines):
            text = normalize_text(line["text"])
            where = f"{page.path}, line {number + 1}"
            if not legible(text) or len(line["baseline"]) < 2:
                left_out.add("crossed-out or illegible words, or no baseline", where)
                continue
            if left_out.unknown(text, alphabet, where):
                continue
            crop = cut_line(image, np.array(line["baseline"]), np.array(line["polygon"]))
            label = LineLabel(f"{page.identifier}-{number:02d}", text, f"{name}-{page.identifier}", name)
            yield normalize_line(crop), label


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
    """The pages of "iam", "copiste", "hooker", "lathrop" or "poilus"."""
    if name == "iam":
        yield from iam_forms(split)
        return
    for page in pages(name, split):
        lines = [
            TracedLine(np.array(line["baseline"], float), np.array(line["polygon"], float), line["text"])
            for line in page.lines
            if len(line["baseline"]) >= 2 and len(line["polygon"]) >= 3
        ]
        yield TracedPage(page.identifier, page.image(), lines)


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
