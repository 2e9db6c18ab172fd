"""How the image of a page looks, in numbers: the features that are measured in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import Gray, ink_density, is_light_on_dark, to_gray
from text_recognizer.page import Polygon

_SIDE = 480  # pixels of the longer side at which the page as a whole is looked at, more or less
_KERNEL = 21  # window, in those pixels, that must contain some paper
_INK = 0.35  # density from which a pixel counts
_LINES = 4  # that are looked at in full resolution
_PATCH = 80, 300  # rows and columns of a line at most; larger writing is reduced
_LEAST_INK = 60  # pixels, from which strokes can be measured


def page_look(image: NDArray[np.uint8]) -> dict[str, float | str]:
    """What the whole page shows. image: uint8 (H, W) or (H, W, 3) RGB."""
    height, width = image.shape[:2]
    seen = {"width": float(width), "height": float(height), "saturation": 0.0}
    if min(height, width) < 3:
        return seen | {"polarity": "", "tones": ""}
    small = _reduced(image)
    gray = to_gray(small)
    light = is_light_on_dark(gray, _KERNEL)
    dark = cv2.bitwise_not(gray) if light else gray  # now dark on light
    ink = ink_density(dark, kernel=_KERNEL) > _INK
    paper = float(np.median(dark))
    spread = float(_spread(small))
    return seen | {
        "polarity": "light on dark" if light else "dark on light",
        "tones": _tones(image, spread),
        "saturation": spread,
        "brightness": float(gray.mean()) / 255,
        "contrast": max(0.0, paper - float(dark[ink].mean())) / 255 if ink.any() else 0.0,
        "unevenness": _unevenness(dark),
        "ink": float(ink.mean()),
    }


def line_look(image: NDArray[np.uint8], outlines: Sequence[Polygon]) -> dict[str, float]:
    """What the strokes of a few lines show, evenly chosen: medians of stroke width, sharpness and slant."""
    chosen = [outlines[round(k)] for k in np.linspace(0, len(outlines) - 1, min(_LINES, len(outlines)))]
    looks = np.array([_strokes(*found) for outline in chosen if (found := _patch(image, outline)) is not None])
    names = ("stroke_width", "sharpness", "slant")
    looks = looks[~np.isnan(looks).any(axis=1)] if len(looks) else looks
    return dict(zip(names, np.median(looks, axis=0).tolist() if len(looks) else [math.nan] * 3, strict=True))


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Reduced by a whole number, which is fast, to about `_SIDE`; of very large images every second pixel or so is
    looked at."""
    step = max(1, max(image.shape[:2]) // (4 * _SIDE))
    image = np.ascontiguousarray(image[::step, ::step])
    factor = min(max(1, round(max(image.shape[:2]) / _SIDE)), *(side // 3 for side in image.shape[:2]))
    height, width = (side // factor for side in image.shape[:2])
    whole = image[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _spread(image: NDArray[np.uint8]) -> float:
    """Mean difference between the strongest and the weakest of the colours of a pixel, 0 to 1."""
    if image.ndim == 2 or image.shape[2] < 3:
        return 0.0
    red, green, blue = cv2.split(image[:, :, :3])
    highest, lowest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    return float(cv2.subtract(highest, lowest).mean()) / 255


def _tones(image: NDArray[np.uint8], spread: float) -> str:
    if spread > 0.02:
        return "color"
    step = max(1, max(image.shape[:2]) // _SIDE)
    levels = image[::step, ::step] if image.ndim == 2 else image[::step, ::step, 1]  # pixels as they are, not averaged
    low, high = int(levels.min()), int(levels.max())
    between = (levels > low + 16) & (levels < high - 16)
    return "black and white" if high - low > 64 and between.mean() < 0.002 else "gray"


def _unevenness(dark: Gray) -> float:
    """Shadows, stains, the table around the sheet: of the levels of the paper in windows that contain some, how far
    the darkest fiftieth lies below the middle one."""
    paper = cv2.dilate(cv2.medianBlur(dark, 3), np.ones((_KERNEL // 2, _KERNEL // 2), np.uint8))
    low, middle = np.percentile(paper[::4, ::4], (2, 50))
    return float((middle - low) / max(1.0, middle))


def _patch(image: NDArray[np.uint8], outline: Polygon) -> tuple[Gray, float] | None:
    """The middle of a line in gray, and how many pixels of the image one of its own is."""
    if not outline:
        return None
    points = np.array(outline, np.float64)
    left, top = np.maximum(points.min(axis=0), 0).astype(int).tolist()
    right, bottom = np.ceil(points.max(axis=0)).astype(int).tolist()
    scale = max(1.0, (bottom - top) / _PATCH[0])
    middle, half = (left + right) // 2, int(scale * _PATCH[1] / 2)
    part = image[top:bottom, max(left, middle - half) : min(right, middle + half)]
    if min(part.shape[:2]) < 9:
        return None
    gray = to_gray(part)
    if scale > 1:
        size = max(9, round(gray.shape[1] / scale)), max(9, round(gray.shape[0] / scale))
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    return gray, scale


def _strokes(gray: Gray, scale: float) -> tuple[float, float, float]:
    """Stroke width in pixels of the image, sharpness a pixel of it, and slant to the right in degrees."""
    if is_light_on_dark(gray):
        gray = cv2.bitwise_not(gray)
    ink = ink_density(gray) > 0.4
    area = int(ink.sum())
    if not _LEAST_INK <= area < ink.size:
        return math.nan, math.nan, math.nan
    # The length of an outline by its crossings with rows and columns (Cauchy and Crofton); a stroke has two sides.
    crossings = int((ink[1:] != ink[:-1]).sum()) + int((ink[:, 1:] != ink[:, :-1]).sum())
    across = 2 * area / (max(1, crossings) * math.pi / 4)
    depth = max(1.0, float(np.median(gray[~ink])) - float(np.median(gray[ink])))
    gx, gy = (cv2.Sobel(gray, cv2.CV_32F, *order, ksize=3, scale=0.125) for order in ((1, 0), (0, 1)))
    strength = cv2.magnitude(gx, gy)
    steep = np.percentile(strength[cv2.dilate(ink.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0], 90)
    upright = (strength > 0.5 * steep) & (np.abs(gx) > np.abs(gy))
    if not upright.any():
        return across * scale, float(steep) / depth / scale, math.nan
    slant = np.average(np.arctan(gy[upright] / gx[upright]), weights=strength[upright])
    return across * scale, float(steep) / depth / scale, math.degrees(float(slant))
