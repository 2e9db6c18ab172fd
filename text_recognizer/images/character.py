"""One normalisation of a single character, called by training and by reading alike.

The result looks like EMNIST (Cohen et al., 2017): 28 x 28 pixels, ink bright, cropped to the ink, aspect ratio
kept, centred. The size that the character had is lost with it: c and C, o and O differ by their shape only.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import Gray, ink_density, to_gray

#: Changes with the pictures; it is written into every character bundle, as NORMALIZATION_VERSION is for lines.
CHARACTER_VERSION = 1
CHARACTER_SIZE = 28

_MARGIN = 2  # pixels of paper around the ink
_WORKING_SIZE = 96  # larger images are reduced to this before the filters
_PAPER = 12  # pixels of paper put around an image, so that a tight crop has some to compare with
_INK = 64  # darkest value that still counts as paper


def normalize_character(image: NDArray) -> Gray:
    """An image of one character as the recogniser wants it.

    image: uint8 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA: dark on light or light on dark, any paper. Returns uint8
    (28, 28), ink near 255 and paper 0; all zeros for a blank image.
    """
    gray = to_gray(image)
    if min(gray.shape) < 3:
        return np.zeros((CHARACTER_SIZE, CHARACTER_SIZE), np.uint8)
    ink, reduction = _ink(gray)
    box = _ink_box(ink)
    if box is not None and reduction < 1 and max(box[2] - box[0], box[3] - box[1]) < _WORKING_SIZE // 2:
        # Much paper around a small character: looked at again from close by, at full size.
        air = np.array([-4, -4, 4, 4])
        left, top, right, bottom = ((np.array(box) + air) / reduction).clip(0).astype(int).tolist()
        ink, _ = _ink(gray[top:bottom, left:right])
    return fit_character(ink)


def _ink(gray: Gray) -> tuple[Gray, float]:
    """The ink of an image, 255, on paper, 0, and the scale it was reduced to."""
    reduction = min(1.0, _WORKING_SIZE / max(gray.shape))
    if reduction < 1:
        size = max(3, round(gray.shape[1] * reduction)), max(3, round(gray.shape[0] * reduction))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    # A character may fill its crop: what lies at the edge tells paper from ink better than the whole does.
    paper = int(np.median(np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])))
    if float(gray.mean()) > paper:
        gray, paper = cv2.bitwise_not(gray).astype(np.uint8), 255 - paper
    padded = np.pad(gray, _PAPER, constant_values=paper)
    density = ink_density(padded, kernel=max(padded.shape))[_PAPER:-_PAPER, _PAPER:-_PAPER]
    return np.round(density * 255).astype(np.uint8), reduction


def _ink_box(ink: Gray) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of the ink; None where there is none."""
    rows, columns = np.flatnonzero((ink > _INK).any(axis=1)), np.flatnonzero((ink > _INK).any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def fit_character(ink: Gray) -> Gray:
    """Crop ink uint8 (H, W), 255 for ink and 0 for paper, and scale it into (28, 28) with its aspect ratio kept.

    What has been cleaned already (a piece of a normalised line, a glyph, an EMNIST image) comes in here.
    """
    canvas = np.zeros((CHARACTER_SIZE, CHARACTER_SIZE), np.uint8)
    box = _ink_box(ink)
    if box is None:
        return canvas
    left, top, right, bottom = box
    cropped = ink[top:bottom, left:right]
    inner = CHARACTER_SIZE - 2 * _MARGIN
    scale = inner / max(cropped.shape)
    height, width = (max(1, min(inner, round(side * scale))) for side in cropped.shape)
    # Enlarging by linear steps blurs nothing that was sharp; reducing averages, so that thin strokes do not break.
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(cropped, (width, height), interpolation=method)
    top, left = (CHARACTER_SIZE - height) // 2, (CHARACTER_SIZE - width) // 2
    canvas[top : top + height, left : left + width] = scaled
    return canvas
