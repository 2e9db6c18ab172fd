"""Pages made ready before they are read, and the way back: outline, borders, slant, spreads, light.

Every step is optional, does nothing where it is not sure, and can be undone: all but the light are homographies,
multiplied with one another, and the picture is sampled once, so that it is not blurred by every step.

Black borders of scans, and dark margins at the edges of a picture in general.

Uneven light flattened: every pixel divided by the paper's level around it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.deskew import find_slant
from text_recognizer.images.normalize import is_light_on_dark, to_gray
from text_recognizer.images.page_outline import Quad, find_gutter, find_sheet

#: The steps in the order in which they are taken, whatever the order in which they are named.
STEPS = ("outline", "crop", "deskew", "split", "light")
#: What "auto" does: the steps that made readings better where they had something to do, and none worse (docs).
AUTO_STEPS = ("outline", "crop", "deskew", "split")

_SIDE = 800  # pixels of the longer side at which everything is looked for
_PAPER = 0.55  # of the paper's level: paper in a shadow has more
_LEAST_SLANT = 3.0  # degrees: lines that lean less are found and straightened one by one as well as they are
_LARGEST_ASPECT = 8.0  # longer pictures show a line
_LARGEST_SIDE = 30_000  # pixels: OpenCV samples no larger pictures
_IDENTITY = np.eye(3)

_DARK = 0.28  # of the paper's level: darker pixels are no paper, not even paper in a shadow, though they may be ink
_SHARE = 0.97  # of a row (column) that must be dark for it to be border; no row of writing is, and no corner of a sheet
_LEAST = 0.4  # share of each side that must be left, or the picture is a dark one and nothing is border
_INSET = 2  # pixels of the sheet given up beside a border: a seam left at the ends of lines is read as letters
_THIN = 0.008  # share of a side: thinner borders are not worth a change

_LIGHT_SIDE = 400  # pixels of the longer side at which the light is estimated: it changes slowly
_INK_KERNEL = 21  # window, in those pixels, that must contain some paper
_PAPER_LEVEL = 245.0  # level that paper is given
_LARGEST_GAIN = 3.0  # what is darker than this leaves it at is no paper in the shade, but a table or a photograph
_EVEN = 0.06  # relative spread of the paper's level below which light is even already


@dataclass(frozen=True)
class PreparedPage:
    """A page made ready.

    image: uint8 (H, W) gray or (H, W, 3) RGB. to_original: (3, 3), the homography from its pixels to those of the
    image that was given. steps: what was really done to it.
    """

    image: NDArray[np.uint8]
    to_original: NDArray[np.float64]
    steps: tuple[str, ...] = ()

    def original(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 2) of x, y of this page as points of the image that was given."""
        if self.to_original is _IDENTITY or not len(points):
            return points
        return _moved(points, self.to_original)


def prepare_steps(prepare: str | Collection[str]) -> tuple[str, ...]:
    """The steps that "none", "auto", the name of one or a collection of names stands for, in their order.

    Raises ValueError for an unknown name, with the known ones.
    """
    if isinstance(prepare, str):
        prepare = {"none": (), "auto": AUTO_STEPS}.get(prepare, (prepare,))
    unknown = [name for name in prepare if name not in STEPS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no step of preparation: none, auto, or some of {', '.join(STEPS)}")
    return tuple(step for step in STEPS if step in prepare)


def prepare(image: NDArray[np.uint8], steps: str | Collection[str] = "auto") -> list[PreparedPage]:
    """The page in an image, made ready for reading; two, the left one first, where a spread was split.

    image: uint8 (H, W) gray or (H, W, 3) RGB, as `open_image` gives it. steps: "none", "auto", or names out of `STEPS`.
    Raises ValueError for an unknown name. An image to which nothing is done is returned itself.
    """
    chosen = prepare_steps(steps)
    if not chosen:
        return [PreparedPage(image, _IDENTITY)]
    views = [_View.of(image)]
    if max(image.shape[:2]) <= min(_LARGEST_SIDE, _LARGEST_ASPECT * min(image.shape[:2])):
        for step in ("outline", "crop", "deskew"):
            if step in chosen:
                views = [_CHANGES[step](view) for view in views]
        if "split" in chosen:
            views = _split(views[0])
        if "deskew" in chosen and len(views) == 2:
            views = [_deskewed(view) for view in views]  # pages of a book lean each in its own way
    return [view.sampled(image, "light" in chosen) for view in views]


@dataclass(frozen=True)
class _View:
    """What is left of a picture after some steps: seen at a small size, and how it lies in the picture.

    small: uint8, the whole picture at a small size. scale: of that. matrix: (3, 3), pixels of this view at the small
    size to pixels of `small`. size: (width, height) of this view at the small size.
    """

    small: NDArray[np.uint8]
    scale: float
    matrix: NDArray[np.float64]
    size: tuple[int, int]
    steps: tuple[str, ...] = ()

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> _View:
        """The whole of a picture."""
        scale = min(1.0, _SIDE / max(image.shape[:2]))
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8) if scale < 1 else image
        return cls(small, scale, _IDENTITY, size)

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """This view at the small size; several steps look at one."""
        return self.small if self.matrix is _IDENTITY else _warped(self.small, self.matrix, self.size)

    def changed(self, step: str, matrix: NDArray[np.float64], size: tuple[float, float]) -> _View:
        """This view after a step. matrix: pixels after to pixels before. size: width and height after."""
        whole = max(1, round(size[0])), max(1, round(size[1]))
        steps = (*self.steps, step) if step not in self.steps else self.steps
        return _View(self.small, self.scale, self.matrix @ matrix, whole, steps)

    def sampled(self, image: NDArray[np.uint8], light: bool) -> PreparedPage:
        """This view at full size; light: with its light flattened."""
        matrix, steps = self.matrix, self.steps
        if matrix is not _IDENTITY:
            down, up = np.diag([self.scale, self.scale, 1.0]), np.diag([1 / self.scale, 1 / self.scale, 1.0])
            matrix = up @ matrix @ down
            size = max(1, round(self.size[0] / self.scale)), max(1, round(self.size[1] / self.scale))
            image = _warped(image, matrix, size)
        flat = flatten_light(image) if light else None
        return PreparedPage(image, matrix, steps) if flat is None else PreparedPage(flat, matrix, (*steps, "light"))


