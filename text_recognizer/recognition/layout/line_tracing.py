"""From the detector's maps to lines: connected cores, joined where a gap broke them, with baseline and outline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import remove_rules
from text_recognizer.recognition.layout.detector_input import EXTENT_UNIT, STRIDE

Points = NDArray[np.float64]


@dataclass(frozen=True)
class DetectedLine:
    """A line on a page: baseline (N, 2) left to right and outline (M, 2), x and y in pixels of the page,
    and how sure the detector is, 0 to 1."""

    baseline: Points
    polygon: Points
    confidence: float

    @property
    def height(self) -> float:
        """Mean height of the outline across the baseline, in pixels."""
        half = len(self.polygon) // 2
        return float(np.hypot(*(self.polygon[:half] - self.polygon[::-1][:half]).T).mean())

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        (left, top), (right, bottom) = self.polygon.min(axis=0), self.polygon.max(axis=0)
        return float(left), float(top), float(right), float(bottom)


@dataclass(frozen=True)
class _Piece:
    """A run of core pixels: baseline points, the extent above and below at each, mean probability; in input pixels."""

    points: Points
    above: NDArray[np.float64]
    below: NDArray[np.float64]
    confidence: float
    area: int

    @cached_property
    def scale(self) -> float:
        """Height of the line in input pixels."""
        return float(np.median(self.above) + np.median(self.below))

    @property
    def length(self) -> float:
        """Width of the piece in input pixels."""
        return float(self.points[-1, 0] - self.points[0, 0])


def lines_from_maps(core: NDArray[np.float32], extents: NDArray[np.float32], threshold: float) -> list[DetectedLine]:
    """Lines in input pixels from core probabilities (h, w) and ascender and descender maps (2, h, w), in no order."""
    mask = (core > threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    pieces = []
    for number in range(1, count):
        left, top, width, height, area = stats[number]
        if area < 6 or width < 2:
            continue
        window = (slice(top, top + height), slice(left, left + width))
        pieces.append(_trace(labels[window] == number, core[window], extents[(slice(None), *window)], left, top))
    pieces = _without_crumbs(_join(pieces))
    return [_outline(piece) for piece in pieces if _is_line(piece)]


def with_ink(lines: list[DetectedLine], density: NDArray[np.float32]) -> list[DetectedLine]:
    """The lines that hold ink other than printed rules. density: the detector's input (H, W) in [0, 1]."""
    writing = remove_rules(density, length=100, min_share=0.0)
    kept = []
    for line in lines:
        left, top = np.maximum(np.floor(line.polygon.min(axis=0)).astype(int), 0)
        right, bottom = np.ceil(line.polygon.max(axis=0)).astype(int) + 1
        window = writing[top:bottom, left:right]
        mask = np.zeros(window.shape, np.uint8)
        cv2.fillPoly(mask, [np.round(line.polygon - (left, top)).astype(np.int32)], 1)
        columns = ((window > 0.3) & (mask > 0)).sum(axis=0)
        # Writing has strokes of some height, a dotted or broken rule has none.
        tall = np.count_nonzero(columns >= max(3.0, 0.18 * line.height))
        if tall >= 2 and tall > 0.02 * np.count_nonzero(columns):
            kept.append(line)
    return kept


def _trace(
    mask: NDArray[np.bool_], core: NDArray[np.float32], extents: NDArray[np.float32], left: int, top: int
) -> _Piece:
    """The baseline of one component: the lower edge of the core in every column, smoothed."""
    weights = np.where(mask, core, 0)
    columns = np.flatnonzero(mask.any(axis=0))
    rows = np.arange(mask.shape[0])[:, None]
    total = weights.sum(axis=0)[columns]
    center = (weights * rows).sum(axis=0)[columns] / total
    thickness = mask.sum(axis=0)[columns]
    above = (weights * extents[0]).sum(axis=0)[columns] / total
    below = (weights * extents[1]).sum(axis=0)[columns] / total
    bottom = center + 0.5 * np.median(thickness) + 0.5
    window = max(3, round(3 * float(np.median(above)) * EXTENT_UNIT / STRIDE))
    xs = (left + columns + 0.5) * STRIDE
    ys = (top + _smooth(bottom, window)) * STRIDE
    ends = (left + columns[0]) * STRIDE, (left + columns[-1] + 1) * STRIDE
    points = np.stack([np.r_[ends[0], xs, ends[1]], np.r_[ys[0], ys, ys[-1]]], axis=1)
    smoothed = [_smooth(np.r_[a[0], a, a[-1]] * EXTENT_UNIT, window) for a in (above, below)]
    confidence = float(core[mask].mean())
    return _Piece(points, smoothed[0], smoothed[1], confidence, int(mask.sum()))


