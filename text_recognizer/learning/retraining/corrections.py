"""Corrected lines as an improvement sees them: where they are kept is not its concern.

Which corrected lines are learned from, and which are set apart to measure with.

The side of a line is never changed, or an improvement would be measured on lines that an earlier one has learned. So
the sides that are known come first, and only new lines are placed: by the coarsest thing of which there are at least
ten (writers, readings, pages, lines), so that whole writers are set apart where there are many of them, and pages of
the one hand that is to be learned where there is one. A finer one is taken where val would get less than a tenth, and
what is on the side of val gets no more lines where val would get more than a fifth.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

TRAIN, VAL = "train", "val"
_LEAST, _WANTED, _MOST = 0.1, 0.15, 0.2  # shares of val
_FEWEST = 10  # things of a kind that lines are placed by
_KEYS: tuple[_Key, ...] = (
    lambda line: f"writer {line.writer}",
    lambda line: f"reading {line.reading}",
    lambda line: f"page {line.reading} {line.page}",
    lambda line: f"line {line.identifier}",
)


class CorrectedLine(Protocol):
    """A line of a reading with consent that somebody corrected.

    identifier: of the line, `READING-PAGE-LINE`. writer: whoever the handwriting may be of. page: counted from 0.
    corrected: when it was, last. untaught: why it teaches nothing, "" where it does.
    """

    @property
    def identifier(self) -> str:
        """Of the line."""

    @property
    def reading(self) -> str:
        """The reading that it is of."""

    @property
    def page(self) -> int:
        """The page that it is of."""

    @property
    def writer(self) -> str:
        """Whoever the handwriting may be of."""

    @property
    def corrected(self) -> datetime:
        """When it was corrected."""

    @property
    def untaught(self) -> str:
        """Why it teaches nothing."""


_Key = Callable[[CorrectedLine], str]


class Corrections(Protocol):
    """The corrections that may be learned from at this moment."""

    def lines(self) -> Sequence[CorrectedLine]:
        """All of them, the oldest reading first."""

    def export(self, folder: Path, sides: Mapping[str, str]) -> Mapping[str, int]:
        """Write the lines that have a side, "train" or "val", as a dataset (`learning/datasets/own_folder.py`); why
        lines were left out -> how many. Raises ValueError where none is left."""


def sides_of(lines: Sequence[CorrectedLine], known: Mapping[str, str]) -> dict[str, str]:
    """The side of each line, by its identifier. known: sides of lines that had one before, kept as they are."""
    found: dict[str, str] = {}
    for level, key in enumerate(_KEYS):
        finest = level == len(_KEYS) - 1
        if len({key(line) for line in lines}) < _FEWEST and not finest:
            continue
        found = _placed(lines, known, level)
        if sum(side == VAL for side in found.values()) >= _LEAST * len(lines):
            break
    return found


def _placed(lines: Sequence[CorrectedLine], known: Mapping[str, str], level: int) -> dict[str, str]:
    """The sides, where new lines are placed by the things of a level, or finer ones where those are on both sides."""
    seen = _seen(lines, known)
    found = {line.identifier: known[line.identifier] for line in lines if line.identifier in known}
    groups: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line.identifier not in found:
            unit = next((unit for key in _KEYS[level:] if len(seen[unit := key(line)]) < 2), line.identifier)
            groups[unit].append(line.identifier)
    held = sum(side == VAL for side in found.values())
    for unit in sorted(groups, key=lambda unit: (not seen[unit], _hash(unit))):  # those that have a side come first
        members = groups[unit]
        wanted = VAL in seen[unit] if seen[unit] else held < _WANTED * len(lines)
        apart = wanted and held + len(members) <= _MOST * len(lines)
        held += len(members) * apart
        found |= dict.fromkeys(members, VAL if apart else TRAIN)
    return found


def _seen(lines: Sequence[CorrectedLine], known: Mapping[str, str]) -> dict[str, set[str]]:
    """The sides on which each writer, reading, page and line is already."""
    seen: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.identifier in known:
            for key in _KEYS:
                seen[key(line)].add(known[line.identifier])
    return seen


def _hash(unit: str) -> str:
    return hashlib.sha256(unit.encode()).hexdigest()