def _warped(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture sampled through a homography from new pixels to its own; outside of it there is paper."""
    paper = np.median(image[::7, ::7].reshape(-1, *image.shape[2:]), axis=0)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    value = tuple(float(level) for level in np.atleast_1d(paper))
    warped: NDArray[np.uint8] = cv2.warpPerspective(
        image, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=value
    )
    return warped


def _moved(points: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) through a homography."""
    moved = np.c_[np.asarray(points, np.float64), np.ones(len(points))] @ matrix.T
    return moved[:, :2] / moved[:, 2:]


def _outlined(view: _View) -> _View:
    """The sheet alone, seen from straight above."""
    quad = find_sheet(view.pixels)
    if quad is None:
        return view
    # Sides that perspective shortened are as long as their opposites; the mean of both is near enough for reading.
    width, height = (float(np.mean(_lengths(quad)[side::2])) for side in (0, 1))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, quad.astype(np.float32))
    return view.changed("outline", matrix, (width, height))


def _lengths(quad: Quad) -> NDArray[np.float64]:
    """Lengths of the sides of a quadrilateral, from its first corner on."""
    return np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)


def _cropped(view: _View) -> _View:
    """Without dark borders."""
    box = find_borders(view.pixels)
    return view if box is None else _boxed(view, "crop", box)


def _boxed(view: _View, step: str, box: Sequence[int]) -> _View:
    """The part of a view within left, top, right, bottom."""
    left, top, right, bottom = box
    shift = np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]])
    return view.changed(step, shift, (right - left, bottom - top))


def _deskewed(view: _View) -> _View:
    """Turned until its lines run across, level; a table around the sheet has edges and a grain that lines are not."""
    pixels = view.pixels
    if not _fills_the_picture(pixels):
        return view
    slant = find_slant(pixels)
    degrees = -slant.degrees if abs(slant.degrees) > _LEAST_SLANT else 0.0
    if not slant.turns and not degrees:
        return view
    return _turned(view, 90.0 * slant.turns + degrees)


def _fills_the_picture(image: NDArray[np.uint8]) -> bool:
    """Whether most of the picture's edge is as light as paper."""
    gray = to_gray(image)
    edge = np.concatenate([gray[1], gray[-2], gray[:, 1], gray[:, -2]]) if min(gray.shape) > 2 else gray.ravel()
    return bool((edge > _PAPER * np.percentile(gray, 75)).mean() > 0.6)


def _turned(view: _View, degrees: float) -> _View:
    """A view turned counter-clockwise about its middle, with room for its corners."""
    width, height = view.size
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    size = abs(width * cosine) + abs(height * sine), abs(width * sine) + abs(height * cosine)
    to_middle = np.array([[1.0, 0, -(size[0] - 1) / 2], [0, 1, -(size[1] - 1) / 2], [0, 0, 1]])
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    back = np.array([[1.0, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    return view.changed("deskew", back @ turn @ to_middle, size)


def _split(view: _View) -> list[_View]:
    """Both pages of a spread, the left one first."""
    column = find_gutter(view.pixels)
    if column is None:
        return [view]
    width, height = view.size
    return [_boxed(view, "split", box) for box in ((0, 0, column, height), (column, 0, width, height))]


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


_CHANGES = {"outline": _outlined, "crop": _cropped, "deskew": _deskewed}


def flatten_light(image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """A page with its paper white everywhere, shadows and tint gone; None where there is nothing to do.

    image: uint8 (H, W) gray or (H, W, 3) RGB; returns the same shape. Nothing is done to light writing on a dark
    ground, nor where the light is even already. The paper's level is a grey closing at a small size, blurred.
    """
    scale = min(1.0, _LIGHT_SIDE / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    if min(size) < 16:
        return None
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    if is_light_on_dark(to_gray(small), _INK_KERNEL):
        return None
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((_INK_KERNEL, _INK_KERNEL), np.uint8))
    paper = cv2.blur(closed, (_INK_KERNEL, _INK_KERNEL)).astype(np.float32)
    low, high = np.percentile(paper, [5, 95])
    if high - low < _EVEN * max(high, 1.0):
        return None
    gain = np.minimum(_PAPER_LEVEL / np.maximum(paper, 1.0), _LARGEST_GAIN)
    gain = cv2.resize(gain, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    flat: NDArray[np.uint8] = cv2.multiply(image, gain, dtype=cv2.CV_8U)
    return flat
