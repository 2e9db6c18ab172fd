"""Black borders of scans, and dark margins at the edges of a picture in general."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import to_gray

_DARK = 0.28  # of the paper's level: darker pixels are no paper, not even paper in a shadow, though they may be ink
_SHARE = 0.97  # of a row (column) that must be dark for it to be border; no row of writing is, and no corner of a sheet
_LEAST = 0.4  # share of each side that must be left, or the picture is a dark one and nothing is border
_INSET = 2  # pixels of the sheet given up beside a border: a seam left at the ends of lines is read as letters
_THIN = 0.008  # share of a side: thinner borders are not worth a change


def find_borders(image: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """The box left, top, right, bottom of what lies within dark borders; None where there are none.

    image: uint8 (H, W) gray or (H, W, 3) RGB, dark writing on lighter paper.
    """
    gray = to_gray(image)
    paper = np.percentile(gray, 75)  # above the median: borders may be wide, and writing is dark too
    dark = gray < _DARK * paper
    left, top, right, bottom = 0, 0, gray.shape[1], gray.shape[0]
    for _ in range(2):  # columns beside a wide border on top are dark within what is left only
        top, bottom = _trimmed(dark[:, left:right].mean(axis=1), top, bottom)
        left, right = _trimmed(dark[top:bottom].mean(axis=0), left, right)
    left, top = (side + _INSET if side else 0 for side in (left, top))
    right, bottom = (
        side - _INSET if side < whole else whole for side, whole in ((right, gray.shape[1]), (bottom, gray.shape[0]))
    )
    if bottom - top < _LEAST * gray.shape[0] or right - left < _LEAST * gray.shape[1]:
        return None
    thickest = max(left / gray.shape[1], top / gray.shape[0], 1 - right / gray.shape[1], 1 - bottom / gray.shape[0])
    return (left, top, right, bottom) if thickest > _THIN else None


def _trimmed(shares: NDArray[np.float64], low: int, high: int) -> tuple[int, int]:
    """Where the rows whose dark share is small begin and end, between low and high."""
    bright = np.flatnonzero(shares[low:high] < _SHARE)
    return (low + int(bright[0]), low + int(bright[-1]) + 1) if len(bright) else (low, low)
