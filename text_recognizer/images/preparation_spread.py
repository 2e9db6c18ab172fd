"""Where a picture of two pages side by side is split: at the shadow of the gutter, or where nothing is written."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import ink_density, to_gray

_SIDE = 800  # pixels of the longer side at which the gutter is looked for
_PAPER_KERNEL = 31  # window, in those pixels, that must contain some paper
_LANDSCAPE = 1.2, 2.4  # width by height of two pages, at the least and at most
_ROWS = 3  # of writing, on each page: two words side by side are no spread
_INK = 0.35  # density from which a pixel counts
_LEAST_INK = 0.004  # share of each page that must be written on
_SHADOW = 0.08  # of the paper's level that the gutter loses
_ALONG = 0.75  # share of the rows that must be darker at the gutter than at both sides of it
_BESIDE = 0.04  # share of the width: how far from the gutter the paper is light again
_EMPTY = 0.03  # share of the width that is free of ink between two pages, where there is no shadow
_CROSSED = 0.06  # share of the rows that may have ink close to the fold on both sides: lines of a folded letter do


def find_gutter(image: NDArray[np.uint8]) -> int | None:
    """The column at which two pages side by side meet; None where the picture seems to show one page.

    image: uint8 (H, W) gray or (H, W, 3) RGB, upright. The column lies in the middle third. There must be rows of
    writing on both sides of it, and at it either the shadow of a fold from top to bottom, or a band free of writing.
    """
    gray = to_gray(image)
    scale = min(1.0, _SIDE / max(gray.shape))
    width, height = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    if min(width, height) < 64 or not _LANDSCAPE[0] * height <= width <= _LANDSCAPE[1] * height:
        return None
    small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    ink = ink_density(small, kernel=_PAPER_KERNEL) > _INK
    column = _shadow(small, ink)
    if column is None:
        column = _empty_band(ink)
    if column is None or not all(_is_page(side) for side in (ink[:, :column], ink[:, column:])):
        return None
    return round((column + 0.5) / scale)


def _is_page(ink: NDArray[np.bool_]) -> bool:
    """Whether a side of the gutter is written on, in more than a row or two."""
    rows = np.convolve(ink.mean(axis=1), np.ones(3) / 3, mode="same")
    written = rows > 0.25 * np.quantile(rows, 0.95)
    return bool(ink.mean() >= _LEAST_INK and np.count_nonzero(np.diff(written.astype(np.int8)) == 1) >= _ROWS)


def _shadow(gray: NDArray[np.uint8], ink: NDArray[np.bool_]) -> int | None:
    """The column of the fold's shadow: along most rows the paper is darker there than on either side."""
    # Writing is closed along the columns only, so that a narrow shadow stays.
    paper = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, np.ones((25, 1), np.uint8)).astype(np.float32)
    paper = cv2.blur(paper, (3, 25))
    beside = max(4, round(_BESIDE * gray.shape[1]))
    third = np.arange(gray.shape[1] // 3, gray.shape[1] * 2 // 3)
    lighter = np.minimum(paper[:, third - beside], paper[:, third + beside])
    loss = 1 - paper[:, third] / np.maximum(lighter, 1)
    at = int(np.argmax(np.median(loss, axis=0)))
    if np.median(loss[:, at]) < _SHADOW or (loss[:, at] > _SHADOW / 2).mean() < _ALONG:
        return None
    column = int(third[at])
    close, far = max(2, gray.shape[1] // 100), max(5, gray.shape[1] // 35)
    before, after = ink[:, column - far : column - close], ink[:, column + close : column + far]
    return column if (before.any(axis=1) & after.any(axis=1)).mean() < _CROSSED else None


def _empty_band(ink: NDArray[np.bool_]) -> int | None:
    """The middle of the widest band without ink in the middle third."""
    third = np.arange(ink.shape[1] // 3, ink.shape[1] * 2 // 3)
    free = np.r_[False, ink[:, third].mean(axis=0) < 0.002, False]
    starts, ends = np.flatnonzero(free[1:] & ~free[:-1]), np.flatnonzero(~free[1:] & free[:-1])
    if not len(starts):
        return None
    widest = int(np.argmax(ends - starts))
    if ends[widest] - starts[widest] < _EMPTY * ink.shape[1]:
        return None
    return int(third[0]) + int(starts[widest] + ends[widest]) // 2
