"""A line under inspection: what a dataset says of it, and what looking at its image tells.

What an image of a line tells without a recogniser: its ink, its size, whether it was seen before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import normalize_line
from text_recognizer.images.normalize import ink_density
from text_recognizer.learning.quality.findings import Finding

Gray = NDArray[np.uint8]

THUMBNAIL = 12, 96  # rows and columns

_BAND_HEIGHT = 128  # pixels that crops are reduced to before rows of writing are counted
_BAND_INK = 0.12  # share of the fullest row that a row needs to belong to writing
_BAND_SHARE = 0.25  # share of the writing's ink that a second line has at least
_BAND_WIDTH = 0.5  # share of the image that each line spans
_BAND_SHAPE = 3  # times its height that an image is wide at least: shorter ones hold a word with its dots and strokes


class UnusableImageError(ValueError):
    """An image that cannot be used. code: of the finding that it becomes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Picture:
    """What is known of the image of a line.

    digest: SHA-256 of its file, or of its pixels where it has none of its own. height: of the image as it was given,
    in pixels, 0 where only the normalised line is kept. width: of the normalised line, in its pixels. ink: share of
    its area that is ink, 0..1. bands: rows of writing that were seen. thumbnail: float32 (N,) of length 1, the
    normalised line in small with its mean taken out.
    """

    digest: str
    height: int
    width: int
    ink: float
    bands: int
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    """What a recogniser makes of a line and of its label.

    text: its own reading. words: how sure it is of each word of that, 0..1; confidence: of the line. cost: by how many
    nats a character of the label the best CTC path that spells the label is less likely than the best path of all.
    worst: the nats of the worst few characters in a row. scores: float16 (T, K), logarithms of the probabilities of
    each frame.
    """

    text: str
    words: tuple[float, ...]
    confidence: float
    cost: float
    worst: float
    scores: NDArray[np.float16]


@dataclass
class InspectedLine:
    """A line (or paragraph, or page) of a dataset.

    identifier: unique within the inspection. text: the label as it is stored. writer: "" where it is not known.
    page: what the lines of one page have in common, "" where it is not known. position: its place in the order of the
    dataset. where: its file and line, for people. fetch: gives the image, uint8 (H, W), and its SHA-256; raises
    UnusableImageError. normalized: whether that is a normalised line (ink 255) and not a crop (ink dark).
    """

    identifier: str
    text: str
    split: str
    writer: str
    page: str
    where: str
    fetch: Callable[[], tuple[Gray, str]]
    position: int = 0
    normalized: bool = False
    picture: Picture | None = None
    reading: Reading | None = None


@dataclass
class Gathered:
    """A dataset to inspect. kind: "lines", "paragraphs" or "pages". findings: what is wrong before any
    line is looked at."""

    name: str
    about: str
    kind: str
    lines: list[InspectedLine]
    findings: list[Finding] = field(default_factory=list)


def page_of(identifier: str) -> str:
    """The page that an identifier of the form PAGE-NUMBER names, "" where it has another form."""
    page, _, number = identifier.rpartition("-")
    return page if number.isdigit() else ""


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
