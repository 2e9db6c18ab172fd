"""How far the lines of a page lean, and whether it lies on its side: from the ink's projections."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import Gray, ink_density, to_gray

LARGEST_SLANT = 15.0  # degrees either way; what leans further is taken for a drawing

_SIDE = 800  # pixels of the longer side at which projections are made
_PAPER_KERNEL = 31  # window, in those pixels, that must contain some paper
_INK = 0.35  # density from which a pixel counts
_RUN = 60  # pixels: straight runs of ink as long as this are rules, frames and edges, which have no up and down
_LEAST_INK = 400  # pixels: with less there are no lines whose slant could be told
_MOST_INK = 12_000  # pixels that are looked at; of more, an even share
_ROUGH_ROW, _FINE_ROW = 4.0, 2.0  # pixels a bin of a projection is high: lines apart, and a stroke
_CLEAR = 2.0  # how much sharper than the common angle the best one must be: letters reach 2.4 and more
_LYING = 3.0  # how much sharper the projection across must be for a page to lie on its side
_EDGE_BLUR = 1.5  # pixels by which a projection is blurred before its steps are compared


@dataclass(frozen=True)
class Slant:
    """How a page lies. turns: by 90 degrees counter-clockwise (as `numpy.rot90`) that make its lines run across.

    degrees: by which they then climb to the right; 0 where no angle stands out.
    """

    turns: int = 0
    degrees: float = 0.0


def find_slant(image: NDArray[np.uint8]) -> Slant:
    """How the lines of a page lean: turns 0, 1 or 3, degrees from -15 to 15; both 0 on blank pages and drawings.

    image: uint8 (H, W) gray or (H, W, 3) RGB.

    Projections (Postl, 1986): summed up along the right angle, ink falls into few rows, so their sum of squared
    steps is largest there. The slant of the letters plays no part: strokes that lean do so within their row. A page
    is never turned by 180 degrees: see `_is_upside_down`.
    """
    ink = _without_runs(_ink(image))
    points = _points(ink)
    if len(points) < _LEAST_INK:
        return Slant()
    upright = _scores(points)
    across = np.stack([points[:, 1], ink.shape[1] - 1 - points[:, 0]], axis=1)  # as numpy.rot90 moves pixels
    lying = _scores(across)
    if lying.max() < _LYING * upright.max():
        return Slant(0, _best_angle(points, upright))
    degrees = _best_angle(across, lying)
    return Slant(3 if _is_upside_down(across, degrees) else 1, degrees)


def _ink(image: NDArray[np.uint8]) -> Gray:
    """Where the ink of a page is, 1 and 0, its longer side reduced to 800 pixels; nothing of very thin images."""
    gray = to_gray(image)
    scale = min(1.0, _SIDE / max(gray.shape))
    if scale < 1:
        size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    if min(gray.shape) < 48:
        return np.zeros(gray.shape, np.uint8)
    return (ink_density(gray, kernel=_PAPER_KERNEL) > _INK).astype(np.uint8)


def _without_runs(ink: Gray) -> Gray:
    """The ink without rules, frames and the edges of the picture."""
    edge = max(4, round(0.02 * max(ink.shape)))
    left = np.zeros_like(ink)
    left[edge:-edge, edge:-edge] = ink[edge:-edge, edge:-edge]
    for run, thick in (((1, _RUN), (3, 1)), ((_RUN, 1), (1, 3))):
        rules = cv2.morphologyEx(cv2.dilate(left, np.ones(thick, np.uint8)), cv2.MORPH_OPEN, np.ones(run, np.uint8))
        left[cv2.dilate(rules, np.ones((3, 3), np.uint8)) > 0] = 0
    return left


def _points(ink: Gray) -> NDArray[np.float32]:
    """Columns and rows (N, 2) of ink, an even share of them where there is much."""
    rows, columns = np.divmod(np.flatnonzero(ink), ink.shape[1])
    every = max(1, -(-len(rows) // _MOST_INK))
    return np.stack([columns[::every], rows[::every]], axis=1).astype(np.float32)


def _scores(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """How sharp the projection is at every whole degree from -15 to 15."""
    angles = np.arange(-LARGEST_SLANT, LARGEST_SLANT + 0.5)
    return np.array([_sharpness(_projection(points, angle, _ROUGH_ROW)) for angle in angles])


def _best_angle(points: NDArray[np.float32], scores: NDArray[np.float64]) -> float:
    """The angle at which the projection is sharpest, to a tenth of a degree; 0 where none stands out."""
    at = int(np.argmax(scores))
    if scores[at] < _CLEAR * np.median(scores) or at in (0, len(scores) - 1):
        return 0.0
    near = np.arange(at - LARGEST_SLANT - 1.2, at - LARGEST_SLANT + 1.25, 0.1)
    fine = np.array([_sharpness(_projection(points, angle, _FINE_ROW)) for angle in near])
    # A mean of three: single bins jump.
    return float(near[1 + int(np.argmax(np.convolve(fine, np.ones(3) / 3, mode="valid")))])


def _is_upside_down(points: NDArray[np.float32], degrees: float) -> bool:
    """Whether lines that run across rather stand on their heads.

    Latin writing has more ascenders than descenders, so the ink of a line begins more gently at its top than it ends
    at the baseline. This alone is right on 96 pages of 100: enough to choose between the two turns of a page that lies
    on its side, not enough to turn pages by 180 degrees, of which hardly one in a hundred needs it.
    """
    profile = _projection(points, degrees, 1.0)
    reach = int(3 * _EDGE_BLUR)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * _EDGE_BLUR**2))
    steps = np.diff(np.convolve(np.pad(profile, reach), kernel / kernel.sum(), mode="same"))
    return float((steps**3).sum()) > 0


def _projection(points: NDArray[np.float32], angle: float, row: float) -> NDArray[np.float64]:
    """Points a row, along lines that climb by `angle` degrees, `row` pixels apart."""
    radians = np.deg2rad(angle)
    rows = points[:, 1] * np.float32(np.cos(radians) / row) + points[:, 0] * np.float32(np.sin(radians) / row)
    return np.bincount((rows - rows.min()).astype(np.int32)).astype(np.float64)


def _sharpness(profile: NDArray[np.float64]) -> float:
    """The sum of the squared steps of a projection."""
    steps = profile[1:] - profile[:-1]
    return float(np.dot(steps, steps))
