"""What people said in another program, as labels of a folder.

A line of another program is the line of the folder that bears its identifier and lies there; else the one that it
covers; else a new one. What the folder has been told already is not said again, so that a file can be imported twice.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from text_recognizer.labeling.folder import LabelingFolder, QueueLine
from text_recognizer.labeling.labels import Label
from text_recognizer.labeling.outlines import SAME_LINE, best_overlap, overlap
from text_recognizer.page import Polygon

_TOUCHES = 0.1  # overlap from which a line of the same identifier is the same line, however far it was moved
_UNMOVED = 0.98  # overlap from which an outline is the same but for rounding
_USABLE = re.compile(r"[\w.:-]{1,64}")  # identifiers that are kept


@dataclass(frozen=True)
class ForeignLine:
    """A line of another program: its identifier there, "" where it has none that is its own; the rest as in `Label`."""

    identifier: str
    status: str
    text: str
    polygon: Polygon
    baseline: Polygon = ()


@dataclass(frozen=True)
class ForeignPage:
    """What one annotator said of a page. gone: names of lines that were shown and taken away. Else see `Label`."""

    page: str
    annotator: str
    time: str
    origin: str
    lines: tuple[ForeignLine, ...]
    gone: tuple[str, ...] = ()


@dataclass
class ImportReport:
    """What became of files. added: labels that are new, by status. known: that were there already. older: than what the
    same annotator has said since. notes: what was done beyond. problems: what was refused, and why."""

    added: Counter[str] = field(default_factory=Counter)
    known: int = 0
    older: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def take_over(folder: LabelingFolder, found: ForeignPage, report: ImportReport, where: str) -> None:
    """Add what is new of a page to the labels of the folder, all of it or nothing. where: for messages."""
    known = {line.id: line for line in folder.lines(found.page)}
    labels = []
    names = _names(found.lines, {name: line.polygon for name, line in known.items()})
    for name, line in zip(names, found.lines, strict=True):
        try:
            labels.append(_label(found, name, line, known.get(name)))
        except ValueError as error:
            report.problems.append(f"{where}: line {line.identifier or name} is left out: {error}")
    for name in found.gone:
        if name in known and name not in names:
            gone = ForeignLine(name, "no-line", "", known[name].polygon, known[name].baseline)
            labels.append(_label(found, name, gone, known[name]))
    new = []
    for label in labels:
        said = [old for old in folder.labels(found.page) if (old.line, old.annotator) == (label.line, label.annotator)]
        if _is_known(label, said):
            report.known += 1
        elif said and _moment(said[-1]) > _moment(label):
            report.older += 1
        else:
            new.append(label)
    folder.add(new)
    report.added.update(label.status for label in new)


def clipped(polygon: Polygon, width: int, height: int) -> Polygon:
    """An outline within a picture. Raises ValueError where it is empty, or lies outside."""
    points = np.array(polygon, np.float64).reshape(-1, 2).clip(0, (width, height))
    if len(points) < 3 or (np.ptp(points, axis=0) < 2).any():
        raise ValueError("its outline is empty, or lies outside of the picture")
    return tuple((float(x), float(y)) for x, y in points)


def _label(found: ForeignPage, name: str, line: ForeignLine, known: QueueLine | None) -> Label:
    """The label that a line makes. One that has no baseline and was not moved keeps the one that is known."""
    baseline = line.baseline
    if not baseline and known is not None and overlap(line.polygon, known.polygon) >= _UNMOVED:
        baseline = known.baseline
    text = line.text.strip()  # files are indented
    return Label(found.page, name, found.annotator, found.time, line.status, text, line.polygon, baseline, found.origin)


def _names(lines: Sequence[ForeignLine], known: dict[str, Polygon]) -> list[str]:
    """The names that lines have in the folder; known: the outlines of those that are there."""
    left = dict(known)
    counts = Counter(line.identifier for line in lines)
    found: dict[int, str] = {}
    for number, line in enumerate(lines):
        for name in (line.identifier, _made_up(line, counts)):
            if number not in found and name in left and overlap(line.polygon, left[name]) >= _TOUCHES:
                found[number] = name
                del left[name]
    for number, line in enumerate(lines):
        if number not in found:
            place, share = best_overlap(line.polygon, list(left.values()))
            if share >= SAME_LINE:
                found[number] = list(left)[place]
                del left[found[number]]
    taken = {*known, *found.values()}
    for number, line in enumerate(lines):
        if number not in found:
            own = counts[line.identifier] == 1 and _USABLE.fullmatch(line.identifier) and line.identifier not in taken
            found[number] = line.identifier if own else _made_up(line, counts)
            taken.add(found[number])
    return [found[number] for number in range(len(lines))]


def _made_up(line: ForeignLine, counts: Counter[str]) -> str:
    """A name for a line that has none of its own, the same whenever it is imported."""
    own = line.identifier if counts[line.identifier] == 1 else ""
    made_of = own or " ".join(f"{x:.0f},{y:.0f}" for x, y in line.polygon)
    return "n" + hashlib.sha256(made_of.encode()).hexdigest()[:8]


def _is_known(label: Label, said: Sequence[Label]) -> bool:
    """Whether an annotator has said this: as the last thing of all, or as the last thing in that program."""
    there = [old for old in said if old.origin == label.origin]
    return any(_same(label, last[-1]) for last in (said, there) if last)


def _same(one: Label, other: Label) -> bool:
    return (one.status, one.text) == (other.status, other.text) and overlap(one.polygon, other.polygon) >= _UNMOVED


def _moment(label: Label) -> datetime:
    return datetime.fromisoformat(label.time)
