"""How a fine-tuning goes, by the number of lines; the numbers were chosen by measurement (docs/fine-tuning.md).

What happens beside the steps of a fine-tuning: the time limit, and the weights that it began with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

from text_recognizer.atomic_files import whole_file
from text_recognizer.learning.distributed import say
from text_recognizer.learning.experiments.callbacks import Clock

#: All of them: what letters look like is known, who writes them how is learned by what stands above the CNN.
ALL_CONVOLUTIONS = 1000

START = "start.pt"  # in the folder of the run

_FALL = 0.3  # the last share of the time, in which the learning rate falls


@dataclass(frozen=True)
class Plan:
    """copies: how often each own line is taken in an epoch. rehearsal: lines of the old data in an epoch. epochs:
    passes over both. learning_rate: at its peak. frozen: convolutions, from the first, that stay as they are.
    alpha: weight of the new weights, interpolated with the old; alpha_alone: where there is nothing to rehearse."""

    copies: int
    rehearsal: int
    epochs: int
    learning_rate: float = 1e-3
    frozen: int = ALL_CONVOLUTIONS
    alpha: float = 0.75
    alpha_alone: float = 0.5


_STEPS = 15  # for one line; they grow with the root of the lines
_LINES_A_STEP = 7  # about: of 900 columns
_MORE_STEPS = 12  # of an epoch: the last batch of each width is filled up
_EPOCH = 100  # own lines in an epoch, at least
_REHEARSAL = 0.25  # of all lines


def plan_for(lines: int) -> Plan:
    """The plan for so many own lines: some 105 steps for 50 lines, 335 for 500, 1,060 for 5,000."""
    copies = max(1, math.ceil(_EPOCH / lines))
    rehearsal = round(lines * copies * _REHEARSAL / (1 - _REHEARSAL))
    steps = (lines * copies + rehearsal) / _LINES_A_STEP + _MORE_STEPS
    return Plan(copies, rehearsal, epochs=max(1, round(_STEPS * math.sqrt(lines) / steps)))


class KeepStart(Callback):
    """Stores the weights that the run begins with in its folder, to take the mean with them at the end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / START

    def on_fit_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Write them, unless the run goes on."""
        if not self.path.exists():
            with whole_file(self.path) as file:
                torch.save(module.state_dict(), file)


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
