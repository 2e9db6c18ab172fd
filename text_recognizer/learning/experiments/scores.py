"""Which number says how good a run is: the one that patience watches and the leaderboard sorts by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: End of the name of the main metric of a task, and whether more of it is better.
_MAIN = {"lines": ("/cer", False), "characters": ("/accuracy", True), "detector": ("/pixel_f1", True)}
_OTHERS = ("/cer", False)  # tasks whose answer is text


def main_metric(task: str) -> str:
    """The name of the main metric of a task, without the dataset."""
    return _MAIN.get(task, _OTHERS)[0].lstrip("/")


def main_score(metrics: Mapping[str, Any], task: str) -> float | None:
    """The mean of a task's main metric over the validation sets, None where nothing was validated."""
    end = _MAIN.get(task, _OTHERS)[0]
    found = [float(value) for name, value in metrics.items() if name.endswith(end)]
    return sum(found) / len(found) if found else None


def better(one: float, other: float, task: str) -> bool:
    """Whether a score is better than another one of the same task."""
    return one > other if higher_is_better(task) else one < other


def higher_is_better(task: str) -> bool:
    """Whether more is better: of shares that are right, not of error rates."""
    return _MAIN.get(task, _OTHERS)[1]
