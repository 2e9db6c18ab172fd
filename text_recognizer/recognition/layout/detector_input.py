"""How a page is laid into the line detector's input, in training and in reading alike."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import ink_density

STRIDE = 4  # input pixels a map pixel stands for
MULTIPLE = 32  # input sides are multiples of it
EXTENT_UNIT = 16.0  # input pixels: the unit of the ascender and descender maps
PAPER_KERNEL = 41  # window, in input pixels, that must contain some paper: wider than any stroke


def detector_input(gray: NDArray[np.uint8], scale: float) -> NDArray[np.float32]:
    """A page gray uint8 (H, W), scaled, as ink density (1, 1, H', W') float32 padded to multiples of 32."""
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    scaled = cv2.resize(gray, size, interpolation=interpolation).astype(np.uint8)
    density = ink_density(scaled, kernel=PAPER_KERNEL)
    height, width = (-(-side // MULTIPLE) * MULTIPLE for side in density.shape)
    padded = np.zeros((1, 1, height, width), np.float32)
    padded[0, 0, : density.shape[0], : density.shape[1]] = density
    return padded
