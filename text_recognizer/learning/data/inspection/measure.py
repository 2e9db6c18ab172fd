"""What an image of a line tells without a recogniser: its ink, its size, whether it was seen before."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import normalize_line
from text_recognizer.images.normalize import ink_density
from text_recognizer.learning.data.inspection.lines import Gray, InspectedLine, Picture

THUMBNAIL = 12, 96  # rows and columns

_BAND_HEIGHT = 128  # pixels that crops are reduced to before rows of writing are counted
_BAND_INK = 0.12  # share of the fullest row that a row needs to belong to writing
_BAND_SHARE = 0.25  # share of the writing's ink that a second line has at least
_BAND_WIDTH = 0.5  # share of the image that each line spans
_BAND_SHAPE = 3  # times its height that an image is wide at least: shorter ones hold a word with its dots and strokes


def normalized(line: InspectedLine, image: Gray) -> Gray:
    """The normalised line uint8 (64, W), ink 255, of what `line.fetch` gave."""
    return image if line.normalized else normalize_line(image)


def picture(line: InspectedLine, image: Gray, small: Gray, digest: str) -> Picture:
    """What is measured. image: what `line.fetch` gave; small: the normalised line."""
    ink = small.astype(np.float32) / 255
    return Picture(
        digest,
        0 if line.normalized else image.shape[0],
        small.shape[1],
        float(ink.mean()),
        bands(small / 255 if line.normalized else _reduced(image)),
        thumbnail(small),
    )


def thumbnail(small: Gray) -> NDArray[np.float32]:
    """A normalised line as a vector of length 1: the product of two is their correlation.

    A perceptual hash in real numbers: blurred first, so that a pixel more or less at the edge makes no difference.
    """
    rows, columns = THUMBNAIL
    blurred = cv2.GaussianBlur(small, (0, 0), 2.0)
    vector = cv2.resize(blurred, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    vector -= vector.mean()
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def bands(ink: NDArray[np.floating]) -> int:
    """How many lines of writing stand one above the other in ink (H, W), 0..1; 0 without ink.

    Lines are runs of rows with much ink, each with a good share of it and over half of the width.
    """
    profile = (ink > 0.3).sum(axis=1).astype(np.float64)
    if not profile.any():
        return 0
    if ink.shape[1] < _BAND_SHAPE * ink.shape[0]:
        return 1
    full = np.convolve(profile, np.ones(3) / 3, "same") > _BAND_INK * np.percentile(profile, 95)
    edges = np.flatnonzero(np.diff(np.r_[0, full.astype(int), 0]))
    found = 0
    for top, bottom in zip(edges[::2], edges[1::2], strict=True):
        columns = np.flatnonzero((ink[top:bottom] > 0.3).any(axis=0))
        spans = len(columns) and columns[-1] - columns[0] > _BAND_WIDTH * ink.shape[1]
        found += bool(spans and profile[top:bottom].sum() > _BAND_SHARE * profile.sum())
    return max(1, found)


def _reduced(image: Gray) -> NDArray[np.float32]:
    """The ink of a crop (H, W) at a height that makes strokes a few pixels wide."""
    scale = min(1.0, _BAND_HEIGHT / image.shape[0])
    size = max(3, round(image.shape[1] * scale)), max(3, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
    return ink_density(small, kernel=_BAND_HEIGHT // 3)
