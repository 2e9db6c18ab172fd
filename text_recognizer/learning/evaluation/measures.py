"""Measures of a validation: their names, and whether more or less of each is better. Needs no PyTorch.

A run records the measures of its task (`recorded`), so that a leaderboard can read them without the task's code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["min", "max"]


@dataclass(frozen=True)
class Measure:
    """name: as metrics end, `iam-val/cer`. better: "min" of errors and losses, "max" of shares that are right."""

    name: str
    better: Better

    def mean(self, metrics: Mapping[str, Any]) -> float | None:
        """The mean over all validation sets in `metrics`, None where nothing was validated."""
        found = [float(value) for name, value in metrics.items() if name.endswith(f"/{self.name}")]
        return sum(found) / len(found) if found else None

    def improves(self, score: float, other: float) -> bool:
        """Whether a score is better than another one."""
        return score > other if self.better == "max" else score < other


CER, WER = Measure("cer", "min"), Measure("wer", "min")
ACCURACY = Measure("accuracy", "max")
CLASS_MEAN, IGNORING_CASE = Measure("class_mean", "max"), Measure("ignoring_case", "max")
PIXEL_F1 = Measure("pixel_f1", "max")

#: By what a run is judged that did not record it: the first one that it logged.
_BEFORE = (PIXEL_F1, ACCURACY, CER, WER, CLASS_MEAN, IGNORING_CASE)


def recorded(measures: Sequence[Measure]) -> str:
    """Measures as a run records them, the main one first.

    >>> recorded([CER, WER])
    'cer:min wer:min'
    """
    return " ".join(f"{measure.name}:{measure.better}" for measure in measures)


def measures_of(record: str, metrics: Mapping[str, Any]) -> list[Measure]:
    """The measures of a run, the main one first; of one that recorded none, those that its metrics are known for."""
    if record:
        pairs = (text.split(":") for text in record.split())
        return [Measure(name, "max" if better == "max" else "min") for name, better in pairs]
    return [measure for measure in _BEFORE if measure.mean(metrics) is not None]
