"""The sheet of paper in a photograph, as a convex quadrilateral, and the gutter between two pages."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import Gray, ink_density, to_gray

_SIDE = 400  # pixels of the longer side at which the sheet is looked for
_INK_KERNEL = 13  # window, in those pixels, that is wider than any stroke: ink is closed with it
_LEAST_AREA = 0.2  # share of the picture that a sheet must cover
_FULL = 0.97  # a sheet that covers this share fills the picture, and is left as it is
_FILLED = 0.95  # share of the quadrilateral that must be paper, and of the paper that must be within it
_RIVAL = 0.15  # another piece of paper of this share of the sheet's area, and it is not clear which one is meant
_CONTRAST = 14.0  # steps of Lab by which paper and surroundings differ along an edge
_SUPPORT = 0.8  # share of an edge along which they must
_GOES_ON = 0.6  # share of its continuation along which they must not
_EDGE = 1.5  # pixels: an edge so close to the border of the picture is the border
_INSET = 1.0  # pixels by which sides are moved inwards: a dark seam left at a line's end is read as a letter
_LARGEST_CORNER = 0.6  # cosine of a corner's angle: from 53 to 127 degrees
_LEAST_RATIO = 0.5  # of the lengths of opposite sides

Quad = NDArray[np.float64]

_GUTTER_SIDE = 800  # pixels of the longer side at which the gutter is looked for
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


def find_sheet(image: NDArray[np.uint8]) -> Quad | None:
    """The corners (4, 2) of a sheet, clockwise from the upper left, in pixels; None where there is no convincing one.

    image: uint8 (H, W) gray or (H, W, 3) RGB. None too where the sheet fills the picture.

    Three ways of telling paper from its surroundings propose a quadrilateral each, by lightness, by colour, and by
    flooding from the border and the middle (Meyer's watershed, 1992), which minds no shadows. One is believed only
    if along each of its sides paper and surroundings really differ.
    """
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    if min(size) < 64:
        return None
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    color = small if small.ndim == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    # Ink is closed and texture is blurred, so that what remains is paper and table.
    kernel = np.ones((_INK_KERNEL, _INK_KERNEL), np.uint8)
    closed = cv2.morphologyEx(color, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    plain = cv2.medianBlur(closed, 5)
    lab = cv2.cvtColor(plain, cv2.COLOR_RGB2LAB).astype(np.float32)
    if not _may_have_margins(lab):
        return None
    quads = [quad for quad in map(_quad_of, _paper_masks(plain, lab)) if quad is not None and _is_convincing(quad, lab)]
    # What only the light divides can be a part of the sheet; the whole is the largest.
    return max(quads, key=lambda quad: cv2.contourArea(quad.astype(np.float32))) / scale if quads else None


def _may_have_margins(lab: NDArray[np.float32]) -> bool:
    """Whether two borders of the picture at least differ from its middle: most scans are done with at this point."""
    height, width = lab.shape[:2]
    middle = np.median(lab[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4].reshape(-1, 3), axis=0)
    borders = (lab[1], lab[-2], lab[:, 1], lab[:, -2])
    apart = [np.sqrt(((border - middle) ** 2).sum(axis=1)) > _CONTRAST / 2 for border in borders]
    return sum(bool(pixels.mean() > 0.5) for pixels in apart) >= 2


def _paper_masks(plain: NDArray[np.uint8], lab: NDArray[np.float32]) -> Iterator[Gray]:
    """Guesses at which pixels are paper, 1, and which are not, 0."""
    light = np.ascontiguousarray(lab[:, :, 0]).astype(np.uint8)
    yield cv2.threshold(light, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    distance = np.sqrt(((lab - np.median(border, axis=0)) ** 2).sum(axis=2)).clip(0, 255).astype(np.uint8)
    yield cv2.threshold(distance, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]
    markers = np.zeros(light.shape, np.int32)
    height, width = plain.shape[:2]
    markers[height * 2 // 5 : height * 3 // 5, width * 2 // 5 : width * 3 // 5] = 1
    markers[:2], markers[-2:], markers[:, :2], markers[:, -2:] = 2, 2, 2, 2
    yield (cv2.watershed(np.ascontiguousarray(plain), markers) == 1).astype(np.uint8)


def _quad_of(mask: Gray) -> Quad | None:
    """The quadrilateral that the largest piece of a mask is, refined along its sides; None where it is none."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    contours = sorted(cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea)
    if not contours or cv2.contourArea(contours[-1]) < _LEAST_AREA * mask.size:
        return None
    if len(contours) > 1 and cv2.contourArea(contours[-2]) > _RIVAL * cv2.contourArea(contours[-1]):
        return None
    hull = cv2.convexHull(contours[-1])
    rough = _four_corners(hull)
    quad = None if rough is None else _with_straight_sides(rough, hull[:, 0].astype(np.float64))
    if quad is None or cv2.contourArea(quad.astype(np.float32)) > _FULL * mask.size:
        return None
    drawn = cv2.fillPoly(np.zeros_like(mask), [np.round(quad).astype(np.int32)], 1)
    paper = cv2.drawContours(np.zeros_like(mask), contours, len(contours) - 1, 1, cv2.FILLED)
    both = np.count_nonzero(drawn & paper)
    return quad if both > _FILLED * max(np.count_nonzero(drawn), np.count_nonzero(paper)) else None


def _four_corners(hull: NDArray) -> Quad | None:
    """A convex outline simplified until four corners are left, clockwise from the upper left."""
    around = cv2.arcLength(hull, True)
    for tolerance in np.arange(0.01, 0.08, 0.005):
        corners = cv2.approxPolyDP(hull, tolerance * around, True)[:, 0].astype(np.float64)
        if len(corners) == 4:
            return _from_upper_left(corners)
        if len(corners) < 4:
            return None
    return None


def _from_upper_left(corners: Quad) -> Quad:
    """Corners clockwise (y points down), the one nearest to the upper left first."""
    middle = corners.mean(axis=0)
    turned = corners[np.argsort(np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0]))]
    return np.roll(turned, -int(np.argmin(turned.sum(axis=1))), axis=0)


