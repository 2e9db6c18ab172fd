"""Error rates overall and by slice, with intervals, of one model or of two on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.evaluation.suites.bootstrap import (
    Counts,
    Interval,
    group_numbers,
    interval,
    rate,
    rate_draws,
    resampled,
    worse_together,
)
from text_recognizer.learning.evaluation.suites.samples import Samples
from text_recognizer.learning.evaluation.suites.slices import Slice, by_name
from text_recognizer.learning.evaluation.suites.suite import Accuracy


@dataclass(frozen=True)
class Row:
    """One measure of some samples. groups: how many writers or pages they are of. production, difference: of the model
    that it is compared with, None for none; a difference above 0 is worse. unjudged: why it has no say, "" where it
    has. worse: beyond chance."""

    title: str
    measure: str
    samples: int
    groups: int
    rate: Interval
    production: Interval | None = None
    difference: Interval | None = None
    unjudged: str = ""
    worse: bool = False


@dataclass(frozen=True)
class Comparison:
    """overall: of all samples, a row a measure; slices: of parts of them, by the first measure."""

    overall: Sequence[Row]
    slices: Sequence[Row]

    @property
    def rows(self) -> list[Row]:
        """Both."""
        return [*self.overall, *self.slices]


@dataclass(frozen=True)
class _Pool:
    """Samples of several sets together. groups: (N,) their numbers; drawn: (R, G), each set drawn for itself."""

    groups: Counts
    drawn: Counts
    errors: list[tuple[Counts, Counts]]  # of the candidate and, where there is one, of production


def compare(sets: Sequence[Samples], production: Sequence[Samples] | None, asked: Accuracy) -> Comparison:
    """Rates, and where there is a model in production the paired differences: both on the same samples and draws.

    Overall a difference counts whose 95 % interval lies above 0. Of the slices count those that are above 0 together
    (`bootstrap.worse_together`), so that with many of them one is not found worse by chance.
    """
    sides = [sets] if production is None else [sets, production]
    for other in sides[1:]:
        if [found.names for found in other] != [found.names for found in sets]:
            raise ValueError("the two models were not measured on the same samples")
    groups, drawn = _groups(sets)
    pools = {measure: _Pool(groups, drawn, [_joined(side, measure) for side in sides]) for measure in sets[0].errors}
    everything = np.ones(len(groups), bool)
    overall = [_row("all", measure, everything, pool, asked) for measure, pool in pools.items()]
    overall = [
        replace(row, worse=not row.unjudged and row.difference is not None and row.difference.low > 0)
        for row in overall
    ]
    first = next(iter(pools))
    rows = [_slice_row(found, first, pools[first], asked) for found in _slices(sets, asked)]
    judged = [row for row in rows if row.difference is not None and not row.unjudged]
    worse = worse_together([row.difference for row in judged if row.difference is not None])
    verdicts = {id(row): verdict for row, verdict in zip(judged, worse, strict=True)}
    return Comparison(overall, [replace(row, worse=verdicts.get(id(row), False)) for row in rows])


def _groups(sets: Sequence[Samples]) -> tuple[Counts, Counts]:
    numbers, drawn, first = [], [], 0
    for seed, found in enumerate(sets):
        own = group_numbers(found.groups)
        count = int(own.max()) + 1
        numbers.append(own + first)
        drawn.append(resampled(count, seed=seed))
        first += count
    return np.concatenate(numbers), np.concatenate(drawn, axis=1)


def _joined(side: Sequence[Samples], measure: str) -> tuple[Counts, Counts]:
    errors, units = zip(*(found.errors[measure] for found in side), strict=True)
    return np.concatenate(errors), np.concatenate(units)


def _slices(sets: Sequence[Samples], asked: Accuracy) -> list[Slice]:
    """The sets, their languages, and the slices of all sets, those of one title together."""
    owners = np.concatenate([np.full(len(found.names), number) for number, found in enumerate(sets)])
    named = [sets[number].set for number in owners]
    slices = by_name("set", named) if len(sets) > 1 else []
    languages = [asked.sets.get(name, "") for name in named]
    if 1 < len(set(languages)) < len(sets):
        slices += by_name("language", languages)
    together: dict[str, Slice] = {}
    for number, found in enumerate(sets):
        for part in found.slices:
            whole = together.setdefault(part.title, Slice(part.dimension, part.name, np.zeros(len(owners), bool)))
            whole.members[owners == number] |= part.members
    return [*slices, *together.values()]


def _slice_row(found: Slice, measure: str, pool: _Pool, asked: Accuracy) -> Row:
    if found.dimension != "writer":
        return _row(found.title, measure, found.members, pool, asked)
    # A writer is asked about for himself, so his lines are drawn.
    count = int(found.members.sum())
    own = [(errors[found.members], units[found.members]) for errors, units in pool.errors]
    row = _row(
        found.title,
        measure,
        np.ones(count, bool),
        _Pool(np.arange(count), resampled(max(1, count)), own),
        replace(asked, groups=0, samples=asked.writer_samples),
    )
    return replace(row, groups=1)


def _row(title: str, measure: str, members: NDArray[np.bool_], pool: _Pool, asked: Accuracy) -> Row:
    sides = [
        (rate(errors[members], units[members]), rate_draws(errors * members, units * members, pool.groups, pool.drawn))
        for errors, units in pool.errors
    ]
    count, groups = int(members.sum()), len(np.unique(pool.groups[members]))
    too_few = f"{count} samples, {asked.samples} are asked for" if count < asked.samples else ""
    if not too_few and groups < asked.groups:
        too_few = f"of {groups} writers or pages, {asked.groups} are asked for"
    row = Row(title, measure, count, groups, interval(*sides[0]), unjudged=too_few)
    if len(sides) == 1:
        return row
    difference = interval(sides[0][0] - sides[1][0], sides[0][1] - sides[1][1])
    return replace(row, production=interval(*sides[1]), difference=difference)
