"""Upright boxes of lines, and how two of them stand to each other: what all rules of layout rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.recognition.layout.line_tracing import DetectedLine

Box = tuple[float, float, float, float]
Values = NDArray[np.float64]
Relation = NDArray[np.bool_]


@dataclass(frozen=True)
class Boxes:
    """N boxes as an array (N, 4) of left, top, right, bottom. Relations are arrays (N, N): box i to box j."""

    edges: Values

    @classmethod
    def of(cls, boxes: Sequence[Box]) -> Boxes:
        """Boxes given one by one."""
        return cls(np.array(boxes, np.float64).reshape(-1, 4))

    def __len__(self) -> int:
        return len(self.edges)

    @property
    def lefts(self) -> Values:
        """(N,)"""
        return self.edges[:, 0]

    @property
    def rights(self) -> Values:
        """(N,)"""
        return self.edges[:, 2]

    @property
    def widths(self) -> Values:
        """(N,)"""
        return self.edges[:, 2] - self.edges[:, 0]

    @property
    def heights(self) -> Values:
        """(N,)"""
        return self.edges[:, 3] - self.edges[:, 1]

    @property
    def middles(self) -> Values:
        """(N,): half-way between top and bottom."""
        return (self.edges[:, 1] + self.edges[:, 3]) / 2

    @cached_property
    def stacked(self) -> Relation:
        """Whether two stand above each other rather than beside each other: they share columns of the page."""
        return _overlap(self.lefts, self.rights) > 0.1 * np.minimum(self.widths[:, None], self.widths)

    @cached_property
    def same_row(self) -> Relation:
        """Whether two stand at the same height."""
        return _overlap(self.edges[:, 1], self.edges[:, 3]) > 0.5 * np.minimum(self.heights[:, None], self.heights)

    @cached_property
    def above(self) -> Relation:
        """Whether the first has its middle above that of the second."""
        return self.middles[:, None] < self.middles

    @cached_property
    def gaps(self) -> Values:
        """(N, N): how far right of the first the second begins; negative where it begins before the first ends."""
        return self.lefts - self.rights[:, None]

    @cached_property
    def beside(self) -> Relation:
        """Whether two stand beside each other: some row of pixels meets both, and they share no columns."""
        return (_overlap(self.edges[:, 1], self.edges[:, 3]) > 0) & ~self.stacked

    @cached_property
    def marks(self) -> Relation:
        """Whether the first is a number or a dash that hangs before the second."""
        near = (self.gaps >= 0) & (self.gaps < self.heights)
        return self.same_row & near & (self.widths[:, None] < 1.2 * self.heights)

    def close(self, heights: float) -> Relation:
        """Whether the middles of two are less than so many heights of the higher one apart."""
        apart = np.abs(self.middles[:, None] - self.middles)
        return apart < heights * np.maximum(self.heights[:, None], self.heights)

    def unions(self, groups: Sequence[Sequence[int]]) -> Boxes:
        """The box around each group."""
        members = [self.edges[list(group)] for group in groups]
        return Boxes.of([(*m[:, :2].min(axis=0), *m[:, 2:].max(axis=0)) for m in members])

    def __getitem__(self, which: NDArray[np.intp] | Relation | Sequence[int]) -> Boxes:
        return Boxes(self.edges[which])


def _overlap(starts: Values, ends: Values) -> Values:
    return np.minimum(ends[:, None], ends) - np.maximum(starts[:, None], starts)


def straight_boxes(lines: Sequence[DetectedLine]) -> Boxes:
    """The boxes of lines after the page was turned so that most of its writing is level.

    On a page that lies askew the box of a long line is high, and columns lean into each other.
    """
    turn = turned(-common_slope(lines))
    points = [line.polygon @ turn for line in lines]
    return Boxes.of([(*p.min(axis=0), *p.max(axis=0)) for p in points])


def common_slope(lines: Sequence[DetectedLine]) -> float:
    """The angle in radians, clockwise as it is seen, at which lines rise or fall: the median, by their length."""
    if not lines:
        return 0.0
    spans = np.array([line.baseline[-1] - line.baseline[0] for line in lines], np.float64)
    lengths = np.abs(spans[:, 0])  # what is written upwards in the margin has no say
    angles = np.arctan2(spans[:, 1], np.maximum(spans[:, 0], 1e-9))
    order = np.argsort(angles, kind="stable")
    sums = np.cumsum(lengths[order])
    middle = angles[order[min(np.searchsorted(sums, sums[-1] / 2), len(lines) - 1)]]
    return float(middle) if abs(middle) < 0.5 else 0.0


def writing_height(line: DetectedLine) -> float:
    """Mean height of a line's outline in pixels, whatever points it has: its area over its length."""
    length = float(np.hypot(*np.diff(line.baseline, axis=0).T).sum())
    return max(1.0, float(cv2.contourArea(line.polygon.astype(np.float32))) / max(1.0, length))


def turned(angle: float) -> Values:
    """The matrix (2, 2) that, from the right, turns points by an angle in radians about the page's corner."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]])


def fitted_edge(levels: Values, ends: Values, share: float) -> tuple[float, float]:
    """The edge of a column, from where its lines begin (or end) at their levels, both (N,) with N > 0.

    A straight line that may lean, as margins of handwriting do: its slope is the median over all pairs of lines
    (Theil-Sen), which forgives a third of them being indented; `share` of the lines begin left of it. Returns its
    slope and its place at level 0.
    """
    rises = levels[:, None] - levels
    pairs = rises > 0
    if len(levels) < 4 or not pairs.any():
        slope = 0.0
    else:
        slope = float(np.clip(np.median((ends[:, None] - ends)[pairs] / rises[pairs]), -0.3, 0.3))
    return slope, float(np.quantile(ends - slope * levels, share))
