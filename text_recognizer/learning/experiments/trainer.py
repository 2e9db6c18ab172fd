"""Lightning's trainer as the `trainer` section of an experiment describes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.profilers import Profiler, PyTorchProfiler, SimpleProfiler

from text_recognizer.learning.experiments.callbacks import (
    Clock,
    FiniteLoss,
    Interruption,
    Patience,
    ProgressBar,
    Utilization,
)
from text_recognizer.learning.experiments.checkpoints import WholeCheckpoints
from text_recognizer.learning.experiments.experiment import DetectorExperiment, Experiment
from text_recognizer.learning.experiments.machine import precision
from text_recognizer.learning.experiments.samples import SamplePredictions
from text_recognizer.learning.experiments.settings import Trainer
from text_recognizer.learning.experiments.tracking import Tracker
from text_recognizer.learning.training.optimization import moving_average
from text_recognizer.learning.training.ranks import say


def make_trainer(
    experiment: Experiment, folder: Path, tracker: Tracker | None, callbacks: Sequence[Callback] = ()
) -> lightning.Trainer:
    """The trainer of a run: its logs, checkpoints and samples go into `folder`, and to the tracker."""
    settings = experiment.trainer
    return lightning.Trainer(
        default_root_dir=folder,
        max_epochs=settings.epochs,
        check_val_every_n_epoch=settings.validate_every,
        limit_train_batches=settings.limit,
        log_every_n_steps=20,
        logger=[CSVLogger(folder, name="logs"), *([tracker] if tracker else [])],
        callbacks=[*_callbacks(experiment, folder, tracker), *callbacks],
        plugins=[WholeCheckpoints()],
        profiler=_profiler(settings, folder),
        # Pages are drawn at random; batches of lines and characters are shared out by their own samplers.
        use_distributed_sampler=isinstance(experiment, DetectorExperiment),
        **hardware(experiment),
    )


def hardware(experiment: Experiment) -> dict[str, Any]:
    """What every trainer of an experiment has in common: where it computes, and how a step is made."""
    settings = experiment.trainer
    return {
        "precision": precision(settings.precision),
        "accelerator": "auto",
        "devices": settings.devices,
        "num_nodes": settings.nodes,
        "strategy": settings.strategy,
        "accumulate_grad_batches": settings.accumulate,
        "gradient_clip_val": experiment.optimization.gradient_clip,
        "num_sanity_val_steps": 0,
        "enable_model_summary": False,
    }


def _callbacks(experiment: Experiment, folder: Path, tracker: Tracker | None) -> list[Callback]:
    settings = experiment.trainer
    utilization = Utilization()
    callbacks: list[Callback] = [
        FiniteLoss(folder),
        WeightAveraging(avg_fn=moving_average(experiment.optimization.ema_decay)),
        LearningRateMonitor("step"),
        Clock(),
        utilization,
        ProgressBar(utilization),
        Interruption(folder / "last.ckpt", say),
        ModelCheckpoint(
            folder,
            save_last=True,
            save_top_k=0,
            train_time_interval=timedelta(minutes=settings.checkpoint_minutes),
            enable_version_counter=False,
        ),
        ModelCheckpoint(
            folder, filename="epoch", enable_version_counter=False, save_last=True, save_on_train_epoch_end=True
        ),
    ]
    if settings.samples:
        callbacks.append(SamplePredictions(folder, settings.samples, tracker))
    if settings.patience:
        callbacks.append(Patience(experiment.task, settings.patience, say))
    return callbacks


def _profiler(settings: Trainer, folder: Path) -> Profiler | None:
    if settings.profiler == "simple":
        return SimpleProfiler(folder, "profile")
    if settings.profiler == "pytorch":
        return PyTorchProfiler(folder, "profile", export_to_chrome=True)
    return None
