"""The order in which a person reads lines: top to bottom, left to right, one column after the other.

Lines are put into rows, what stands in the margin is set aside, and the rest is sorted by two rules (Breuel, "High
Performance Document Layout Analysis", 2003): of two rows above each other the upper comes first; of two beside each
other the left comes first, unless a row that spans both stands between them. The sorted rows fall into blocks, the
pieces of columns. Notes in the margin are read after the block that they stand beside: their place in it is nobody's
to know, and so no note cuts a sentence in two.

Notes in the margin: narrow stacks of rows that stand beside the text, outside of its edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from text_recognizer.recognition.layout.boxes import Box, Boxes, Relation, Values, fitted_edge

#: Lines of a column are less than so many heights apart, a blank line included.
_NEAR = 4

Rows = tuple[tuple[int, ...], ...]

_NARROW = 0.45  # of the width of the text: what is wider is a column


@dataclass(frozen=True)
class Block:
    """Rows below each other, each the numbers of its lines from left to right.

    column: from 0 at the left; None for notes in the margin and for what spans columns.
    """

    rows: Rows
    column: int | None = 0
    in_margin: bool = False


def reading_order(boxes: Sequence[Box] | Boxes) -> list[int]:
    """Indices of boxes (left, top, right, bottom) in reading order. Every index occurs once."""
    return [line for block in page_blocks(boxes) for row in block.rows for line in row]


def page_blocks(boxes: Sequence[Box] | Boxes) -> list[Block]:
    """The blocks of a page in reading order; together they hold every box once."""
    boxes = boxes if isinstance(boxes, Boxes) else Boxes.of(boxes)
    notes = margin_stacks(boxes)
    body = np.delete(np.arange(len(boxes)), [line for note in notes for line in note])
    rows = [[int(body[line]) for line in row] for row in _rows(boxes[body])]
    units = boxes.unions(rows)
    pieces, spanning = _without_spanning(_pieces(units, _sorted(units)), units.stacked)
    columns = _columns(units, pieces, spanning)
    blocks = [
        Block(tuple(tuple(rows[u]) for u in piece), column) for piece, column in zip(pieces, columns, strict=True)
    ]
    # From the last block to the first, the lowest note first: what is inserted moves nothing that is still to come.
    places = sorted(((_beside(boxes.edges[note[0]], units, pieces), number) for number, note in enumerate(notes)))
    for place, number in reversed(places):
        blocks.insert(place + 1, Block(tuple((line,) for line in notes[number]), None, in_margin=True))
    return blocks


def _rows(boxes: Boxes) -> Rows:
    """Lines that are no column of their own, such as an amount at the end of a row, joined to the line before them."""
    row_of = {i: [i] for i in range(len(boxes))}
    before = boxes.same_row & (boxes.gaps >= 0)
    near = boxes.stacked & boxes.close(_NEAR)
    for i in np.argsort(boxes.lefts, kind="stable").tolist():
        mates = np.flatnonzero(before[:, i])
        if not len(mates):
            continue
        mate = int(mates[np.argmax(boxes.rights[mates])])
        own = near[i] & ~boxes.stacked[mate]  # lines that span both say nothing of columns
        own[[i, mate]] = False
        if not own.any() or boxes.marks[mate, i] or _are_cells(boxes, near, mate, i):
            row = row_of[mate]
            row += row_of[i]
            for member in row_of[i]:
                row_of[member] = row
    return tuple(tuple(row) for i, row in row_of.items() if row[0] == i)


def _are_cells(boxes: Boxes, near: Relation, left: int, right: int) -> bool:
    """Whether two are cells of a table: there is more paper between their columns than writing in any line of them."""
    both = boxes.stacked[left] & boxes.stacked[right]
    columns = [near[cell] & ~both for cell in (left, right)]
    for cell, column in zip((left, right), columns, strict=True):
        column[cell] = True
    gutter = boxes.lefts[columns[1]].min() - boxes.rights[columns[0]].max()
    return bool(gutter > boxes.widths[columns[0] | columns[1]].max())


def _sorted(boxes: Boxes) -> list[int]:
    """The topological order of boxes by the two rules."""
    before = _precedence(boxes)
    waits = before.sum(axis=0)
    by_height = np.lexsort((boxes.lefts, boxes.middles))
    left = np.ones(len(boxes), bool)
    order: list[int] = []
    while left.any():
        waiting = by_height[left[by_height]]
        free = waiting[waits[waiting] == 0]
        # Contradictions occur on crumpled pages: then the highest goes first.
        chosen = int(free[0] if len(free) else waiting[0])
        order.append(chosen)
        left[chosen] = False
        waits -= before[chosen]
    return order


def _precedence(boxes: Boxes) -> Relation:
    """(N, N): whether box i comes before box j by one of the rules."""
    over = boxes.stacked & boxes.above
    # Beside each other in two columns, unless something that spans both stands between their rows.
    between = over.astype(np.float32) @ over.astype(np.float32) > 0
    cut = (between | between.T) & ~boxes.same_row
    beside = ~boxes.stacked & (boxes.lefts[:, None] < boxes.lefts) & ~cut
    return over | beside


def _pieces(boxes: Boxes, order: Sequence[int]) -> list[list[int]]:
    """The order cut where the next row does not stand below those before it."""
    pieces: list[list[int]] = []
    for unit in order:
        last = pieces[-1][-3:] if pieces else []  # one alone may be a word at the left, and an indented line follow
        if last and boxes.stacked[last, unit].any() and boxes.above[last[-1], unit]:
            pieces[-1].append(unit)
        else:
            pieces.append([unit])
    return pieces


def _without_spanning(pieces: list[list[int]], stacked: Relation) -> tuple[list[list[int]], list[bool]]:
    """Pieces with the rows that span two of them cut off, and which of them are such rows."""
    spans = np.zeros(len(stacked), bool)
    for one in pieces:
        for other in pieces:
            shared = stacked[np.ix_(one, other)]
            if len(other) > 1 and shared.mean() < 0.5:
                spans[one] |= shared.mean(axis=1) > 0.5
    parts: list[list[int]] = []
    for piece in pieces:
        for previous, unit in zip([None, *piece], piece, strict=False):
            if previous is None or spans[previous] != spans[unit]:
                parts.append([])
            parts[-1].append(unit)
    return parts, [bool(spans[part[0]]) for part in parts]


def _columns(boxes: Boxes, pieces: list[list[int]], spanning: list[bool]) -> list[int | None]:
    """For each piece, how many columns stand left of it; None where it spans columns."""
    around = boxes.unions(pieces)
    middles = [float(np.median(boxes.lefts[piece] + boxes.rights[piece])) for piece in pieces]
    columns: list[int | None] = [None] * len(pieces)
    for number in np.argsort(middles, kind="stable").tolist():
        if spanning[number]:
            continue
        left = [
            column
            for other, column in enumerate(columns)
            # A row alone, such as the date beside a salutation, makes no column.
            if column is not None
            and min(len(pieces[other]), len(pieces[number])) > 1
            and _overlapping(around, number, other)
            and boxes.stacked[np.ix_(pieces[number], pieces[other])].mean() < 0.5
        ]
        columns[number] = 1 + max(left, default=-1)
    return columns


def _overlapping(boxes: Boxes, one: int, other: int) -> bool:
    """Whether two boxes have a row of the page in common."""
    return bool(min(boxes.edges[[one, other], 3]) > max(boxes.edges[[one, other], 1]))


def _beside(line: Values, units: Boxes, pieces: Sequence[Sequence[int]]) -> int:
    """The number of the piece that stands beside a line of a note, given its edges."""
    up = np.maximum(0, np.maximum(units.edges[:, 1] - line[3], line[1] - units.edges[:, 3]))
    across = np.maximum(units.lefts - line[2], line[0] - units.rights)
    nearest = int(np.lexsort((across, up))[0])
    return next(number for number, piece in enumerate(pieces) if nearest in piece)


def margin_stacks(lines: Boxes) -> list[list[int]]:
    """The notes in the margin, each the numbers of its lines from the top; the upper note first."""
    text = _text(lines)
    if np.count_nonzero(text) < 3:
        return []
    narrow = ~text & (lines.widths < _NARROW * np.median(lines.widths[text])) & ~lines.marks.any(axis=1)
    outside = np.flatnonzero(narrow & (_beyond(lines, text, left=True) | _beyond(lines, text, left=False)))
    top, bottom = lines.edges[text, 1].min(), lines.edges[text, 3].max()
    notes = []
    for stack in _components(outside, lines.stacked & lines.close(3)):
        beside = (lines.middles[stack] > top) & (lines.middles[stack] < bottom)
        if beside.any() and not (len(stack) == 1 and _ends_a_row(lines, stack[0])):
            notes.append(sorted(stack, key=lambda i: (lines.middles[i], lines.lefts[i])))
    return sorted(notes, key=lambda note: (lines.middles[note[0]], lines.lefts[note[0]]))


def _ends_a_row(lines: Boxes, line: int) -> bool:
    """Whether a line may be an amount after a short line rather than a note after a full one."""
    gaps = lines.gaps[lines.same_row[:, line] & (lines.gaps[:, line] >= 0), line]
    return bool(len(gaps) and gaps.min() > 3 * lines.heights[line])


def _text(lines: Boxes) -> Relation:
    """(N,): which lines are the text: half as wide at least as those that hold half of all writing."""
    if not len(lines):
        return np.zeros(0, bool)
    widths = np.sort(lines.widths)
    half = widths[np.searchsorted(np.cumsum(widths), widths.sum() / 2)]
    return lines.widths >= 0.5 * half


def _beyond(lines: Boxes, text: Relation, left: bool) -> Relation:
    """(N,): which lines lie wholly beyond the left (or the right) edge of the text, which may lean."""
    ends = lines.lefts if left else -lines.rights
    further = lines.beside & (ends < ends[:, None]) & text
    outermost = text & ~further.any(axis=1)
    slope, place = fitted_edge(lines.middles[outermost], ends[outermost], 0.1)
    inner = lines.rights if left else -lines.lefts
    return inner < slope * lines.middles + place


def _components(members: np.ndarray, linked: Relation) -> list[list[int]]:
    """The groups of members that are linked, directly or by others."""
    waiting = members.tolist()
    groups = []
    while waiting:
        group = [waiting.pop(0)]
        for member in group:  # glines while it is walked
            group += [other for other in waiting if linked[member, other]]
            waiting = [other for other in waiting if not linked[member, other]]
        groups.append(group)
    return groups
