"""The order in which a person reads lines: top to bottom, left to right, one column after the other.

A topological sort over two rules (Breuel, "High Performance Document Layout Analysis", 2003): of two
lines above each other the upper comes first; of two lines beside each other the left comes first,
unless a line that spans both stands between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Indices of boxes (left, top, right, bottom) in reading order. Every index occurs once."""
    rows = _rows(boxes)
    units = [_union([boxes[i] for i in row]) for row in rows]
    return [i for unit in _sorted(units) for i in rows[unit]]


def _sorted(boxes: Sequence[Box]) -> list[int]:
    """The topological order of boxes by the two rules."""
    before = _precedence(np.array(boxes, np.float64).reshape(-1, 4))
    left = np.ones(len(boxes), bool)
    order: list[int] = []
    while left.any():
        free = left & ~before[left].any(axis=0)
        # Contradictions occur on crumpled pages: then the highest line goes first.
        candidates = np.flatnonzero(free if free.any() else left).tolist()
        chosen = min(candidates, key=lambda i: (_middle(boxes[i]), boxes[i][0]))
        order.append(chosen)
        left[chosen] = False
    return order


def _precedence(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N, N): whether box i comes before box j by one of the rules."""
    lefts, tops, rights, bottoms = boxes.T
    middles, widths, heights = (tops + bottoms) / 2, rights - lefts, bottoms - tops
    shared = np.minimum(rights[:, None], rights) - np.maximum(lefts[:, None], lefts)
    stacked = shared > 0.1 * np.minimum(widths[:, None], widths)
    overlap = np.minimum(bottoms[:, None], bottoms) - np.maximum(tops[:, None], tops)
    same_row = overlap > 0.5 * np.minimum(heights[:, None], heights)
    above = middles[:, None] < middles
    before = np.where(stacked, above, lefts[:, None] < lefts)
    for i, j in np.argwhere(~stacked & before & ~same_row):
        # Beside each other in two columns, unless something that spans both stands between their rows.
        low, high = sorted((middles[i], middles[j]))
        if (stacked[i] & stacked[j] & (low < middles) & (middles < high)).any():
            before[i, j] = False
    np.fill_diagonal(before, False)
    return before


def _rows(boxes: Sequence[Box]) -> list[list[int]]:
    """Lines that are no column of their own, such as an amount at the end of a row, joined to the line before them."""
    rows = {i: [i] for i in range(len(boxes))}
    for i in sorted(rows, key=lambda i: boxes[i][0]):
        mates = [j for j in range(len(boxes)) if boxes[j][2] <= boxes[i][0] and _same_row(boxes[i], boxes[j])]
        if not mates:
            continue
        mate = max(mates, key=lambda j: boxes[j][2])
        # Lines that span both say nothing of columns.
        own = [b for j, b in enumerate(boxes) if j not in (i, mate) and not _share_columns(b, boxes[mate])]
        if not any(_stacked(boxes[i], box) for box in own):
            rows[next(k for k, row in rows.items() if mate in row)] += rows.pop(i)
    return list(rows.values())


def _stacked(a: Box, b: Box) -> bool:
    """Whether two boxes stand directly above each other, as lines of one column do."""
    return _share_columns(a, b) and abs(_middle(a) - _middle(b)) < 3 * max(a[3] - a[1], b[3] - b[1])


def _union(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _share_columns(a: Box, b: Box) -> bool:
    """Whether two boxes stand above each other rather than beside each other."""
    shared = min(a[2], b[2]) - max(a[0], b[0])
    return shared > 0.1 * min(a[2] - a[0], b[2] - b[0])


def _same_row(a: Box, b: Box) -> bool:
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return shared > 0.5 * min(a[3] - a[1], b[3] - b[1])


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2
