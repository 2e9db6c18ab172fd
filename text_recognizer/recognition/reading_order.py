"""The order in which a person reads lines: top to bottom, left to right, one column after the other.

A topological sort over two rules (Breuel, "High Performance Document Layout Analysis", 2003): of two
lines above each other the upper comes first; of two lines beside each other the left comes first,
unless a line that spans both stands between them.
"""

from __future__ import annotations

from collections.abc import Sequence

Box = tuple[float, float, float, float]


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Indices of boxes (left, top, right, bottom) in reading order. Every index occurs once."""
    rows = _rows(boxes)
    units = [_union([boxes[i] for i in row]) for row in rows]
    return [i for unit in _sorted(units) for i in rows[unit]]


def _sorted(boxes: Sequence[Box]) -> list[int]:
    """The topological order of boxes by the two rules."""
    count = len(boxes)
    before = [[_comes_before(i, j, boxes) for j in range(count)] for i in range(count)]
    order: list[int] = []
    left = set(range(count))
    while left:
        free = [i for i in left if not any(before[j][i] for j in left if j != i)]
        # Contradictions occur on crumpled pages: then the highest line goes first.
        chosen = min(free or left, key=lambda i: (_middle(boxes[i]), boxes[i][0]))
        order.append(chosen)
        left.remove(chosen)
    return order


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


def _comes_before(first: int, second: int, boxes: Sequence[Box]) -> bool:
    a, b = boxes[first], boxes[second]
    if _share_columns(a, b):
        return _middle(a) < _middle(b)
    if a[0] >= b[0]:
        return False
    if _same_row(a, b):
        return True
    # Beside each other in two columns, unless something that spans both separates upper from lower.
    low, high = sorted((_middle(a), _middle(b)))
    return not any(
        low < _middle(c) < high and _share_columns(c, a) and _share_columns(c, b)
        for index, c in enumerate(boxes)
        if index not in (first, second)
    )


def _share_columns(a: Box, b: Box) -> bool:
    """Whether two boxes stand above each other rather than beside each other."""
    shared = min(a[2], b[2]) - max(a[0], b[0])
    return shared > 0.1 * min(a[2] - a[0], b[2] - b[0])


def _same_row(a: Box, b: Box) -> bool:
    shared = min(a[3], b[3]) - max(a[1], b[1])
    return shared > 0.5 * min(a[3] - a[1], b[3] - b[1])


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2
