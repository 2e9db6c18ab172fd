"""What the tasks share: common sections of an experiment, AdamW and its schedule, freezing, the base of text modules.

The learning rate warms up linearly and falls as a cosine to zero (AdamW: Loshchilov and Hutter, 2019). Where `decay`
is below 1 it stays at its peak before it falls (warm-up, stable, decay: Hu et al., "MiniCPM", 2024): a run whose end
is not known yet can be made longer at any time before, with nothing learned at too low a rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from text_recognizer.learning.distributed import gathered
from text_recognizer.learning.evaluation.error_rates import error_rates

#: An image uint8 (H, W) of a validation set, its label, and what the network makes of it.
Sample = tuple[NDArray[np.uint8], str, str]


class TextModule(lightning.LightningModule):
    """The base of modules whose network reads text: order of the data, error rates, optimiser.

    A subclass sets `network`, and in its `validation_step` adds pairs of a reading and the true text to `readings`,
    which has a list for each of `val_names`.
    """

    network: nn.Module

    def __init__(self, optimization: Optimization, val_names: list[str]) -> None:
        super().__init__()
        self.optimization, self.val_names = optimization, val_names
        self.readings: list[list[tuple[str, str]]] = []

    def on_train_epoch_start(self) -> None:
        """Another order of the data every epoch, unless a few batches are to be learned by heart."""
        order = self.trainer.datamodule.order  # type: ignore[attr-defined]
        if order.epoch != self.current_epoch and not getattr(self.trainer, "overfit_batches", 0):
            order.start_at(self.current_epoch)

    def on_validation_epoch_start(self) -> None:
        """Forget the readings of the last validation."""
        self.readings = [[] for _ in self.val_names]

    def on_validation_epoch_end(self) -> None:
        """Log CER and WER of each validation source; a newline counts as a space."""
        for name, readings in zip(self.val_names, self.readings, strict=True):
            if pairs := gathered(readings):
                rates = error_rates([text for text, _ in pairs], [reference for _, reference in pairs])
                self.log(f"{name}/cer", rates.cer, prog_bar=True)
                self.log(f"{name}/wer", rates.wer)

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine."""
        return optimizer_and_schedule(self.network, self.optimization, int(self.trainer.estimated_stepping_batches))


def one_thread(_: int) -> None:
    """A data worker's OpenCV takes one thread: the cores belong to the network."""
    cv2.setNumThreads(0)


@dataclass
class NetworkChoice:
    """A registered network and the fields of its config that differ from the defaults."""

    name: str = "crnn"
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass
class Frozen:
    """convolutions: so many of them, from the first, stay as they are, with their normalisation. statistics: all batch
    normalisation keeps its mean and variance; its scale and shift learn."""

    convolutions: int = 0
    statistics: bool = False

    def __post_init__(self) -> None:
        if self.convolutions < 0:
            raise ValueError(f"frozen.convolutions is a number of layers, not {self.convolutions}")


def freeze(network: nn.Module, frozen: Frozen) -> None:
    """Freeze layers of a network in place; to be called again where it was put into training mode meanwhile."""
    seen, still = 0, False
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            seen += 1
            still = seen <= frozen.convolutions
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d) and still:
            module.requires_grad_(False)
        if isinstance(module, nn.BatchNorm2d) and (still or frozen.statistics):
            module.eval()


@dataclass
class Optimization:
    """learning_rate: at its peak. warmup: share of all steps. decay: share of the steps after that, the last ones, in
    which the rate falls. ema_decay: of the averaged weights that are validated and exported. gradient_clip: largest
    norm of the gradient."""

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.04
    decay: float = 1.0
    ema_decay: float = 0.999
    gradient_clip: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1:
            raise ValueError(f"optimization.decay is a share of the steps, above 0 and at most 1, not {self.decay}")


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential moving average of weights whose memory grows to `decay`, so that it soon forgets the start."""

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        return averaged * keep + current * (1 - keep)

    return average


def optimizer_and_schedule(network: nn.Module, config: Optimization, steps: int) -> dict[str, Any]:
    """What Lightning's `configure_optimizers` returns. Biases and normalisation do not decay."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))
    warm = max(1, int(steps * config.warmup))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        falling = max(1, round((steps - warm) * config.decay))
        return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0, step - steps + falling) / falling)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@dataclass
class Trainer:
    """How long and how to train.

    precision: as Lightning names it, or "auto": bfloat16 where the machine computes with it, else float32.
    validate_every: epochs. checkpoint_minutes: between checkpoints. threads: of PyTorch, 0 for its own choice.
    limit: share of the batches of an epoch (1.0 for all). accumulate: batches whose gradients make one step.
    patience: stop after so many validations without a better score, 0 for never.
    overfit_batches: learn so many batches by heart instead of training, and say whether that works.
    find_learning_rate: try rising learning rates instead of training, and suggest one.
    profiler: "simple" or "pytorch" writes where the time goes into the run's folder.
    tracker: where settings, curves and samples are recorded beside the run's own files.
    samples: readings of validation images that are written down after each validation.
    devices, nodes: GPUs (or processes on a CPU) of a machine, and machines. strategy: as Lightning names it.
    """

    epochs: int = 20
    precision: str = "auto"
    validate_every: int = 1
    checkpoint_minutes: float = 5.0
    threads: int = 0
    limit: float = 1.0
    accumulate: int = 1
    patience: int = 0
    overfit_batches: int = 0
    find_learning_rate: bool = False
    profiler: Literal["", "simple", "pytorch"] = ""
    tracker: Literal["mlflow", "wandb", "tensorboard", "none"] = "mlflow"
    samples: int = 16
    devices: int = 1
    nodes: int = 1
    strategy: str = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "validate_every", "accumulate", "devices", "nodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"trainer.{name} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.limit <= 1:
            raise ValueError(f"trainer.limit is a share of an epoch, above 0 and at most 1, not {self.limit}")
