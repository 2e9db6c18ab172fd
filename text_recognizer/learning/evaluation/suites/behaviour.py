"""Minimum functionality tests: small images whose reading is beyond doubt (CheckList, Ribeiro et al., ACL 2020), and
invariance tests: changed images that must be read as the originals are.

Changes to an image that a person hardly notices, and that must hardly change what is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.evaluation.suites.readers import TaskReader
from text_recognizer.learning.evaluation.suites.suite import Case, Change, Suite

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class CaseResult:
    """What was read in a case. rate: of errors."""

    case: Case
    expected: str
    read: str
    rate: float
    image: Image

    @property
    def passed(self) -> bool:
        """Whether the rate is allowed."""
        return self.rate <= self.case.limit


@dataclass(frozen=True)
class Pair:
    """An image before and after a change, and what was read in both."""

    name: str
    amount: float
    before: str
    after: str
    errors: int
    image: Image


@dataclass(frozen=True)
class ChangeResult:
    """What a change did. rate: errors of all readings after it, measured against those before it. worst: those that
    changed most, first."""

    change: Change
    rate: float
    worst: Sequence[Pair]

    @property
    def passed(self) -> bool:
        """Whether the rate is allowed."""
        return self.rate <= self.change.limit


def run_cases(reader: TaskReader, suite: Suite, cases: Sequence[Case]) -> list[CaseResult]:
    """Read every case. Raises ValueError where an image of the suite is missing."""
    results = []
    for case in cases:
        image, truth = suite.image(case.image), reader.truth(suite, case)
        if case.change:
            image, matrix = changed(image, case.change, case.amount)
            truth = reader.moved(truth, matrix)
        answer = reader.answers([image])[0]
        errors, units = reader.errors(answer, truth)
        results.append(CaseResult(case, reader.shown(truth), reader.shown(answer), errors / max(1, units), image))
    return results


def run_changes(
    reader: TaskReader, suite: Suite, names: Sequence[str], changes: Sequence[Change]
) -> list[ChangeResult]:
    """Read the images as they are and after every change."""
    images = [suite.image(name) for name in names]
    before = reader.answers(images) if changes else []
    return [_run_change(reader, change, list(zip(names, images, before, strict=True))) for change in changes]


def _run_change(reader: TaskReader, change: Change, originals: Sequence[tuple[str, Image, object]]) -> ChangeResult:
    pairs, total, possible = [], 0, 0
    for amount in change.amounts:
        views = [changed(image, change.change, amount) for _, image, _ in originals]
        answers = reader.answers([view for view, _ in views])
        for (name, _, answer), (view, matrix), after in zip(originals, views, answers, strict=True):
            errors, units = reader.errors(after, reader.moved(answer, matrix))
            total, possible = total + errors, possible + units
            pairs.append(Pair(name, amount, reader.shown(answer), reader.shown(after), errors, view))
    worst = sorted((pair for pair in pairs if pair.errors), key=lambda pair: -pair.errors)
    return ChangeResult(change, total / max(1, possible), worst)


def changed(image: Image, change: str, amount: float) -> tuple[Image, Matrix]:
    """The image (H, W) or (H, W, 3) after a change, and the matrix (2, 3) from its points x, y to those of the result.

    brightness: added to each of 255 levels. contrast: times the distance from the mean. rotation: degrees, about the
    middle. padding: share of the height, of paper on all sides. blur: sigma in pixels. jpeg: quality. scale: times.
    noise: standard deviation in levels. inverted: light on dark; any amount. Raises ValueError for another change.
    """
    if change not in CHANGES:
        raise ValueError(f"there is no change {change!r}; there are: {', '.join(CHANGES)}")
    return CHANGES[change](image, amount)


def _same(levels: NDArray) -> tuple[Image, Matrix]:
    return np.clip(np.round(levels), 0, 255).astype(np.uint8), np.eye(2, 3)


def _brightness(image: Image, amount: float) -> tuple[Image, Matrix]:
    return _same(image.astype(np.float64) + amount)


def _contrast(image: Image, amount: float) -> tuple[Image, Matrix]:
    return _same((image - image.mean()) * amount + image.mean())


def _rotation(image: Image, amount: float) -> tuple[Image, Matrix]:
    height, width = image.shape[:2]
    # Room for the corners, so that nothing is cut off.
    cos, sin = abs(np.cos(np.radians(amount))), abs(np.sin(np.radians(amount)))
    size = int(np.ceil(width * cos + height * sin)), int(np.ceil(width * sin + height * cos))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), amount, 1.0)
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return _warped(image, matrix, size), matrix


def _padding(image: Image, amount: float) -> tuple[Image, Matrix]:
    edge = round(amount * image.shape[0])
    matrix = np.array([[1.0, 0.0, edge], [0.0, 1.0, edge]])
    return _warped(image, matrix, (image.shape[1] + 2 * edge, image.shape[0] + 2 * edge)), matrix


def _scale(image: Image, amount: float) -> tuple[Image, Matrix]:
    matrix = np.array([[amount, 0.0, 0.0], [0.0, amount, 0.0]])
    method = cv2.INTER_AREA if amount < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=amount, fy=amount, interpolation=method), np.uint8), matrix


def _warped(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """What comes from outside of the image is paper: its usual level."""
    paper = np.median(image.reshape(-1, *image.shape[2:]), axis=0)
    levels = tuple(float(value) for value in np.atleast_1d(paper))
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=levels), np.uint8)


def _blur(image: Image, amount: float) -> tuple[Image, Matrix]:
    return _same(cv2.GaussianBlur(image, (0, 0), amount))


def _jpeg(image: Image, amount: float) -> tuple[Image, Matrix]:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(amount)])
    decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if image.ndim == 2 else cv2.IMREAD_COLOR)
    return _same(np.asarray(decoded))


def _noise(image: Image, amount: float) -> tuple[Image, Matrix]:
    return _same(image.astype(np.float64) + np.random.default_rng(0).normal(0, amount, image.shape))


def _inverted(image: Image, amount: float) -> tuple[Image, Matrix]:  # noqa: ARG001 - all or nothing
    return _same(255 - image.astype(np.int64))


#: Every change by its name.
CHANGES: dict[str, Callable[[Image, float], tuple[Image, Matrix]]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "rotation": _rotation,
    "padding": _padding,
    "blur": _blur,
    "jpeg": _jpeg,
    "scale": _scale,
    "noise": _noise,
    "inverted": _inverted,
}
