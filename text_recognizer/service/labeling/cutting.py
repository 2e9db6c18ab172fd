"""Lines cut out of pages by outlines that people drew or moved, as the recogniser cuts those that it finds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import LineStrip
from text_recognizer.page import Polygon

_BASELINE = 0.75  # of the height of an outline: where letters stand if nobody says
_LARGEST = 30_000_000  # pixels of a line


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
