"""How well lines are put in order and grouped into regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from text_recognizer.learning.datasets.pages import TracedLine
from text_recognizer.learning.evaluation.error_rates import Matches
from text_recognizer.page import Region
from text_recognizer.recognition.layout.line_tracing import DetectedLine


@dataclass
class OrderScores:
    """Sums over pages of how far the lines' order is from the true one.

    The two measures are those of Quirós and Vidal, "Reading order detection on handwritten documents" (Neural
    Computing and Applications, 2022): pairs of lines in the right order (Kendall), and how far lines stand from their
    places (Spearman's footrule) as a share of the most that can be.
    """

    right: int = 0
    pairs: int = 0
    footrule: float = 0.0
    pages: int = 0

    def add(self, places: Sequence[int]) -> None:
        """Add a page: the true places of its lines, in the order in which they were read."""
        order = np.argsort(np.argsort(places))
        count = len(order)
        self.right += int(np.count_nonzero(np.triu(order[:, None] < order, 1)))
        self.pairs += count * (count - 1) // 2
        self.footrule += float(np.abs(order - np.arange(count)).sum()) / max(1, count * count // 2)
        self.pages += 1

    @property
    def pairs_in_order(self) -> float:
        """Share of the pairs of lines of a page of which the first is read first; 1 is perfect."""
        return self.right / max(1, self.pairs)

    @property
    def mean_footrule(self) -> float:
        """Mean over pages of the normalised footrule, from 0, which is perfect, to 1."""
        return self.footrule / max(1, self.pages)


@dataclass
class RegionScores(Matches):
    """Sums over pages. found, predicted, expected: places between a line and one below it, the next in the true order,
    where a region ends; right, lines: lines in a region of the right kind, and in all."""

    right: int = 0
    lines: int = 0

    def add(
        self, truth: Sequence[int], kinds: Sequence[str] | None, answer: Sequence[int], answers: Sequence[str]
    ) -> None:
        """Add the lines of a page in their true order.

        truth: the number of each line's region; answer: that which it was given; negative ones are of pairs that do not
        count. kinds, answers: of each line, the first None where nobody knows them.
        """
        for line in range(len(truth) - 1):
            pair = truth[line], truth[line + 1], answer[line], answer[line + 1]
            if min(pair) < 0:
                continue
            true, told = pair[0] != pair[1], pair[2] != pair[3]
            self.found += true and told
            self.predicted += told
            self.expected += true
        if kinds is not None:
            self.right += sum(a == b for a, b in zip(kinds, answers, strict=True))
            self.lines += len(kinds)

    @property
    def kind_accuracy(self) -> float:
        """Share of the lines whose region is of the right kind."""
        return self.right / max(1, self.lines)


def as_detected(line: TracedLine) -> DetectedLine:
    """A true line as the detector would have found it."""
    return DetectedLine(line.baseline, line.polygon, 1.0)


def regions_of_lines(regions: Sequence[Region], count: int) -> tuple[list[int], list[str]]:
    """For each of so many lines the number and the kind of its region; -1 and nothing where it is in none."""
    numbers, kinds = [-1] * count, [""] * count
    for number, region in enumerate(regions):
        for line in region.lines:
            numbers[line], kinds[line] = number, region.kind
    return numbers, kinds
