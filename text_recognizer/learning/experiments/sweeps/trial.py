"""One trial of a sweep: an ordinary run in a process of Ray's, which waits after each validation for its verdict.

What came of the trials of a sweep: written down as they go, so that it is there whatever happens to the sweep.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning
from ray import tune

from text_recognizer.atomic_files import write_file
from text_recognizer.learning.experiments.callbacks import StoppedByUserError
from text_recognizer.learning.experiments.run import run_dir, train
from text_recognizer.learning.experiments.sweeps.config import Sweep, decoded, overrides, trial_experiment

#: What trials report beside the metrics of their validations: epochs done.
EPOCH = "epoch"

_PATIENCE = 120  # seconds that a trial gets to write its checkpoint when it is stopped

_FILE = "trials.json"
FINISHED, EARLY, FAILED, UNFINISHED = "finished", "stopped early", "failed", "not finished"


class Reporter(lightning.Callback):
    """Hands the metrics of each validation over and waits; ends the run where Tune wants no more of it.

    folder: of the run. A run that is stopped after a validation ends as if these had been all its epochs; one that is
    stopped within an epoch leaves a checkpoint to go on from.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results: queue.Queue[dict[str, Any]] = queue.Queue()
        self.last: dict[str, Any] = {}
        self._go, self._stopping = threading.Semaphore(0), threading.Event()

    def on_validation_end(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Report the metrics; at the end of the last epoch the end of the training does it."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.last = {**metrics, EPOCH: trainer.current_epoch + 1}
        if trainer.current_epoch + 1 < trainer.max_epochs and not self._stopping.is_set():
            self.results.put(self.last)
            self._go.acquire()
        if self._stopping.is_set():
            trainer.should_stop = True

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Where the sweep was interrupted, save a checkpoint and raise StoppedByUserError."""
        if self._stopping.is_set() and not trainer.should_stop:
            trainer.save_checkpoint(self.folder / "last.ckpt")
            raise StoppedByUserError

    def state_dict(self) -> dict[str, Any]:
        """The last metrics, for a run that was interrupted after its last validation."""
        return {"last": self.last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them up again."""
        self.last = state_dict["last"]

    def go(self) -> None:
        """Let the run go on."""
        self._go.release()

    def stop(self) -> None:
        """Let the run end as soon as it can."""
        self._stopping.set()
        self.go()


class Trial(tune.Trainable):
    """What Ray Tune calls: a step is the time from one validation to the next."""

    def setup(  # type: ignore[override]  # Tune hands over what `with_parameters` was given
        self, config: dict[str, Any], sweep: Sweep, path: str, environment: dict[str, str]
    ) -> None:
        """Start the run in a thread.

        config: the searched fields. path: the experiment's file. environment: the folders of data and cache.
        """
        os.environ.update(environment)
        self.sweep, self.path = sweep, path
        self._start(config)

    def _start(self, config: dict[str, Any]) -> None:
        experiment = trial_experiment(Path(self.path), self.sweep, decoded(self.sweep, config), self.trial_name)
        # A trial has its cores and no more: PyTorch would take all of the machine's for each.
        experiment.trainer.threads = experiment.trainer.threads or max(1, int(self.sweep.resources.cpus))
        self.reporter = Reporter(run_dir(experiment))
        self.thread = threading.Thread(target=self._train, args=(experiment, self.reporter), daemon=True)
        self.thread.start()

    @staticmethod
    def _train(experiment: Any, reporter: Reporter) -> None:
        try:
            resume = (reporter.folder / "last.ckpt").exists()
            train(experiment, resume=resume, callbacks=[reporter])
            reporter.results.put({**reporter.last, "done": True})
        except BaseException as error:
            reporter.results.put({"error": error})

    def step(self) -> dict[str, Any]:
        """The metrics of the next validation. Raises what the training raises."""
        if self.iteration:
            self.reporter.go()
        result = self.reporter.results.get()
        if "error" in result:
            raise result["error"]
        return result

    def cleanup(self) -> None:
        """End the run, with a checkpoint."""
        self.reporter.stop()
        self.thread.join(_PATIENCE)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial in this process: PyTorch is loaded already."""
        self.cleanup()
        if self.thread.is_alive():
            return False
        self._start(new_config)
        return True


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
        content = json.dumps([asdict(result) for result in results.values()], indent=2)
        write_file(self.folder / _FILE, content.encode())
