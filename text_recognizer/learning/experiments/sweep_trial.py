"""One trial of a sweep: an ordinary run in a process of Ray's, which waits after each validation for its verdict."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import Any

import lightning
from ray import tune

from text_recognizer.learning.experiments.callbacks import StoppedByUserError
from text_recognizer.learning.experiments.run import run_dir, train
from text_recognizer.learning.experiments.sweep_config import Sweep, decoded, trial_experiment

#: What trials report beside the metrics of their validations: epochs done.
EPOCH = "epoch"

_PATIENCE = 120  # seconds that a trial gets to write its checkpoint when it is stopped


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
