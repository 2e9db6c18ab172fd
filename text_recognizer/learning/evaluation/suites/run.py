"""Run a suite on a model, beside the model in production where there is one, and say what speaks against it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from text_recognizer.learning.evaluation.calibration import calibration_error
from text_recognizer.learning.evaluation.suites.behaviour import CaseResult, ChangeResult, run_cases, run_changes
from text_recognizer.learning.evaluation.suites.bootstrap import rate
from text_recognizer.learning.evaluation.suites.comparison import Comparison, Row, compare
from text_recognizer.learning.evaluation.suites.readers import TaskReader, open_reader
from text_recognizer.learning.evaluation.suites.samples import Samples, check_sets, read_set
from text_recognizer.learning.evaluation.suites.suite import Suite, TaskSuite
from text_recognizer.recognition.bundle import bundle_task
from text_recognizer.recognition.registry import slot_of

_ROUNDS = 5  # of timing
_WRITER = "writer: "
_FEW = 3  # more writers than so many are told of in one sentence


@dataclass(frozen=True)
class CostResult:
    """time: processor milliseconds an image, on one thread; size: megabytes of weights; of production None for none.
    ratio: median of the rounds."""

    time: float
    size: float
    production_time: float | None = None
    production_size: float | None = None
    ratio: float | None = None

    @property
    def size_ratio(self) -> float | None:
        """Of the weights."""
        return self.size / self.production_size if self.production_size else None


@dataclass(frozen=True)
class SuiteResult:
    """What a suite found. problems: what speaks against the model, a sentence each; unjudged: what was too small to
    say. calibration: expected calibration error of words by set."""

    suite: Suite
    slot: str
    measure: str
    identity: str
    production: str | None
    cases: Sequence[CaseResult] = ()
    changes: Sequence[ChangeResult] = ()
    comparison: Comparison | None = None
    samples: Sequence[Samples] = ()
    calibration: Mapping[str, float] = field(default_factory=dict)
    cost: CostResult | None = None
    problems: Sequence[str] = ()

    @property
    def unjudged(self) -> list[str]:
        """The slices that were too small, and why."""
        rows = self.comparison.rows if self.comparison else []
        return [f"{row.title} ({row.unjudged})" for row in rows if row.unjudged]

    def scores(self) -> dict[str, float]:
        """The figures that matter, for the history."""
        found = {f"functionality {result.case.name}": result.rate for result in self.cases}
        found |= {f"invariance {result.change.change}": result.rate for result in self.changes}
        for row in self.comparison.overall if self.comparison else ():
            found[row.measure] = row.rate.value
        found |= {f"calibration error {name}": value for name, value in self.calibration.items()}
        if self.cost:
            found |= {"ms": self.cost.time, "MB": self.cost.size}
        return {name: round(value, 5) for name, value in found.items()}


def run_suite(
    suite: Suite, bundle: Path, production: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> SuiteResult:
    """Everything that a suite asks of a bundle's slot.

    say: told what is done next. Raises ValueError where the suite asks nothing of that slot or either bundle cannot be
    used, FileNotFoundError where its data are not here.
    """
    slot = slot_of(bundle_task(bundle))
    asked = suite.of(slot)
    check_sets(list(asked.accuracy.sets))
    reader = open_reader(bundle, asked.language)
    _check_limits(suite, asked, reader)
    other = None if production is None else open_reader(production, asked.language)
    say(f"{suite.identity}: {len(asked.functionality)} cases, {len(asked.invariance.changes)} changes")
    cases = run_cases(reader, suite, asked.functionality)
    changes = run_changes(reader, suite, asked.invariance.images, asked.invariance.changes)
    samples: list[Samples] = []
    theirs: list[Samples] = []
    for name in asked.accuracy.sets:
        say(f"{suite.identity}: reading {name}")
        samples.append(read_set(reader, name))
        theirs += [] if other is None else [read_set(other, name)]
    comparison = compare(samples, theirs or None, asked.accuracy) if samples else None
    calibration = {found.set: calibration_error(found.sure, found.right) for found in samples if len(found.sure)}
    cost = _cost(suite, asked, reader, other) if asked.cost else None
    result = SuiteResult(
        suite=suite,
        slot=slot,
        measure=reader.measure,
        identity=reader.bundle.identity,
        production=other.bundle.identity if other else None,
        cases=cases,
        changes=changes,
        comparison=comparison,
        samples=samples,
        calibration=calibration,
        cost=cost,
    )
    return replace(result, problems=_problems(asked, result, "calibration" in reader.bundle.settings))


def _check_limits(suite: Suite, asked: TaskSuite, reader: TaskReader) -> None:
    """Raises ValueError for a limit on what is never measured, which would never be asked about."""
    named = {measure for limits in asked.accuracy.limits.values() for measure in limits}
    if unknown := sorted(named - set(reader.measures)):
        raise ValueError(
            f"suite {suite.name} limits {', '.join(unknown)}; of {reader.bundle.task} there are: "
            f"{', '.join(reader.measures)}"
        )


def _cost(suite: Suite, asked: TaskSuite, reader: TaskReader, other: TaskReader | None) -> CostResult:
    """Both models by turns, so that whatever else the machine does meets both."""
    images = [suite.image(name) for name in asked.invariance.images]
    sides = [reader] if other is None else [reader, other]
    for side in sides:
        side.answers(images[:1])
    rounds = [[_seconds(lambda side=side: side.answers(images)) for side in sides] for _ in range(_ROUNDS)]  # type: ignore[misc]
    times = [1000 * statistics.median(column) / len(images) for column in zip(*rounds, strict=True)]
    size = reader.weights() / 1e6
    if other is None:
        return CostResult(times[0], size)
    ratio = statistics.median(mine / max(1e-9, its) for mine, its in rounds)
    return CostResult(times[0], size, times[1], other.weights() / 1e6, ratio)


def _seconds(work: Callable[[], object]) -> float:
    """Processor time: waiting for the machine does not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def _problems(asked: TaskSuite, result: SuiteResult, calibrated: bool) -> list[str]:
    measure = result.measure
    found = [
        f"functionality, {r.case.name}: {measure} {_percent(r.rate)}, at most {_percent(r.case.limit)}; read: {r.read}"
        for r in result.cases
        if not r.passed
    ]
    found += [
        f"invariance, {r.change.change}: {measure} {_percent(r.rate)} between before and after, at most "
        f"{_percent(r.change.limit)}"
        for r in result.changes
        if not r.passed
    ]
    found += _accuracy_problems(asked, result)
    if asked.calibrated and not calibrated:
        found.append("calibration: the bundle has no weights that make its confidence believable; export measures them")
    found += [
        f"calibration: the expected calibration error on {name} is {_percent(value)}, at most "
        f"{_percent(asked.calibration_error)}"
        for name, value in result.calibration.items()
        if asked.calibration_error and value > asked.calibration_error
    ]
    return found + _cost_problems(asked, result.cost)


