"""Readings as samples for tests: columns of features, and which readings are alike because they came together."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from text_recognizer.service.monitoring.features import (
    FEATURES_VERSION,
    NAMES,
    NUMBERS,
    ReadingFeatures,
    RecordedReading,
)

DIGITS = 4  # of numbers that are compared, as many as a reference keeps: with more, equal values would differ from it
_CLOCKS_DIFFER = timedelta(minutes=5)  # of several machines, which is no jump


@dataclass(frozen=True)
class Sample:
    """Columns of N readings: numbers (N,) float64 with NaN where there is none, names "" where there is none; blocks:
    readings of one block are alike; models: what read each."""

    numbers: Mapping[str, NDArray[np.float64]]
    names: Mapping[str, NDArray[np.str_]]
    blocks: Sequence[Hashable]
    models: Sequence[Mapping[str, str]]

    def __len__(self) -> int:
        return len(self.blocks)

    @classmethod
    def of(cls, features: Sequence[ReadingFeatures], blocks: Sequence[Hashable]) -> Sample:
        """The columns of readings, each with its block."""
        numbers = {name: np.array([_rounded(getattr(f, name)) for f in features], np.float64) for name in NUMBERS}
        names = {name: np.array([getattr(f, name) for f in features], np.str_) for name in NAMES}
        return cls(numbers, names, list(blocks), [f.models for f in features])

    def rows(self, chosen: Sequence[int] | NDArray[np.int64]) -> Sample:
        """Some of its readings."""
        at = np.asarray(chosen, np.int64)
        return Sample(
            {name: column[at] for name, column in self.numbers.items()},
            {name: column[at] for name, column in self.names.items()},
            [self.blocks[k] for k in at],
            [self.models[k] for k in at],
        )


@dataclass(frozen=True)
class Usable:
    """Readings that can be tested, oldest first, each with its block."""

    features: Sequence[ReadingFeatures]
    blocks: Sequence[Hashable]


def usable(
    rows: Iterable[RecordedReading], unit: str, now: datetime, version: int = FEATURES_VERSION
) -> tuple[Usable, Counter[str]]:
    """What of recorded readings can be tested, and why the others cannot: reason -> how many.

    Tests want independent readings. Pages of one document are not: one of them is taken, always the same. Readings of
    one hour may come from one person: an hour is a block. What is left is taken to be independent.
    """
    left_out: Counter[str] = Counter()
    documents: dict[str, list[RecordedReading]] = {}
    for row in rows:
        reason = _why_not(row.features, unit, now, version)
        if reason:
            left_out[reason] += 1
        else:
            documents.setdefault(row.document, []).append(row)
    chosen = []
    for document, pages in documents.items():
        pages.sort(key=lambda row: row.page)
        chosen.append(pages[zlib.crc32(document.encode()) % len(pages)].features)
        left_out["further pages of a document"] += len(pages) - 1
    chosen.sort(key=lambda features: features.created)
    return Usable(chosen, [int(f.created.timestamp() // 3600) for f in chosen]), +left_out


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else math.nan


def _why_not(features: ReadingFeatures, unit: str, now: datetime, version: int) -> str:
    if features.created > now + _CLOCKS_DIFFER:
        return "times in the future (has a clock jumped?)"
    if features.version != version:
        return f"features of version {features.version}, not {version}"
    if features.unit != unit:
        return f"readings of a {features.unit}, not of a {unit}"
    return ""
