"""How long and how to train: the `trainer` section of every experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
