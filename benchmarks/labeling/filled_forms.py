"""Forms filled by programs, photographed by programs: for benchmarks/labeling/forms.py and the tests of forms."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import open_document, to_gray
from text_recognizer.images.normalize import ink_density
from text_recognizer.labeling.forms.boxes import State
from text_recognizer.labeling.forms.form import OVERFLOW, Box, Form
from text_recognizer.labeling.forms.printing import form_pdf
from text_recognizer.labeling.forms.scan import Photo, Problem, ScannedSheet, scan_photo
from text_recognizer.labeling.forms.sheets import SCALE
from text_recognizer.learning.synthesis.lines import Typeface, distort, render_words
from text_recognizer.learning.synthesis.photograph import photograph

Gray = NDArray[np.uint8]
_NEAR = 5  # pixels, half a millimetre: by how much ink may be moved
_COMPLETE = 0.9  # share of the ink that must be found again, and of what is found that must be ink


@dataclass(frozen=True)
class FilledPage:
    """A page with writing. image: gray (H, W) at ten pixels a millimetre. ink: of the writing alone, 0 to 255.

    lines: of each row what was written into it, ink uint8 (H, W), None where it is empty.
    """

    image: Gray
    ink: Gray
    lines: tuple[Gray | None, ...]


@dataclass
class Score:
    """Boxes that came out right. seconds a page are not counted."""

    pages: int = 0
    filled: int = 0
    filled_right: int = 0
    empty: int = 0
    empty_right: int = 0
    ticks_right: int = 0
    recall: float = 0.0

    def row(self, name: str) -> str:
        """A row of a table in Markdown."""
        filled, empty = 100 * self.filled_right / max(1, self.filled), 100 * self.empty_right / max(1, self.empty)
        recall = 100 * self.recall / max(1, self.filled_right)
        figures = [f"{self.filled} | {filled:.1f} | {recall:.1f}", f"{self.empty} | {empty:.1f}"]
        return f"| {name} | {self.pages} | {' | '.join(figures)} | {self.ticks_right}/{self.pages} |"


HEADER = (
    "| condition | pages | filled boxes | right % | ink found % | empty boxes | right % | consent read |\n"
    "|---|---|---|---|---|---|---|---|"
)


def blank_pages(form: Form) -> list[Gray]:
    """The printed pages, gray (H, W) at ten pixels a millimetre."""
    with open_document(form_pdf(form), dpi=round(SCALE * 25.4)) as document:
        return [to_gray(page).copy() for page in document]


def in_font(text: str, faces: list[Typeface], rng: random.Random) -> Gray:
    """A text as ink (H, W) in a handwriting font that has all of it."""
    able = [face for face in faces if set(text) - {" "} <= face.characters] or faces
    return distort(render_words(text, rng.choice(able).path, 62, rng, False), rng, False)


def fill(page: Gray, boxes: list[Box], lines: list[Gray | None], rng: random.Random, pen: float = 0.85) -> FilledPage:
    """Write lines, ink (H, W), into boxes of a printed page. pen: darkness of the ink."""
    ink = np.zeros_like(page)
    for box, line in zip(boxes, lines, strict=True):
        if line is not None:
            _write(ink, box, line, rng)
    image = np.round(page * (1 - pen * ink.astype(np.float32) / 255)).astype(np.uint8)
    return FilledPage(image, ink, tuple(lines))


def tick(image: Gray, box: Box) -> None:
    """Tick a box, in place."""
    x, y, width, height = (value * SCALE for value in box)
    points = [
        (x + 0.1 * width, y + 0.4 * height),
        (x + 0.4 * width, y + 0.9 * height),
        (x + 1.2 * width, y - 0.3 * height),
    ]
    cv2.polylines(image, [np.round(points).astype(np.int32)], False, 50, 4, cv2.LINE_AA)


def _write(ink: Gray, box: Box, line: Gray, rng: random.Random) -> None:
    """One line: its writing about ten millimetres high, less where the box is too short."""
    rows, columns = np.flatnonzero((line > 64).any(axis=1)), np.flatnonzero((line > 64).any(axis=0))
    line = line[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    x, y, width, height = (value * SCALE for value in box)
    indent = rng.uniform(20, 80)
    scale = min(rng.uniform(0.6, 0.85) * height / line.shape[0], (width - indent - 10) / line.shape[1])
    small = cv2.resize(line, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top = round(y + (height - len(small)) / 2 + rng.uniform(0.0, 0.12) * height)
    left = round(x + indent)
    place = ink[top : top + small.shape[0], left : left + small.shape[1]]
    np.maximum(place, small[:, : place.shape[1]], out=place)


def flatbed(page: Gray, seed: int) -> Gray:
    """A scan at 200 dpi, a degree or two askew."""
    rng = np.random.default_rng(seed)
    height, width = page.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-2, 2), 0.787)
    scan = cv2.warpAffine(page, matrix, (width, height), flags=cv2.INTER_AREA, borderValue=250)
    return _as_jpeg(scan + rng.normal(0, 2, scan.shape), 85)


def hard_photograph(page: Gray, seed: int) -> Gray:
    """A photograph by a hurried hand: curled paper, seen from the side, turned, a hard shadow, out of focus, small."""
    rng = np.random.default_rng(seed)
    page = _curled(page, rng)
    height, width = page.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = (corners * 0.75 + rng.uniform(60, 0.14 * width, (4, 2))).astype(np.float32)
    size = int(width * 0.75 + 0.16 * width + 60), int(height * 0.75 + 0.16 * width + 60)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    view = cv2.warpPerspective(page, matrix, size, flags=cv2.INTER_AREA, borderValue=float(rng.integers(30, 120)))
    shade = cv2.resize(rng.uniform(0.55, 1.0, (3, 3)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    edge = np.array([[0, rng.uniform(0.3, 1)], [1, rng.uniform(0.3, 1)], [1, 1], [0, 1]]) * size
    shadow = np.ones(size[::-1], np.float32)
    cv2.fillPoly(shadow, [edge.round().astype(np.int32)], 0.6)
    light = view * shade * cv2.GaussianBlur(shadow, (0, 0), rng.uniform(3, 20))
    blurred = cv2.GaussianBlur(light, (0, 0), rng.uniform(1.2, 1.8))
    picture = _as_jpeg(blurred + rng.normal(0, 4, blurred.shape), 55)
    return np.ascontiguousarray(np.rot90(picture, int(rng.integers(4))))


def soft_photograph(page: Gray, seed: int) -> Gray:
    """The photograph that training simulates, gray."""
    return to_gray(photograph(page, seed)[0])


def without_marker(page: Gray, seed: int) -> Gray:
    """A photograph of a sheet with something on one of its markers."""
    covered = page.copy()
    height, width = page.shape
    corner = [(0, 0), (width, 0), (width, height), (0, height)][seed % 4]
    cv2.circle(covered, corner, 260, 120, -1)
    return soft_photograph(covered, seed)


CONDITIONS: dict[str, Callable[[Gray, int], Gray]] = {
    "scanned at 200 dpi": flatbed,
    "photographed": soft_photograph,
    "... with one marker hidden": without_marker,
    "photographed badly": hard_photograph,
}


def _curled(page: Gray, rng: np.random.Generator) -> Gray:
    """Paper that is not flat: up to two millimetres off, in waves of a hand's breadth and more."""
    height, width = page.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    period, phase = rng.uniform(1500, 3500), rng.uniform(0, 6.3)
    wave = np.sin(x / period * 6.283 + phase + y / 4000).astype(np.float32)
    off = float(rng.uniform(8, 20)) * wave
    return np.asarray(cv2.remap(page, x, y + off, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _as_jpeg(picture: NDArray[np.floating], quality: int) -> Gray:
    _, data = cv2.imencode(".jpg", np.clip(picture, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def scanned(picture: Gray, form: Form) -> ScannedSheet | Problem:
    """The one sheet of a picture."""
    return next(iter(scan_photo(picture, Photo("picture", ""), {form.identifier: form})))


def judge(result: ScannedSheet | Problem, truth: FilledPage, number: int, form: Form, score: Score) -> Iterator[int]:
    """Count what came out right. Yields the rows (from 0) that did not."""
    page = form.pages[number]
    known = result if isinstance(result, ScannedSheet) and result.page == page else None
    score.pages += 1
    score.ticks_right += known is not None and known.consent == "yes"
    for row, line in enumerate(truth.lines):
        box = known.boxes[row] if known else None
        if line is None:
            right = box is not None and box.state is State.EMPTY
            score.empty += 1
            score.empty_right += right
        else:
            image = box.image if box else None
            found, own = _agreement(image, truth.ink, page.rows[row].box) if image is not None else (0.0, 0.0)
            right = min(found, own) > _COMPLETE
            score.filled += 1
            score.filled_right += right
            score.recall += found if right else 0
        if not right:
            yield row


def _agreement(image: Gray, ink: Gray, box: Box) -> tuple[float, float]:
    """The share of the written ink that a cut line shows, and of its ink that was written, at half a millimetre."""
    before, above, _, _ = OVERFLOW
    top, left = round((box[1] - above) * SCALE), round((box[0] - before) * SCALE)
    written = np.zeros(image.shape, bool)
    part = ink[top : top + image.shape[0], left : left + image.shape[1]] > 128
    written[: part.shape[0], : part.shape[1]] = part
    shown = ink_density(image) > 0.35
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _NEAR + 1, 2 * _NEAR + 1))
    around_shown, around_written = (cv2.dilate(mask.astype(np.uint8), near) > 0 for mask in (shown, written))
    return float(around_shown[written].mean()), float(around_written[shown].mean())
