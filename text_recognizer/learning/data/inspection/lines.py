"""A line under inspection: what a dataset says of it, and what looking at its image tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.data.inspection.findings import Finding

Gray = NDArray[np.uint8]


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
