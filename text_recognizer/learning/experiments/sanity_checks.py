"""Before a long training: can the network learn a few batches by heart, and which learning rate suits it?

Neither leaves weights behind, nor a run that is tracked.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.utils.data import DataLoader

from text_recognizer.learning.experiments.callbacks import FiniteLoss, ProgressBar, Utilization
from text_recognizer.learning.experiments.config import Experiment
from text_recognizer.learning.experiments.run import begin, build, prepare, run_dir
from text_recognizer.learning.experiments.trainer import hardware
from text_recognizer.learning.tasks.attention import AttentionModule
from text_recognizer.learning.tasks.detector import DetectorExperiment

PASSES = 1000  # over the batches that are to be learned by heart, unless more epochs are asked for
#: Losses that only a network that knows its batches reaches: of characters with smoothed labels, at best 0.4.
_LOSSES = {"lines": 0.2, "detector": 0.3, "characters": 0.5, "paragraphs": 0.2, "attention-lines": 0.2}
_RATES = 1e-6, 1.0  # learning rates that are tried
_STEPS = 100
_DIVERGED = 4.0  # times the lowest loss


@dataclass(frozen=True)
class Verdict:
    """Whether batches were learned by heart: the mean loss of the last pass over them, and after how many steps."""

    loss: float
    threshold: float
    steps: int

    @property
    def passed(self) -> bool:
        """Whether the loss is as low as it should be."""
        return self.loss < self.threshold

    def __str__(self) -> str:
        if self.passed:
            return f"pass: the network learns: loss {self.loss:.3f} (below {self.threshold}) after {self.steps} steps"
        return (
            f"fail: loss {self.loss:.3f} after {self.steps} steps, wanted below {self.threshold}: look for a wrong "
            "label, a loss that reaches no weight, a network too small, or another learning rate (--find-learning-rate)"
        )


def overfit(experiment: Experiment) -> Verdict:
    """Train on a few batches only (`trainer.overfit_batches`), without augmentation, dropout and what attention is
    taught against mistakes, until the loss says that they are known by heart, or long enough to see that it never will.
    Errors as of `run.train`."""
    settings = experiment.trainer
    prepare(experiment)
    module, data = build(experiment)
    begin(experiment, module, data)
    data.setup("fit")
    if isinstance(module, AttentionModule):
        module.learn_by_heart()
    if not isinstance(experiment, DetectorExperiment) and hasattr(data, "train"):  # the detector's views are fixed
        data.train.augmentation = None
    without_dropout(module)
    threshold = _LOSSES[experiment.task]
    few = list(itertools.islice(data.train_dataloader(), settings.overfit_batches))
    ear = _Listener(len(few), threshold)
    _fit(experiment, module, _FewBatches(few, max(PASSES, settings.epochs), data), [ear])
    return Verdict(ear.loss, threshold, ear.steps)


def without_dropout(module: nn.Module) -> None:
    """Switch dropout off: what is learned by heart needs no help to generalise."""
    for part in module.modules():
        for name in ("p", "dropout"):
            if isinstance(part, (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.RNNBase, nn.MultiheadAttention)) and (
                isinstance(getattr(part, name, None), float)
            ):
                setattr(part, name, 0.0)


class _FewBatches(lightning.LightningDataModule):
    """The same batches again and again, as one epoch."""

    def __init__(self, batches: list[Any], passes: int, origin: lightning.LightningDataModule) -> None:
        super().__init__()
        self.batches = batches * passes
        self.order = getattr(origin, "order", None)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.batches, batch_size=None, collate_fn=_as_it_is)  # type: ignore[arg-type]


def _as_it_is(batch: Any) -> Any:
    return batch


class _Listener(Callback):
    """Ends a run when the mean loss of the last `count` batches is below the threshold."""

    def __init__(self, count: int, threshold: float) -> None:
        self.losses: deque[float] = deque(maxlen=count)
        self.threshold, self.steps = threshold, 0

    @property
    def loss(self) -> float:
        return sum(self.losses) / max(1, len(self.losses))

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        loss = outputs["loss"] * trainer.accumulate_grad_batches
        # Attention is judged by what it reads alone.
        self.losses.append(float(module.text_loss if isinstance(module, AttentionModule) else loss))
        self.steps += 1
        trainer.should_stop = len(self.losses) == self.losses.maxlen and self.loss < self.threshold


def find_learning_rate(experiment: Experiment) -> tuple[float, Path]:
    """Train for 100 steps with a learning rate that rises from 1e-6 to 1, and suggest the one at which the loss falls
    fastest (Smith, "Cyclical Learning Rates for Training Neural Networks", 2017).

    Returns it with the picture of the curve, `learning-rate.svg` in the run's folder (the numbers are in
    `learning-rate.csv`). Raises ValueError where the loss falls nowhere, and what `run.train` raises.
    """
    prepare(experiment)
    module, data = build(experiment)
    begin(experiment, module, data)
    ramp = _Ramp()
    _fit(experiment, module, data, [ramp])
    folder = run_dir(experiment)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "learning-rate.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("learning_rate", "loss"), *ramp.curve])
    rate = steepest(ramp.curve)
    picture = folder / "learning-rate.svg"
    picture.write_text(_picture(ramp.curve, rate), encoding="utf-8")
    return rate, picture


class _Ramp(Callback):
    """Sets a higher learning rate at every step, and ends the run when the loss explodes."""

    def __init__(self) -> None:
        self.curve: list[tuple[float, float]] = []
        self._mean = 0.0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        low, high = _RATES
        self.rate = low * (high / low) ** (len(self.curve) / (_STEPS - 1))
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self.rate

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        loss = float(outputs["loss"]) * trainer.accumulate_grad_batches
        # An average that forgets, corrected for its start at 0, as batches differ.
        self._mean = 0.9 * self._mean + 0.1 * loss
        smooth = self._mean / (1 - 0.9 ** (len(self.curve) + 1))
        self.curve.append((self.rate, smooth))
        lowest = min(value for _, value in self.curve)
        exploded = (
            len(self.curve) > _STEPS // 2 and smooth > _DIVERGED * lowest
        )  # below 1e-3 it is the batches that differ
        trainer.should_stop = len(self.curve) >= _STEPS or not math.isfinite(smooth) or exploded


def steepest(curve: list[tuple[float, float]]) -> float:
    """The rate at which a smoothed curve of (rate, loss) falls fastest. Raises ValueError where it never falls."""
    finite = [(rate, loss) for rate, loss in curve if math.isfinite(loss)][5:]  # the first few are noise
    falls = [(after - before, rate) for (rate, before), (_, after) in itertools.pairwise(finite)]
    if not falls or min(falls)[0] >= 0:
        raise ValueError("the loss falls at no learning rate: see whether --overfit-batches=1 passes")
    return min(falls)[1]


def _picture(curve: list[tuple[float, float]], chosen: float) -> str:
    """The curve as an SVG: the loss over the logarithm of the rate, the chosen one marked."""
    curve = [(rate, loss) for rate, loss in curve if math.isfinite(loss)]
    low, high = math.log10(_RATES[0]), math.log10(_RATES[1])
    bottom, top = min(loss for _, loss in curve), max(loss for _, loss in curve[: len(curve) * 9 // 10 + 1])

    def place(rate: float, loss: float) -> tuple[float, float]:
        return 60 + 520 * (math.log10(rate) - low) / (high - low), 330 - 300 * (loss - bottom) / max(top - bottom, 1e-9)

    points = " ".join("{:.1f},{:.1f}".format(*place(rate, min(loss, top))) for rate, loss in curve)
    x = place(chosen, bottom)[0]
    ticks = "".join(
        f'<text x="{place(10.0**power, bottom)[0]:.0f}" y="352" text-anchor="middle">1e{power}</text>'
        for power in range(int(low), int(high) + 1)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="620" height="390" font-family="sans-serif" font-size="13">'
        '<rect width="620" height="390" fill="white"/>'
        f'<polyline points="{points}" fill="none" stroke="#1f5fbf" stroke-width="2"/>'
        f'<line x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="330" stroke="#b00020"/>'
        f'<text x="{x + 6:.1f}" y="26">{chosen:.1e}</text>{ticks}<text x="320" y="378" text-anchor="middle">'
        f'learning rate</text><text x="52" y="36" text-anchor="end">{top:.2f}</text>'
        f'<text x="52" y="330" text-anchor="end">{bottom:.2f}</text></svg>\n'
    )


def _fit(
    experiment: Experiment, module: lightning.LightningModule, data: lightning.LightningDataModule, more: list[Callback]
) -> None:
    """Train without validation, checkpoints and logs."""
    utilization = Utilization()
    trainer = lightning.Trainer(
        max_epochs=1 if isinstance(data, _FewBatches) else -1,
        max_steps=-1 if isinstance(data, _FewBatches) else _STEPS,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        use_distributed_sampler=False,
        callbacks=[FiniteLoss(run_dir(experiment)), utilization, ProgressBar(utilization), *more],
        **hardware(experiment),
    )
    try:
        trainer.fit(module, datamodule=data)
    except SystemExit as error:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from error
