"""What came of the trials of a sweep: written down as they go, so that it is there whatever happens to the sweep."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ray import tune

from text_recognizer.learning.experiments.sweep_config import Sweep, decoded, overrides
from text_recognizer.learning.experiments.sweep_trial import EPOCH

_FILE = "trials.json"
FINISHED, EARLY, FAILED, UNFINISHED = "finished", "stopped early", "failed", "not finished"


@dataclass(frozen=True)
class TrialResult:
    """A trial: its run, its state, the searched fields with their values, epochs done, and the metric after the last
    of them (None where nothing was validated). error: the last line of a failure."""

    name: str
    state: str = UNFINISHED
    values: dict[str, Any] = field(default_factory=dict)
    epochs: int = 0
    score: float | None = None
    error: str = ""


def read_results(folder: Path) -> list[TrialResult]:
    """The trials that a sweep began, in the order of their names; folder: the sweep's."""
    path = folder / _FILE
    if not path.is_file():
        return []
    rows = json.loads(path.read_text(encoding="utf-8"))
    return sorted((TrialResult(**row) for row in rows), key=lambda result: result.name)


class Record(tune.Callback):
    """Writes down and says when a trial begins, when it has a score, and how it ends. epochs: of a whole trial."""

    def __init__(self, sweep: Sweep, folder: Path, epochs: int, say: Callable[[str], None] = print) -> None:
        self.sweep, self.folder, self.epochs, self.say = sweep, folder, epochs, say

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:  # noqa: ARG002
        """What is tried."""
        values = decoded(self.sweep, trial.config)
        self._write(trial, state=UNFINISHED, values=values, error="")
        self.say(f"{trial}: {' '.join(overrides(values))}")

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:  # noqa: ARG002
        """How good it is after some epochs."""
        score = result.get(self.sweep.metric)
        if score is not None:
            self._write(trial, score=score, epochs=result[EPOCH])
            self.say(f"{trial}: {self.sweep.metric} {score:.4f} after {result[EPOCH]} epochs")

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:  # noqa: ARG002
        """Whether it came to its end."""
        done = trial.last_result.get(EPOCH, 0)
        self._write(trial, state=FINISHED if done >= self.epochs else EARLY)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:  # noqa: ARG002
        """What went wrong, in full in a file of its own."""
        text = Path(trial.error_file).read_text(encoding="utf-8") if trial.error_file else "no error was kept"
        (self.folder / f"{trial}-error.txt").write_text(text, encoding="utf-8")
        error = text.strip().splitlines()[-1]
        self._write(trial, state=FAILED, error=error)
        self.say(f"{trial}: failed: {error}")

    def _write(self, trial: Any, **changes: Any) -> None:
        results = {result.name: result for result in read_results(self.folder)}
        results[str(trial)] = replace(results.get(str(trial), TrialResult(str(trial))), **changes)
        partial = self.folder / f".{_FILE}.partial"
        partial.write_text(json.dumps([asdict(result) for result in results.values()], indent=2), encoding="utf-8")
        partial.replace(self.folder / _FILE)