def _smooth(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """A moving average that ends in straight lines where the window would leave the data."""
    window = min(window, len(values)) | 1
    if window > len(values):
        window -= 2
    if window < 3:
        return values.astype(np.float64)
    half = window // 2
    padded = np.r_[2 * values[0] - values[half:0:-1], values, 2 * values[-1] - values[-2 : -half - 2 : -1]]
    return np.convolve(padded, np.ones(window) / window, mode="valid")


def _is_line(piece: _Piece) -> bool:
    """Specks are no lines: a line is longer than half its height and its core fills what it should."""
    return piece.length > 0.5 * piece.scale and piece.length > 8 and piece.confidence > 0.55


def _join(pieces: list[_Piece]) -> list[_Piece]:
    """Join pieces that go on in the same direction after a gap no wider than between words."""
    waiting = sorted(pieces, key=lambda piece: piece.points[0, 0], reverse=True)
    done: list[_Piece] = []
    while waiting:
        first = waiting.pop()
        gaps = [(_gap(first, other), index) for index, other in enumerate(waiting)]
        gap, index = min(gaps, default=(np.inf, -1))
        if np.isfinite(gap):
            waiting.append(_merge(first, waiting.pop(index)))  # what was joined may go on
        else:
            done.append(first)
    return done


def _gap(first: _Piece, second: _Piece) -> float:
    """Distance from the end of `first` to the start of `second`; infinite where they are not one line."""
    gap = float(second.points[0, 0] - first.points[-1, 0])
    scale, largest = sorted((first.scale, second.scale))
    if not -0.5 * largest <= gap <= 1.2 * largest:
        return np.inf
    short, long = sorted((first, second), key=lambda piece: piece.length)
    if short.length < 1.2 * long.scale and _beside(short, long):
        return gap + 0.3 * largest
    if largest > 2.2 * scale or not -0.5 * scale <= gap <= 1.2 * scale:
        return np.inf
    # Each side is followed to the middle of the gap along its own direction.
    middle = (second.points[0, 0] + first.points[-1, 0]) / 2
    step = abs(_extend(first, middle, -1) - _extend(second, middle, 0))
    return gap + step if step < 0.3 * scale else np.inf


def _beside(short: _Piece, long: _Piece) -> bool:
    """Whether a quotation mark or a dash stands at the height of the line beside it, however small it is."""
    end = 0 if short.points[:, 0].mean() < long.points[:, 0].mean() else -1
    middle = float(short.points[:, 1].mean()) - 0.5 * float(np.median(short.above))
    base = _extend(long, float(short.points[:, 0].mean()), end)
    above, below = float(np.median(long.above)), float(np.median(long.below))
    return base - 1.5 * above < middle < base + 0.6 * below and short.scale < 1.5 * long.scale


def _without_crumbs(pieces: list[_Piece]) -> list[_Piece]:
    """Leave out short pieces that lie within the extent of a longer line: loops and tails taken for writing."""

    def is_crumb(piece: _Piece) -> bool:
        x, y = piece.points[:, 0].mean(), piece.points[:, 1].mean() - 0.5 * np.median(piece.above)
        for other in pieces:
            if piece.length > 0.25 * other.length or not other.points[0, 0] <= x <= other.points[-1, 0]:
                continue
            base = np.interp(x, other.points[:, 0], other.points[:, 1])
            # Tiny pieces may hang further out: the loop of a g, the dot of an i.
            factor = 1.1 if piece.scale > 0.75 * other.scale else 2.0
            if base - factor * np.median(other.above) < y < base + factor * np.median(other.below):
                return True
        return False

    return [piece for piece in pieces if not is_crumb(piece)]


def _extend(piece: _Piece, x: float, end: int) -> float:
    """The height of a piece's baseline at column x beyond one of its ends."""
    points = piece.points[-100:] if end else piece.points[:100]
    if np.ptp(points[:, 0]) < piece.scale:
        return float(points[:, 1].mean())
    slope, _ = np.polyfit(points[:, 0], points[:, 1], 1)
    return float(np.clip(slope, -0.5, 0.5) * (x - points[end, 0]) + points[end, 1])


def _merge(first: _Piece, second: _Piece) -> _Piece:
    """One piece of two; a quotation mark or dash takes the baseline of the line that it belongs to."""
    if first.length < second.length and first.length < 1.2 * second.scale:
        first = _aligned(first, second, 0)
    elif second.length < 1.2 * first.scale:
        second = _aligned(second, first, -1)
    order = np.argsort(np.r_[first.points[:, 0], second.points[:, 0]], kind="stable")
    area = first.area + second.area
    return _Piece(
        np.vstack([first.points, second.points])[order],
        np.r_[first.above, second.above][order],
        np.r_[first.below, second.below][order],
        (first.confidence * first.area + second.confidence * second.area) / area,
        area,
    )


def _aligned(short: _Piece, long: _Piece, end: int) -> _Piece:
    """A short piece moved onto the baseline of the piece that it is joined to."""
    points = np.array([[x, _extend(long, float(x), end)] for x in short.points[:, 0]])
    above, below = np.full(len(points), np.median(long.above)), np.full(len(points), np.median(long.below))
    return _Piece(points, above, below, short.confidence, short.area)


def _outline(piece: _Piece) -> DetectedLine:
    """Baseline and outline with a point about every line height, ends a little beyond the core."""
    ends = 0.12 * piece.scale
    xs = piece.points[:, 0]
    at = np.linspace(xs[0], xs[-1], max(2, round((xs[-1] - xs[0]) / piece.scale) + 1))
    ys = np.interp(at, xs, piece.points[:, 1])
    above, below = np.interp(at, xs, piece.above), np.interp(at, xs, piece.below)
    base = np.stack([at, ys], axis=1)
    tangent = np.gradient(base, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1])[:, None], 1e-9)
    base[0] -= tangent[0] * ends
    base[-1] += tangent[-1] * ends
    up = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    polygon = np.vstack([base + up * above[:, None], (base - up * below[:, None])[::-1]])
    return DetectedLine(base, polygon, piece.confidence)
