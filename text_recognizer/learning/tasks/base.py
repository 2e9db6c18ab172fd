"""What the tasks share: sections of an experiment, AdamW and its schedule, freezing, bases of modules and data.

The learning rate warms up linearly and falls as a cosine to zero (AdamW: Loshchilov and Hutter, 2019). Where `decay`
is below 1 it stays at its peak before it falls (warm-up, stable, decay: Hu et al., "MiniCPM", 2024): a run whose end
is not known yet can be made longer at any time before, with nothing learned at too low a rate.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import cv2
import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from text_recognizer.learning import networks
from text_recognizer.learning.distributed import gathered
from text_recognizer.learning.evaluation.error_rates import error_rates

#: An image uint8 (H, W) of a validation set, its label, and what the network makes of it.
Sample = tuple[NDArray[np.uint8], str, str]


class Order(Protocol):
    """The order of an epoch's batches: a sampler that can begin anywhere."""

    epoch: int

    def __len__(self) -> int: ...

    def start_at(self, epoch: int, done: int = 0) -> None:
        """The epoch to give, and how many of its batches were done before an interruption."""
        ...


@dataclass(frozen=True)
class UsedSource:
    """A source of a run: its name, what its scores call it, its dataset (or datasets), its folder if it has one."""

    name: str
    title: str
    dataset: Any
    path: str = ""


class DataModule(lightning.LightningDataModule):
    """The base of data modules: where an epoch begins, what is switched off to learn by heart, what is used.

    data: the section of the experiment, with the sources `train` and `val`. order: of the training batches, None where
    they are drawn at random. train, val: the samples of all training sources, and of each validation source; their
    `parts` are the datasets of the sources.
    """

    data: Any
    order: Order | None = None
    train: Any = None
    val: Any = ()

    def begin_epoch(self, epoch: int) -> None:
        """Take the order of that epoch, unless it was begun already: a run that goes on may be in the midst of it."""
        if self.order is not None and self.order.epoch != epoch:
            self.order.start_at(epoch)

    def start_at(self, epoch: int, batches: int, processes: int = 1) -> None:
        """Go on in an epoch of which `batches` are done, where so many processes share them out."""
        if self.order is not None:
            # The processes do not yet know of each other here: the order is still the whole one.
            share = -(-len(self.order) // processes)
            self.order.start_at(epoch, batches % share)

    def without_augmentation(self) -> None:
        """Give every sample as it is."""
        self.train.augmentation = None

    def sources(self) -> list[UsedSource]:
        """The sources of the run with their datasets, whose versions it records."""
        parts = [part for samples in (self.train, *self.val) for part in samples.parts]
        return [
            UsedSource(source.name, getattr(source, "title", source.name), part, getattr(source, "path", ""))
            for source, part in zip([*self.data.train, *self.data.val], parts, strict=True)
        ]


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
        """Another order of the data every epoch."""
        self.trainer.datamodule.begin_epoch(self.current_epoch)  # type: ignore[attr-defined]

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
    norm of the gradient. pretrained_factor: by which the rate is multiplied for all layers but the network's new ones
    (`networks.new_layers`), where it begins with weights from elsewhere."""

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.04
    decay: float = 1.0
    ema_decay: float = 0.999
    gradient_clip: float = 2.0
    pretrained_factor: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1:
            raise ValueError(f"optimization.decay is a share of the steps, above 0 and at most 1, not {self.decay}")
        if not self.pretrained_factor > 0:
            raise ValueError(f"optimization.pretrained_factor is above 0, not {self.pretrained_factor}")


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential moving average of weights whose memory grows to `decay`, so that it soon forgets the start."""

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        return averaged * keep + current * (1 - keep)

    return average


def optimizer_and_schedule(network: nn.Module, config: Optimization, steps: int) -> dict[str, Any]:
    """What Lightning's `configure_optimizers` returns. Biases and normalisation do not decay."""
    optimizer = torch.optim.AdamW(_groups(network, config), lr=config.learning_rate, betas=(0.9, 0.99))
    warm = max(1, int(steps * config.warmup))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        falling = max(1, round((steps - warm) * config.decay))
        return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0, step - steps + falling) / falling)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _groups(network: nn.Module, config: Optimization) -> list[dict[str, Any]]:
    """The parameters by learning rate (that of new layers, or of pre-trained ones) and by weight decay."""
    new, groups = networks.new_layers(network), defaultdict[tuple[float, bool], list[nn.Parameter]](list)
    for name, parameter in network.named_parameters():
        factor = 1.0 if name.partition(".")[0] in new else config.pretrained_factor
        groups[config.learning_rate * factor, parameter.ndim > 1].append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": config.weight_decay if decays else 0.0}
        for (rate, decays), parameters in sorted(groups.items(), key=lambda group: group[0], reverse=True)
    ]


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