def _with_straight_sides(quad: Quad, hull: Quad) -> Quad | None:
    """A quadrilateral whose sides are the lines through the outline's points near them: corners may be round."""
    lines = []
    dense = _dense(hull)
    for start, end in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        along = (end - start) / np.hypot(*(end - start))
        at = (dense - start) @ along / np.hypot(*(end - start))
        aside = np.abs((dense - start) @ np.array([-along[1], along[0]]))
        near = dense[(at > 0.08) & (at < 0.92) & (aside < 6)]
        if len(near) < 8:
            return None
        vx, vy, x, y = cv2.fitLine(near.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel().tolist()
        x, y = x - _INSET * along[1], y + _INSET * along[0]
        lines.append(np.cross([x, y, 1.0], [x + vx, y + vy, 1.0]))
    corners = [np.cross(lines[k - 1], lines[k]) for k in range(4)]
    if any(abs(corner[2]) < 1e-9 for corner in corners):
        return None
    return np.array([corner[:2] / corner[2] for corner in corners])


def _dense(outline: Quad) -> Quad:
    """A closed outline with a point a pixel."""
    ends = np.roll(outline, -1, axis=0)
    pieces = [
        np.linspace(a, b, max(2, int(np.hypot(*(b - a)))), endpoint=False) for a, b in zip(outline, ends, strict=True)
    ]
    return np.concatenate(pieces)


def _is_convincing(quad: Quad, lab: NDArray[np.float32]) -> bool:
    """Whether corners are those of a sheet seen from above, and its sides divide paper from something else."""
    sides = np.roll(quad, -1, axis=0) - quad
    lengths = np.hypot(*sides.T)
    cosines = (sides * np.roll(sides, 1, axis=0)).sum(axis=1) / (lengths * np.roll(lengths, 1))
    foreshortened = np.minimum(lengths[:2], lengths[2:]) / np.maximum(lengths[:2], lengths[2:])
    if np.abs(cosines).max() > _LARGEST_CORNER or foreshortened.min() < _LEAST_RATIO:
        return False
    borders = 0
    for start, end in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        if _is_border(start, end, lab.shape[:2]):
            borders += 1
        elif _support(start, end, lab, 0.05, 0.95) < _SUPPORT:
            return False
        # An edge that goes on beyond the corner is the sheet's, and the corner that of a shadow on it.
        if max(_support(start, end, lab, 1.04, 1.14), _support(start, end, lab, -0.14, -0.04)) > _GOES_ON:
            return False
    return borders <= 2


def _is_border(start: Quad, end: Quad, shape: tuple[int, ...]) -> bool:
    """Whether a side of the sheet is the border of the picture: the sheet goes on outside of it."""
    ends = np.stack([start, end])
    far = np.array([shape[1] - 1, shape[0] - 1])
    return bool((np.abs(ends) < _EDGE).all(axis=0).any() or (np.abs(ends - far) < _EDGE).all(axis=0).any())


def _support(start: Quad, end: Quad, lab: NDArray[np.float32], first: float, last: float) -> float:
    """The share of a side, or of its continuation, along which the two sides of it differ.

    first, last: the part that is looked at, 0 at the side's start and 1 at its end.
    """
    along = (end - start) / np.hypot(*(end - start))
    outwards = np.array([along[1], -along[0]])
    middle = start + np.linspace(first, last, 40)[:, None] * (end - start)
    inner, outer = (_sampled(lab, middle + reach * outwards) for reach in (-6.0, 6.0))
    return float((np.sqrt(((inner - outer) ** 2).sum(axis=1)) > _CONTRAST).mean())


def _sampled(lab: NDArray[np.float32], points: Quad) -> NDArray[np.float32]:
    """Pixels at points (N, 2); beyond the picture, those at its border."""
    far = (lab.shape[1] - 1, lab.shape[0] - 1)
    x, y = np.round(points).clip(0, far).astype(int).T
    return lab[y, x]


def find_gutter(image: NDArray[np.uint8]) -> int | None:
    """The column at which two pages side by side meet; None where the picture seems to show one page.

    image: uint8 (H, W) gray or (H, W, 3) RGB, upright. The column lies in the middle third. There must be rows of
    writing on both sides of it, and at it either the shadow of a fold from top to bottom, or a band free of writing.
    """
    gray = to_gray(image)
    scale = min(1.0, _GUTTER_SIDE / max(gray.shape))
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
