"""What happens beside the steps of a training: the eye on the loss, on the machine, on Ctrl-C and on the score."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import torch
from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from torch import Tensor

from text_recognizer.learning.evaluation.measures import Measure

_SOON = 3  # steps after which the bar first says how busy the machine is


class NonFiniteLossError(ValueError):
    """The loss is no number any more."""


class StoppedByUserError(Exception):
    """Somebody wants the training to stop; a checkpoint is saved."""


class FiniteLoss(Callback):
    """Stops a run whose loss is no number, before it spoils the weights, with the batch saved in the run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.batch: Any = None

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Keep the batch that the loss will be of."""
        self.batch = batch

    def on_before_backward(self, trainer: Any, module: Any, loss: Tensor) -> None:  # noqa: ARG002
        """Raises NonFiniteLossError where the loss is infinite or no number."""
        if torch.isfinite(loss).all():
            return
        path = self.folder / f"bad-batch-{trainer.global_rank}.pt"
        self.folder.mkdir(parents=True, exist_ok=True)
        where = {"epoch": trainer.current_epoch, "step": trainer.global_step, "loss": loss.detach().cpu()}
        torch.save({"batch": self.batch, **where}, path)
        cause = (
            "the images of this batch hold values that are no numbers: look at its data"
            if not _finite(self.batch)
            else "try a lower --learning-rate, a longer --warmup, or --precision=32-true"
        )
        raise NonFiniteLossError(
            f"the loss is {float(loss.detach())} in epoch {where['epoch']}, step {where['step']}: {cause}. "
            f"The batch is in {path}; --resume goes on from the last checkpoint"
        )


def _finite(batch: Any) -> bool:
    images = batch.get("image") if isinstance(batch, dict) else getattr(batch, "images", None)
    return not isinstance(images, Tensor) or bool(torch.isfinite(images).all())


class Interruption(Callback):
    """Ctrl-C ends a run after the step in hand, with a checkpoint; the second Ctrl-C ends it at once."""

    def __init__(self, checkpoint: Path, say: Callable[[str], None]) -> None:
        self.checkpoint, self.say, self.asked = checkpoint, say, False
        self._before: Any = None

    def on_train_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Listen, where this thread may. Not earlier: Lightning keeps and restores the handlers that it finds."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)

    def _ask(self, *_: Any) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self._before or signal.default_int_handler)
        self.say("stopping after this step, or after the validation; Ctrl-C again stops at once, without a checkpoint")

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Save a checkpoint and raise StoppedByUserError, where somebody asked (of any process of the run)."""
        if self._anyone(trainer):
            trainer.save_checkpoint(self.checkpoint)
            raise StoppedByUserError

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """The same after a validation: the checkpoint of the epoch was just saved."""
        if self._anyone(trainer) and self.checkpoint.exists():
            raise StoppedByUserError

    def _anyone(self, trainer: Any) -> bool:
        if trainer.world_size == 1:
            return self.asked
        return bool(trainer.strategy.reduce_boolean_decision(self.asked, all=False))

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:  # noqa: ARG002
        """Stop listening."""
        self._leave()

    def teardown(self, trainer: Any, module: Any, stage: str) -> None:  # noqa: ARG002
        """Stop listening."""
        self._leave()

    def _leave(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None


class Patience(Callback):
    """Ends a run after so many validations in which its main measure got no better."""

    def __init__(self, measure: Measure, patience: int, say: Callable[[str], None]) -> None:
        self.measure, self.patience, self.say = measure, patience, say
        self.best: float | None = None
        self.waited = 0

    def on_validation_end(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Compare the score with the best one."""
        score = self.measure.mean(trainer.callback_metrics)
        if score is None:
            return
        if self.best is None or self.measure.improves(score, self.best):
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            trainer.should_stop = True
            self.say(f"stopped: no better than {self.best:.4f} in {self.waited} validations (trainer.patience)")

    def state_dict(self) -> dict[str, Any]:
        """The best score and the validations since, for a run that goes on."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them up again."""
        self.best, self.waited = state_dict["best"], state_dict["waited"]


class Clock(Callback):
    """Counts and logs the minutes of a run, those before an interruption too."""

    def __init__(self) -> None:
        self.before, self.started = 0.0, 0.0

    @property
    def minutes(self) -> float:
        """Since the run first began, pauses left out."""
        return self.before + (time.monotonic() - self.started) / 60

    def on_fit_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Start counting."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Log the minutes."""
        module.log("minutes", self.minutes, rank_zero_only=True)

    def state_dict(self) -> dict[str, Any]:
        """The minutes until now."""
        return {"minutes": self.minutes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The minutes until the interruption."""
        self.before = state_dict["minutes"]


class Utilization(Callback):
    """How busy the machine is: shares of time waiting for data, of the CPU's and of the GPU's, over the last steps."""

    def __init__(self, every: int = 20) -> None:
        self.every, self.steps = every, 0
        self.shares: dict[str, float] = {}
        self._waited = self._ended = self._since = 0.0

    def on_train_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """Begin."""
        psutil.cpu_percent(None)
        self._waited, self._ended, self._since = 0.0, 0.0, time.monotonic()

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """What passed since the last step ended went into getting this batch."""
        self._waited += time.monotonic() - self._ended if self._ended else 0.0

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Every so many steps, measure and log."""
        self._ended = time.monotonic()
        self.steps += 1
        if self.steps % self.every == 0 or self.steps == _SOON:
            self.shares = self._measure(module.device)
            module.log_dict({f"machine/{name}": share for name, share in self.shares.items()}, rank_zero_only=True)

    def on_validation_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        """A validation is no waiting."""
        self._ended = 0.0

    def _measure(self, device: torch.device) -> dict[str, float]:
        waiting = self._waited / max(self._ended - self._since, 1e-9)
        self._waited, self._since = 0.0, self._ended
        shares = {"waiting": waiting, "cpu": psutil.cpu_percent(None) / 100}
        if device.type == "cuda":
            with suppress(ImportError, RuntimeError):  # NVIDIA's library for it may not be installed
                shares["gpu"] = torch.cuda.utilization(device) / 100
        return shares


class ProgressBar(TQDMProgressBar):
    """The bar, with how busy the machine is."""

    def __init__(self, utilization: Utilization) -> None:
        super().__init__(refresh_rate=20)
        self.utilization = utilization

    def get_metrics(self, trainer: Any, module: Any) -> dict[str, Any]:
        """The metrics beside the bar."""
        metrics = super().get_metrics(trainer, module)
        metrics.pop("v_num", None)
        return metrics | {name: f"{share:.0%}" for name, share in self.utilization.shares.items()}