def _accuracy_problems(asked: TaskSuite, result: SuiteResult) -> list[str]:
    found = []
    for samples in result.samples:
        for measure, limit in asked.accuracy.limits.get(samples.set, {}).items():
            value = rate(*samples.errors[measure])
            if value > limit:
                found.append(f"accuracy: {measure} on {samples.set} is {_percent(value)}, at most {_percent(limit)}")
    rows = result.comparison.rows if result.comparison else []
    worse = [row for row in rows if row.worse]
    hands = [row.title.removeprefix(_WRITER) for row in worse if row.title.startswith(_WRITER)]
    found += [_worse(row) for row in worse if not row.title.startswith(_WRITER) or len(hands) <= _FEW]
    if len(hands) > _FEW:
        judged = sum(row.title.startswith(_WRITER) and not row.unjudged for row in rows)
        found.append(f"regression, writers: worse for {len(hands)} of {judged}: {', '.join(hands)}")
    for row in result.comparison.overall if result.comparison else ():
        if row.unjudged and row.difference is not None:
            found.append(f"accuracy: too little to compare {row.measure} by: {row.unjudged}")
    return found


def _worse(row: Row) -> str:
    assert row.production is not None
    assert row.difference is not None
    low, high = 100 * row.difference.low, 100 * row.difference.high
    return (
        f"regression, {row.title}: {row.measure} {_percent(row.rate.value)} where production has "
        f"{_percent(row.production.value)}: {100 * row.difference.value:.2f} points worse (95 % interval {low:.2f} to "
        f"{high:.2f}; {row.samples} samples)"
    )


def _cost_problems(asked: TaskSuite, cost: CostResult | None) -> list[str]:
    if cost is None or asked.cost is None or cost.ratio is None or cost.size_ratio is None:
        return []
    found = []
    if cost.ratio > asked.cost.time:
        found.append(
            f"cost: {cost.time:.1f} ms an image, {cost.ratio:.2f} times what production takes; at most "
            f"{asked.cost.time:.2f} times"
        )
    if cost.size_ratio > asked.cost.size:
        found.append(
            f"cost: {cost.size:.1f} MB of weights, {cost.size_ratio:.2f} times those of production; at most "
            f"{asked.cost.size:.2f} times"
        )
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if np.isfinite(share) else "no number"
