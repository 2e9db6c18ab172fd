"""Lines grouped into paragraphs, headings and notes in the margin, by where they stand alone; nothing is read.

Where a paragraph begins: what spacing, indents, short last lines and a change of size say together.

Each sign is a number, 0 where there is none; a line begins a paragraph where they add up to 1. So a clear sign is
enough by itself, and weak ones help each other: a hand's leading and left edge wander too much for any one of them.
Their weights are those that served best on synthetic pages and on pages of Copiste (`benchmarks/reading/regions.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from text_recognizer.page import Polygon, Region
from text_recognizer.recognition.layout.boxes import (
    Boxes,
    Relation,
    Values,
    common_slope,
    fitted_edge,
    straight_boxes,
    turned,
    writing_height,
)
from text_recognizer.recognition.layout.line_tracing import DetectedLine
from text_recognizer.recognition.layout.reading_order import Block, page_blocks

_WINDOW = 5  # rows above and below that say what leading is usual


def page_regions(
    lines: Sequence[DetectedLine], outlines: Sequence[Polygon] | None = None, first: int = 0
) -> tuple[Region, ...]:
    """The regions of lines that are given in reading order.

    Every line is in one region, and the lines of a region follow each other. outlines: those of the lines that a
    region's outline goes around, where they are not to be the lines' own (of a page that was straightened, those on the
    page as it was). first: the number that the first line has on its page.
    """
    regions = []
    for kind, column, members in _parts(lines):
        for run in _runs(members):
            points = [lines[i].polygon if outlines is None else np.array(outlines[i], np.float64) for i in run]
            regions.append(Region(kind, _around(points), tuple(first + i for i in run), column))
    return tuple(sorted(regions, key=lambda region: region.lines))


def _parts(lines: Sequence[DetectedLine]) -> list[tuple[str, int | None, list[int]]]:
    """Kind, column and lines of each part."""
    boxes = straight_boxes(lines)
    turn = turned(-common_slope(lines))
    levels = np.array([np.mean(line.baseline @ turn, axis=0)[1] for line in lines])
    heights = np.array([writing_height(line) for line in lines])
    parts: list[tuple[str, int | None, list[int]]] = []
    blocks = page_blocks(boxes)
    for number, block in enumerate(blocks):
        if block.in_margin:
            parts.append(("marginalia", None, [i for row in block.rows for i in row]))
            continue
        rows = _column(block, boxes, levels, heights)
        starts = np.flatnonzero(paragraph_starts(rows)).tolist()
        last = number + 1 == len(blocks)
        for start, end in zip(starts, [*starts[1:], len(block.rows)], strict=True):
            kind = "heading" if _is_heading(rows, start, end, block.column is None and not last) else "paragraph"
            parts.append((kind, block.column, [i for row in block.rows[start:end] for i in row]))
    return parts


def _column(block: Block, boxes: Boxes, levels: np.ndarray, heights: np.ndarray) -> Column:
    around = boxes.unions(block.rows)
    return Column(
        np.array([np.median(levels[list(row)]) for row in block.rows]),
        around.lefts,
        around.rights,
        np.array([np.max(heights[list(row)]) for row in block.rows]),
    )


def _is_heading(rows: Column, start: int, end: int, heads_columns: bool) -> bool:
    """Whether the rows from start to end, not included, are a heading: few, with more than one row below them, the
    first a full one, and larger than the others or centred."""
    if end - start > 2:
        return False
    if end == len(rows.levels):
        return heads_columns
    widths = rows.rights - rows.lefts
    if len(rows.levels) < end + 2 or widths[end] < 0.6 * rows.width:
        return False  # such as the words before a signature
    left, right = rows.insets
    others = np.r_[0:start, end : len(rows.levels)]
    larger = np.min(rows.heights[start:end]) > 1.3 * np.median(rows.heights[others])
    inset = float(np.minimum(left[start:end], right[start:end]).min()) / rows.width
    skew = float(np.abs(left[start:end] - right[start:end]).max()) / rows.width
    centred = inset > 0.1 and skew < max(0.15, 0.8 * inset)
    return bool(
        (centred and leadings(rows)[end - 1] > 1.1) or (larger and inset > -0.1 and widths[start] < 0.8 * rows.width)
    )


def _runs(members: Sequence[int]) -> list[list[int]]:
    """Ascending numbers cut where one is left out."""
    runs: list[list[int]] = []
    for number in sorted(members):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _around(outlines: Sequence[Values]) -> Polygon:
    """The convex hull of outlines."""
    points = np.vstack(outlines).astype(np.float32)
    return tuple((float(x), float(y)) for x, y in cv2.convexHull(points)[:, 0])


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
    heights = np.median(_windows(column.heights, 2), axis=1)
    steps = steps / (heights[1:] + heights[:-1])  # print and handwriting may follow each other
    usual = np.quantile(_windows(steps, _WINDOW), 0.4, axis=1)
    if len(steps) < 3:
        usual = np.minimum(usual, 1.0)  # two rows: a gap as high as the writing says enough
    return np.asarray(steps / usual)


def _windows(values: Values, reach: int) -> Values:
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
