"""Outlines of lines that people drew or moved: cutting along them, their overlap, their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import LineStrip
from text_recognizer.page import Polygon
from text_recognizer.recognition.layout.reading_order import reading_order

_BASELINE = 0.75  # of the height of an outline: where letters stand if nobody says
_LARGEST = 30_000_000  # pixels of a line

SAME_LINE = 0.5  # overlap from which two outlines are of one line
_SIDE = 400  # pixels of the raster on which outlines are compared


def cut_out(image: NDArray[np.uint8], polygon: Polygon, baseline: Polygon = ()) -> NDArray[np.uint8]:
    """The straightened line of a page (H, W) or (H, W, 3), uint8; outside of its outline it is paper.

    polygon, baseline: in pixels of the page; without a baseline it is taken to be straight. Raises ValueError where the
    outline is empty, or lies outside of the page.
    """
    points = np.array(polygon, np.float64)
    height, width = image.shape[:2]
    seen = points.clip(0, (width, height))
    if (np.ptp(seen, axis=0) < 2).any():
        raise ValueError("the outline of the line is empty, or lies outside of the page")
    line = np.array(baseline if len(baseline) > 1 else straight_baseline(polygon), np.float64)
    strip = LineStrip(line.clip(0, (width, height)), seen)
    if strip.shape[0] * strip.shape[1] > _LARGEST:
        raise ValueError("the outline and the baseline of the line do not belong together")
    return strip.cut(image)


def straight_baseline(polygon: Polygon) -> Polygon:
    """A straight line from left to right through an outline, where letters stand in it.

    It runs along the longest direction of the outline (its first principal axis), as far as that is not upright.
    """
    points = np.array(polygon, np.float64)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    _, _, axes = np.linalg.svd(points - points.mean(axis=0))
    direction = axes[0] if abs(axes[0, 0]) > abs(axes[0, 1]) else np.array([1.0, 0.0])
    direction = direction if direction[0] > 0 else -direction
    down = np.array([-direction[1], direction[0]])
    along, below = (points - middle) @ direction, (points - middle) @ down
    start = middle + down * (below.min() + _BASELINE * (below.max() - below.min()))
    ends = [start + direction * along.min(), start + direction * along.max()]
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in ends)


class Outlined(Protocol):
    """Whatever has an outline."""

    @property
    def polygon(self) -> Polygon:
        """In pixels of the page."""
        ...


_Outlined = TypeVar("_Outlined", bound=Outlined)


def overlap(one: Polygon, other: Polygon) -> float:
    """Intersection over union of two outlines, from 0 to 1. Lines may lie askew, so their boxes do not tell."""
    first, second = np.array(one, np.float64), np.array(other, np.float64)
    if (np.maximum(first.min(axis=0), second.min(axis=0)) > np.minimum(first.max(axis=0), second.max(axis=0))).any():
        return 0.0
    both = np.vstack([first, second])
    corner = both.min(axis=0)
    scale = min(1.0, _SIDE / max(1.0, float(np.ptp(both, axis=0).max())))
    size = np.ceil(np.ptp(both, axis=0) * scale).astype(int) + 1
    masks = [_filled((points - corner) * scale, size) for points in (first, second)]
    union = int((masks[0] | masks[1]).sum())
    return float((masks[0] & masks[1]).sum()) / union if union else 0.0


def best_overlap(polygon: Polygon, others: Sequence[Polygon]) -> tuple[int, float]:
    """Which of other outlines covers this one best, and how far; -1 and 0 where there are none."""
    found = [overlap(polygon, other) for other in others]
    best = max(range(len(found)), key=lambda number: found[number], default=-1)
    return best, found[best] if found else 0.0


def placed(lines: Sequence[_Outlined], more: Sequence[_Outlined]) -> list[_Outlined]:
    """Lines in reading order with others put among them, each after the one that it follows on the page.

    The order of `lines` stays; where there are none, that of `more` does.
    """
    if not lines or not more:
        return [*lines, *more]
    every = [*lines, *more]
    order = reading_order([_box(line.polygon) for line in every])
    after: dict[int, list[int]] = {}  # what follows which of `lines`; -1 for what stands before all of them
    last = -1
    for number in order:
        if number < len(lines):
            last = number
        else:
            after.setdefault(last, []).append(number)
    placed_numbers = after.get(-1, []) + [n for line in range(len(lines)) for n in (line, *after.get(line, []))]
    return [every[number] for number in placed_numbers]


def _box(polygon: Polygon) -> tuple[float, float, float, float]:
    points = np.array(polygon, np.float64)
    left, top = points.min(axis=0).tolist()
    right, bottom = points.max(axis=0).tolist()
    return left, top, right, bottom


def _filled(points: NDArray[np.float64], size: NDArray[np.int_]) -> NDArray[np.bool_]:
    mask = np.zeros((int(size[1]), int(size[0])), np.uint8)
    cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
    return mask.astype(bool)
