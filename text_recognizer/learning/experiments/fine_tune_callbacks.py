"""What happens beside the steps of a fine-tuning: the time limit, and the weights that it began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

from text_recognizer.learning.experiments.callbacks import Clock
from text_recognizer.learning.training.ranks import say

START = "start.pt"  # in the folder of the run

_FALL = 0.3  # the last share of the time, in which the learning rate falls


class KeepStart(Callback):
    """Stores the weights that the run begins with in its folder, to take the mean with them at the end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / START

    def on_fit_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Write them, unless the run goes on."""
        if not self.path.exists():
            partial = self.path.with_suffix(".partial")
            torch.save(module.state_dict(), partial)
            partial.replace(self.path)


class TimeLimit(Callback):
    """Ends a run after so many minutes of training; the learning rate falls before that."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Lower the rate, which the schedule sets anew at each step."""
        share = self._share(trainer)
        if share > 1 - _FALL:
            for group in trainer.optimizers[0].param_groups:
                group["lr"] *= max(0.0, 1 - share) / _FALL

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Stop, where the time is over."""
        if self._share(trainer) >= 1 and not trainer.should_stop:
            trainer.should_stop = True
            say(f"stopped after {self.minutes:g} minutes (--minutes)")

    def _share(self, trainer: Any) -> float:
        clock = next(callback for callback in trainer.callbacks if isinstance(callback, Clock))
        return clock.minutes / self.minutes
