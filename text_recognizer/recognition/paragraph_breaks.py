"""Where a paragraph begins: what spacing, indents, short last lines and a change of size say together.

Each sign is a number, 0 where there is none; a line begins a paragraph where they add up to 1. So a clear sign is
enough by itself, and weak ones help each other: a hand's leading and left edge wander too much for any one of them.
Their weights are those that served best on synthetic pages and on pages of Copiste (`benchmarks/regions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from text_recognizer.recognition.boxes import Relation, Values, fitted_edge

_WINDOW = 5  # rows above and below that say what leading is usual


@dataclass(frozen=True)
class Column:
    """The N rows of a block from the top, in pixels of the straightened page: where their baselines lie, where they
    begin and end, and how high their writing is, ascenders and descenders included; each (N,)."""

    levels: Values
    lefts: Values
    rights: Values
    heights: Values

    @property
    def height(self) -> float:
        """That of most rows."""
        return float(np.median(self.heights))

    @cached_property
    def insets(self) -> tuple[Values, Values]:
        """(N,) each: how far the rows begin right of the left edge and end left of the right edge; may be negative."""
        slope, place = fitted_edge(self.levels, self.lefts, 0.3)
        left = self.lefts - slope * self.levels - place
        slope, place = fitted_edge(self.levels, self.rights, 0.7)
        return left, slope * self.levels + place - self.rights

    @property
    def width(self) -> float:
        """That of its longer rows."""
        return float(np.quantile(self.rights - self.lefts, 0.7))


def paragraph_starts(column: Column) -> Relation:
    """(N,): which rows begin a paragraph; the first one does."""
    count = len(column.levels)
    if count < 2:
        return np.ones(count, bool)
    left, right = column.insets
    apart = (column.lefts[1:] > column.rights[:-1]) | (column.rights[1:] < column.lefts[:-1])
    signs = apart + _spacing(column) + _indent(column, left, right) + _short(column, right) + _size(column)
    return np.concatenate([[True], signs >= 1])


def leadings(column: Column) -> Values:
    """(N - 1,): from row to row, the distance of their baselines as a multiple of what is usual around them."""
    steps = np.maximum(np.diff(column.levels), 1e-3 * column.height)
    heights = np.median(_around(column.heights, 2), axis=1)
    steps = steps / (heights[1:] + heights[:-1])  # print and handwriting may follow each other
    usual = np.quantile(_around(steps, _WINDOW), 0.4, axis=1)
    if len(steps) < 3:
        usual = np.minimum(usual, 1.0)  # two rows: a gap as high as the writing says enough
    return np.asarray(steps / usual)


def _around(values: Values, reach: int) -> Values:
    """(N, 2 * reach + 1): each of N values with those around it, mirrored at the ends."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(values, reach, mode="symmetric"), 2 * reach + 1)


def _spacing(column: Column) -> Values:
    return np.clip((leadings(column) - 1.0) / 0.25, 0, 1.2)


def _indent(column: Column, left: Values, right: Values) -> Values:
    """First lines that begin further right than those before them; where lines hang, further left."""
    steps = left / column.height
    indented = steps > 0.6
    if _hangs(indented, right):
        return np.where(~indented[1:] & indented[:-1], 1.0, 0.0)
    rise = np.minimum(steps[1:], steps[1:] - np.maximum(steps[:-1], 0))
    return np.clip((rise - 0.2) / 0.6, 0, 1.2)


def _hangs(indented: Relation, right: Values) -> bool:
    """Whether paragraphs begin left of their other lines: more are indented than not, and the lines before those that
    begin left are the short ones."""
    if len(indented) < 4 or not 0.45 < indented.mean() < 0.95:
        return False
    out, into = indented[:-1] & ~indented[1:], ~indented[:-1] & indented[1:]
    if not out.any() or not into.any():
        return False
    return bool(np.mean(right[:-1][out]) > np.mean(right[:-1][into]))


def _short(column: Column, right: Values) -> Values:
    """Lines that end well before the right edge, as most others do not: what follows would have had room there. A full
    line speaks against an end."""
    usual = max(float(np.quantile(right, 0.6)), 0.0)
    room = (right[:-1] - usual) / (0.05 * column.width + 2 * column.height)
    return np.clip(room - 0.3, -0.2, 1.0)


def _size(column: Column) -> Values:
    """A change of the hand's size, as from a heading to what it heads."""
    change = np.abs(np.diff(np.log(np.maximum(column.heights, 1))))
    return np.clip((change - 0.25) / 0.5, 0, 0.8)
