"""Cuts through a line between characters, from top to bottom along the path that crosses the least ink.

A seam, after Avidan and Shamir, "Seam Carving for Content-Aware Image Resizing" (SIGGRAPH 2007), so that slanted
letters are not cut off straight.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = 20  # columns that a cut may stray to either side of where two characters should meet
_STRAY = 0.006  # cost of a column away from there, in units of full ink
_BARRIER = 100.0  # cost of a column beyond the place where a neighbour was seen


def seams(line: NDArray[np.uint8], centers: NDArray[np.float64], reaches: NDArray[np.float64]) -> NDArray[np.int64]:
    """The columns (n - 1, H) at which the cuts between n characters cross each row, along the least ink.

    line: uint8 (H, W), ink 255. centers: (n,) the columns where the characters were seen. reaches: (n, 2) how far
    they usually reach from there. A cut lies between the centers beside it, rather where the reaches meet than
    elsewhere, and moves by at most a column a row. Cuts may touch, not cross.
    """
    height, width = line.shape
    right, left = reaches[:-1, 1], reaches[1:, 0]
    # Hands are wide or narrow: reaches share the distance in proportion.
    middles = centers[:-1] + (centers[1:] - centers[:-1]) * right / (right + left)
    offsets = np.arange(-_WINDOW, _WINDOW + 1)
    columns = np.round(middles).astype(np.int64)[:, None] + offsets  # (n - 1, C)
    inside = np.pad(line, ((0, 0), (1, 1)))[:, np.clip(columns + 1, 0, width + 1)].astype(np.float32) / 255
    beyond = (columns < centers[:-1, None]) | (columns > centers[1:, None])
    ink = inside + (_STRAY * np.abs(offsets) + _BARRIER * beyond).astype(np.float32)  # (H, n - 1, C)
    total = ink[0]
    came = np.zeros((height, *total.shape), np.int8)
    options = np.full((3, *total.shape), np.inf, np.float32)
    for row in range(1, height):
        options[0] = total  # straight on: the first of the best wins
        options[1, :, 1:] = total[:, :-1]
        options[2, :, :-1] = total[:, 1:]
        came[row] = options.argmin(axis=0)
        total = options.min(axis=0) + ink[row]
    moves = np.array([0, -1, 1])
    cuts = np.arange(len(columns))
    place = total.argmin(axis=1)
    paths = np.empty((len(columns), height), np.int64)
    for row in range(height - 1, -1, -1):
        paths[:, row] = columns[cuts, place]
        place = place + moves[came[row, cuts, place]]
    return np.maximum.accumulate(np.clip(paths, 0, width), axis=0)


def between(
    line: NDArray[np.uint8], left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]] | None:
    """The ink between two cuts, cropped, and its box; None where there is none."""
    first, last = int(left.min()), int(right.max())
    if last <= first:
        return None
    columns = np.arange(first, last)
    piece = np.where((columns >= left[:, None]) & (columns < right[:, None]), line[:, first:last], 0).astype(np.uint8)
    piece = _without_crumbs(piece)
    rows, used = np.flatnonzero(piece.max(axis=1) > 64), np.flatnonzero(piece.max(axis=0) > 64)
    if not len(rows):
        return None
    box = float(first + used[0]), float(rows[0]), float(first + used[-1] + 1), float(rows[-1] + 1)
    return piece[rows[0] : rows[-1] + 1, used[0] : used[-1] + 1], box


def _without_crumbs(piece: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The piece without specks and what neighbours left at its sides: parts far smaller than the largest one.

    A part in the middle columns stays whatever its size: the dot of an i.
    """
    count, parts, stats, centers = cv2.connectedComponentsWithStats((piece > 64).astype(np.uint8), connectivity=8)
    if count <= 2:
        return piece
    areas = stats[1:, cv2.CC_STAT_AREA]
    main = 1 + int(areas.argmax())
    left, width = stats[main, cv2.CC_STAT_LEFT], stats[main, cv2.CC_STAT_WIDTH]
    away = np.maximum(left - centers[1:, 0], centers[1:, 0] - left - width)
    crumbs = (areas < 6) | ((areas < 0.12 * areas.max()) & (away > 0.5 * max(width, 6)))
    return np.where(np.isin(parts, 1 + np.flatnonzero(crumbs)), 0, piece).astype(np.uint8)
