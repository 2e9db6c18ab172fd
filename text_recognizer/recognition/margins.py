"""Notes in the margin: narrow stacks of rows that stand beside the text, outside of its edges."""

from __future__ import annotations

import numpy as np

from text_recognizer.recognition.boxes import Boxes, Relation, fitted_edge

_NARROW = 0.45  # of the width of the text: what is wider is a column


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
