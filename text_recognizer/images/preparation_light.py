"""Uneven light flattened: every pixel divided by the paper's level around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import is_light_on_dark, to_gray

_SIDE = 400  # pixels of the longer side at which the light is estimated: it changes slowly
_INK_KERNEL = 21  # window, in those pixels, that must contain some paper
_PAPER = 245.0  # level that paper is given
_LARGEST_GAIN = 3.0  # what is darker than this leaves it at is no paper in the shade, but a table or a photograph
_EVEN = 0.06  # relative spread of the paper's level below which light is even already


def flatten_light(image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """A page with its paper white everywhere, shadows and tint gone; None where there is nothing to do.

    image: uint8 (H, W) gray or (H, W, 3) RGB; returns the same shape. Nothing is done to light writing on a dark
    ground, nor where the light is even already. The paper's level is a grey closing at a small size, blurred.
    """
    scale = min(1.0, _SIDE / max(image.shape[:2]))
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
    gain = np.minimum(_PAPER / np.maximum(paper, 1.0), _LARGEST_GAIN)
    gain = cv2.resize(gain, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    flat: NDArray[np.uint8] = cv2.multiply(image, gain, dtype=cv2.CV_8U)
    return flat
