"""Whether readings have changed: a window of them against the reference, feature by feature and all together.

Feature by feature the Kolmogorov-Smirnov test (names: Fisher's exact test) and the population stability index, all
features together a classifier two-sample test. Holm's correction makes the level that of one whole comparison. With
thousands of readings any trifle is significant, so that drift must be large, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text_recognizer.service.monitoring.features import NOT_COMPARED, OF_THE_MODEL, RecordedReading
from text_recognizer.service.monitoring.reference import Reference, check_version
from text_recognizer.service.monitoring.samples import Sample, usable
from text_recognizer.service.monitoring.statistics import (
    effective_size,
    fisher_p_value,
    holm,
    ks_distance,
    ks_p_value,
    separation,
    stability_index,
)

TOGETHER = "all together"  # the name of what only the classifier sees
_LEAST_VALUES = 10  # of a feature, on either side


@dataclass(frozen=True)
class Limits:
    """What counts as drift. readings: that a window must have. level: chance of a false alarm of one comparison. index,
    area: how large a change must be, as a population stability index, and as how well a classifier tells it."""

    readings: int = 50
    level: float = 0.001
    index: float = 0.2
    area: float = 0.65


@dataclass(frozen=True)
class FeatureDrift:
    """One feature then and now: the medians, or for names the commonest; the Kolmogorov-Smirnov distance, or half the
    sum of differences of shares; the p-value after correction; the stability index less what chance adds; values."""

    name: str
    then: float | str
    now: float | str
    distance: float
    p_value: float
    index: float
    values: int
    drifted: bool


@dataclass(frozen=True)
class DriftReport:
    """What a comparison found. drift: None where there is no verdict. readings: that were compared, of the window from
    start to end. left_out: reason -> readings. messages: what one should know. area, p_value: of the classifier."""

    start: datetime
    end: datetime
    readings: int
    drift: bool | None
    features: tuple[FeatureDrift, ...] = ()
    area: float | None = None
    p_value: float | None = None
    together: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    reference: str = ""

    @property
    def drifted(self) -> tuple[str, ...]:
        """What has drifted: names of features, the largest change first, or `TOGETHER`."""
        found = sorted((f for f in self.features if f.drifted), key=lambda f: -f.index)
        return tuple(f.name for f in found) or ((TOGETHER,) if self.together else ())

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return asdict(self) | {"start": self.start.isoformat(), "end": self.end.isoformat(), "drifted": self.drifted}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DriftReport:
        """The report that `to_dict` described."""
        known = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        known["start"], known["end"] = (datetime.fromisoformat(data[name]) for name in ("start", "end"))
        known["features"] = tuple(FeatureDrift(**feature) for feature in data["features"])
        known["messages"] = tuple(data["messages"])
        return cls(**known)


def compare(
    reference: Reference,
    rows: Iterable[RecordedReading],
    start: datetime,
    end: datetime,
    limits: Limits | None = None,
    now: datetime | None = None,
) -> DriftReport:
    """Compare the readings of a window from start to end with a reference.

    Raises ValueError for a reference whose features this program computes otherwise.
    """
    check_version(reference)
    limits = limits or Limits()
    found, left_out = usable(rows, reference.unit, now or datetime.now(UTC), reference.version)
    window = Sample.of(found.features, found.blocks)
    report = DriftReport(start, end, len(window), None, left_out=dict(left_out), reference=reference.source)
    if len(window) < limits.readings:
        return replace(report, messages=(f"not enough readings: {len(window)}, and {limits.readings} are needed",))
    columns, messages = _comparable(reference, window)
    return _tested(replace(report, messages=tuple(messages)), reference, window, columns, limits)


def _comparable(reference: Reference, window: Sample) -> tuple[dict[str, NDArray], list[str]]:
    """The columns of the window that can be compared, and what is to be said of the others."""
    same = np.array([dict(models) == dict(reference.models) for models in window.models])
    messages, columns = [], {}
    if not same.all():
        known = ", ".join(reference.models.values())
        messages.append(
            f"{int((~same).sum())} readings are by other models than the reference ({known}): their confidences are "
            "left out"
        )
    for name, column in {**window.numbers, **window.names}.items():
        if name in NOT_COMPARED:
            continue
        if name in OF_THE_MODEL:
            column = np.where(same, column, np.nan)
        then, now = (len(_known(values)) for values in (_column(reference.sample, name), column))
        if min(then, now) >= _LEAST_VALUES:
            columns[name] = column
        else:
            messages.append(f"{name} is not compared: {then} values in the reference, {now} in the window")
    return columns, messages


def _tested(
    report: DriftReport, reference: Reference, window: Sample, columns: Mapping[str, NDArray], limits: Limits
) -> DriftReport:
    found = [_feature(name, reference, column, window) for name, column in columns.items()]
    numbers = [name for name in columns if name in window.numbers]
    told = None
    if numbers:
        both = [np.column_stack([side[name] for name in numbers]) for side in (reference.sample.numbers, columns)]
        told = separation(both[0], both[1], reference.sample.blocks, window.blocks)
    *raised, last = holm([feature.p_value for feature in found] + [told.p_value if told else 1.0])
    features = tuple(
        replace(feature, p_value=p, drifted=p < limits.level and feature.index >= limits.index)
        for feature, p in zip(found, raised, strict=True)
    )
    together = told is not None and last < limits.level and told.area >= limits.area
    area, p_value = (told.area, last) if told else (None, None)
    drift = together or any(feature.drifted for feature in features)
    return replace(report, drift=drift, features=features, area=area, p_value=p_value, together=together)


def _feature(name: str, reference: Reference, column: NDArray, window: Sample) -> FeatureDrift:
    """One feature, its p-value not corrected yet."""
    sides = [(_column(reference.sample, name), reference.sample.blocks), (column, window.blocks)]
    known = [values != "" if values.dtype.kind == "U" else ~np.isnan(values) for values, _ in sides]
    kept = [values[is_known] for (values, _), is_known in zip(sides, known, strict=True)]
    kinds, coded = np.unique(np.concatenate(kept), return_inverse=True)
    codes = np.split(coded.astype(float), [len(kept[0])])
    sizes = [
        effective_size(values, [block for block, is_known in zip(blocks, mask, strict=True) if is_known])
        for values, (_, blocks), mask in zip(codes, sides, known, strict=True)
    ]
    if column.dtype.kind == "U":
        return _names(name, kinds, codes, sizes)
    then, now = kept
    distance = ks_distance(then, now)
    edges = np.unique(reference.quantiles[name][1:-1])
    counts = [_counts(values, edges) for values in kept]
    index = _index(counts[0], counts[1], sizes)
    p_value = ks_p_value(distance, *sizes)
    return FeatureDrift(name, float(np.median(then)), float(np.median(now)), distance, p_value, index, len(now), False)


def _names(name: str, kinds: NDArray, codes: list[NDArray], sizes: list[float]) -> FeatureDrift:
    """Each kind against all others; the least p-value, times how many kinds there are."""
    counts = [np.bincount(code.astype(int), minlength=len(kinds)) for code in codes]
    shares = [count / count.sum() for count in counts]
    totals = [max(1, round(size)) for size in sizes]
    p_values = [
        fisher_p_value(round(then * totals[0]), totals[0], round(now * totals[1]), totals[1])
        for then, now in zip(*shares, strict=True)
    ]
    usual = [str(kinds[count.argmax()]) for count in counts]
    p_value = min(1.0, min(p_values) * len(kinds))
    distance = float(np.abs(shares[0] - shares[1]).sum()) / 2
    index = _index(counts[0], counts[1], sizes)
    return FeatureDrift(name, usual[0], usual[1], distance, p_value, index, int(counts[1].sum()), False)


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Values between edges, and exactly on each of them: where all values were the same, any other is news."""
    at = np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")
    return np.bincount(at, minlength=2 * len(edges) + 1)


def _index(then: NDArray[np.int64], now: NDArray[np.int64], sizes: list[float]) -> float:
    seen = then + now > 0
    return stability_index(then[seen] / then.sum(), now[seen].astype(float), *sizes)


def _column(sample: Sample, name: str) -> NDArray:
    columns = {**sample.numbers, **sample.names}
    return columns[name] if name in columns else np.full(len(sample), np.nan)


def _known(column: NDArray) -> NDArray:
    return column[column != ""] if column.dtype.kind == "U" else column[~np.isnan(column)]
