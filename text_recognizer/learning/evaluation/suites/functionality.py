"""Minimum functionality tests: small images whose reading is beyond doubt (CheckList, Ribeiro et al., ACL 2020), and
invariance tests: changed images that must be read as the originals are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.evaluation.suites.invariance import changed
from text_recognizer.learning.evaluation.suites.readers import TaskReader
from text_recognizer.learning.evaluation.suites.suite import Case, Change, Suite

Image = NDArray[np.uint8]


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
