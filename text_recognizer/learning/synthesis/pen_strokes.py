"""Draw pen strokes as the ink of handwriting: with any pen, pressure, slant and size.

Strokes are points in the order of writing, as a digital pen records them, y downwards. The pen's speed is read from
the distance of neighbouring points: a slow pen leaves a wider and darker trace.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Ink = NDArray[np.uint8]
Kind = Literal["ballpoint", "felt", "fountain", "pencil"]

_FINE = 3  # pixels of the drawing for a pixel of the picture, in each direction
_SHIFT = 4  # bits behind the point of the coordinates that OpenCV draws
_LEVELS = 5  # of pressure: strokes of one level are drawn together
_PAD = 4  # pixels of paper around the ink
_WINDOW = 1.5  # heights of the writing, within which its level is measured
_STEEPEST = 0.3  # of a line of writing


@dataclass(frozen=True)
class Pen:
    """A pen. width: of its line, in heights of the writing. speed: how much a fast stroke is thinner and paler, 0 to 1.
    nib: how much wider strokes across the nib are, 0 for a round one; angle: of the nib, in radians. darkness: of its
    ink where it is pressed, 0 to 1. grain: of the paper that shows through, 0 to 1."""

    kind: Kind
    width: float
    speed: float = 0.0
    nib: float = 0.0
    angle: float = 0.0
    darkness: float = 0.9
    grain: float = 0.0


@dataclass(frozen=True)
class Hand:
    """How strokes are moved before they are drawn. slant: added columns for a row. stretch: of columns. slope: rows for
    a column. wander: amplitude of the baseline, in heights of the writing. size: height of the writing in pixels."""

    slant: float = 0.0
    stretch: float = 1.0
    slope: float = 0.0
    wander: float = 0.0
    size: float = 90.0


def some_pen(rng: random.Random) -> Pen:
    """A pen of the kinds and widths that are usual on paper."""
    kind: Kind = rng.choices(("ballpoint", "felt", "fountain", "pencil"), (0.52, 0.16, 0.18, 0.14))[0]
    if kind == "ballpoint":
        return Pen(kind, rng.uniform(0.026, 0.048), rng.uniform(0.1, 0.45), darkness=rng.uniform(0.55, 0.95),
                   grain=rng.uniform(0, 0.25))  # fmt: skip
    if kind == "felt":
        return Pen(kind, rng.uniform(0.042, 0.09), rng.uniform(0, 0.2), darkness=rng.uniform(0.6, 1))
    if kind == "fountain":
        return Pen(kind, rng.uniform(0.032, 0.055), rng.uniform(0.1, 0.4), rng.uniform(0.3, 1.2), rng.gauss(0.7, 0.3),
                   rng.uniform(0.5, 0.95))  # fmt: skip
    return Pen(kind, rng.uniform(0.028, 0.05), rng.uniform(0.2, 0.5), darkness=rng.uniform(0.35, 0.7),
               grain=rng.uniform(0.3, 0.7))  # fmt: skip


def some_hand(rng: random.Random, size: float) -> Hand:
    """Moderate changes of a hand; size: height of the writing in pixels."""
    return Hand(rng.gauss(0, 0.16), rng.uniform(0.8, 1.2), rng.gauss(0, 0.006), abs(rng.gauss(0, 0.02)), size)


def straightened(points: Points) -> Points:
    """Points (N, 2) of a line of writing with its drift taken out: writing on a board climbs and bends."""
    x, y = points.T
    height = float(np.subtract(*np.percentile(y, [97, 3])))
    windows = int(np.ptp(x) / max(1.0, _WINDOW * height))
    if windows < 3:
        return points
    borders = np.linspace(x.min(), x.max(), windows + 1)
    window = np.clip(np.searchsorted(borders, x, side="right") - 1, 0, windows - 1)
    filled = [number for number in range(windows) if (window == number).sum() >= 6]
    if len(filled) < 3:
        return points
    centers = np.array([x[window == number].mean() for number in filled])
    levels = np.array([np.median(y[window == number]) for number in filled])
    curve = np.polyfit(centers, levels, 2 if len(filled) >= 6 else 1)
    drift = np.polyval(curve, x)
    slope = np.clip((drift.max() - drift.min()) / np.ptp(x), 1e-6, None)
    drift = (drift - drift.mean()) * min(1.0, _STEEPEST / slope)
    return np.stack([x, y - drift], axis=1)


def moved(points: Points, hand: Hand, rng: random.Random) -> Points:
    """Points (N, 2) as another hand might have written them, in pixels; the first column and row of the ink are 0."""
    x, y = points.T - points.min(axis=0)[:, None]
    height = max(1.0, float(np.subtract(*np.percentile(y, [99, 1]))))
    x = (x - hand.slant * (y - height / 2)) * hand.stretch
    bend = np.zeros_like(x)
    for period in (rng.uniform(12, 30), rng.uniform(4, 10)):  # heights of the writing
        bend += hand.wander * height * np.sin(x / (period * height) * 2 * np.pi + rng.uniform(0, 6.3))
    placed = np.stack([x, y + bend + hand.slope * x], axis=1)
    return (placed - placed.min(axis=0)) * (hand.size / height)


def smoothed(points: Points, ends: NDArray[np.bool_], parts: int = 3) -> tuple[Points, NDArray[np.bool_]]:
    """Catmull-Rom curves through the points of each stroke, `parts` segments for each of its own, and their ends."""
    count = len(points)
    index = np.arange(count)
    starts = np.r_[True, ends[:-1]]
    before = np.where(starts, index, index - 1)
    after = np.where(ends, index, np.minimum(index + 1, count - 1))
    beyond = after[after]
    p0, p1, p2, p3 = points[before], points, points[after], points[beyond]
    t = (np.arange(parts) / parts)[None, :, None]
    bent = 0.5 * (
        2 * p1[:, None]
        + (p2 - p0)[:, None] * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3)[:, None] * t**2
        + (3 * p1 - p0 - 3 * p2 + p3)[:, None] * t**3
    )
    keep = np.ones((count, parts), bool)
    keep[ends, 1:] = False
    new_ends = np.zeros((count, parts), bool)
    new_ends[ends, 0] = True
    return bent[keep], new_ends[keep]


def pressure(points: Points, ends: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How slowly the pen moves at each point (N,), 0 to 1, 0.5 at its usual speed."""
    step = np.hypot(*np.diff(points, axis=0, append=points[-1:]).T)
    inside = ~ends
    usual = float(np.median(step[inside])) if inside.any() else 1.0
    step = np.where(inside, step, usual)  # the way through the air says nothing
    smooth = np.convolve(np.pad(step, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return np.clip(1 - 0.5 * smooth / max(usual, 1e-6), 0, 1)


def draw_strokes(points: Points, ends: NDArray[np.bool_], pen: Pen, size: float) -> Ink:
    """The ink of strokes, uint8 (H, W), 255 for as dark as the pen can: `points` (N, 2) in pixels, from 0 on.

    size: height of the writing in pixels, which the width of the pen is relative to.
    """
    pressed = pressure(points, ends)
    parts = 3 if size > 55 else 2
    curve, last = smoothed(points, ends, parts)
    of_point = np.repeat(pressed, np.where(ends, 1, parts))
    widths, darkness = _trace(curve, last, of_point, pen)
    levels = np.clip((of_point * _LEVELS).astype(int), 0, _LEVELS - 1) if pen.nib == 0 else _ranks(widths)
    right, bottom = points.max(axis=0)
    canvas = np.zeros(((int(bottom) + 2 * _PAD + 1) * _FINE, (int(right) + 2 * _PAD + 1) * _FINE), np.uint8)
    grid = np.round((curve + _PAD) * (_FINE << _SHIFT)).astype(np.int32)
    for level in np.unique(levels):
        chosen = levels == level
        thickness = max(1, round(float(widths[chosen].mean()) * size * _FINE))
        tone = round(255 * float(darkness[chosen].mean()))
        cv2.polylines(canvas, _runs(grid, chosen, last), False, tone, thickness, cv2.LINE_8, _SHIFT)
    height, width = canvas.shape
    return np.asarray(cv2.resize(canvas, (width // _FINE, height // _FINE), interpolation=cv2.INTER_AREA), np.uint8)


def _trace(
    curve: Points, last: NDArray[np.bool_], pressed: NDArray[np.float64], pen: Pen
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Width (in heights of the writing) and darkness (0 to 1) of the trace at each point of a curve."""
    change = 1 + pen.speed * (2 * pressed - 1)
    widths = pen.width * change
    if pen.nib:
        dx, dy = np.diff(curve, axis=0, append=curve[-1:]).T
        across = np.abs(np.sin(np.arctan2(dy, dx) + pen.angle))
        across[last] = 0.5
        widths = widths * (1 - 0.5 * pen.nib / (1 + pen.nib) + pen.nib * across)
    return widths, np.clip(pen.darkness * (0.75 + 0.25 * change), 0, 1)


def _ranks(widths: NDArray[np.float64]) -> NDArray[np.int64]:
    """The level of each width, from thin to wide, levels equally far apart."""
    low, high = np.percentile(widths, [5, 95])
    return np.clip(((widths - low) / max(1e-9, high - low) * _LEVELS).astype(np.int64), 0, _LEVELS - 1)


def _runs(grid: NDArray[np.int32], chosen: NDArray[np.bool_], last: NDArray[np.bool_]) -> list[NDArray[np.int32]]:
    """The runs of neighbouring points that are chosen, each with the point after it, where its stroke goes on."""
    joined = chosen & ~last
    starts = np.flatnonzero(chosen & ~np.r_[False, joined[:-1]])
    # A run ends behind the last chosen segment; a stroke's last point belongs to the run before it.
    stops = np.flatnonzero((chosen & last) | (joined & ~np.r_[chosen[1:], False]))
    after = np.where(last[stops], stops, stops + 1)
    runs = zip(starts.tolist(), after.tolist(), strict=True)
    # OpenCV draws nothing of a single point, and a dot of the same one twice.
    return [grid[start : stop + 1] if start < stop else grid[[start, start]] for start, stop in runs]
