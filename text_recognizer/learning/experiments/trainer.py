"""Lightning's trainer as the `trainer` section of an experiment describes it.

What this machine does best, and a quiet program.

Checkpoints that are whole or not there: whatever happens while one is written, the one before it stays usable.

One that was saved at the end of an epoch begins the next one with none of its batches done, however many there are by
then: Lightning goes on counting where the old epoch stopped, so that an epoch of more or fewer batches would end early
and not be validated.
"""

from __future__ import annotations

import ctypes
import logging
import warnings
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.profilers import Profiler, PyTorchProfiler, SimpleProfiler

from text_recognizer.atomic_files import whole_file
from text_recognizer.learning import tasks
from text_recognizer.learning.distributed import say
from text_recognizer.learning.experiments.callbacks import (
    Clock,
    FiniteLoss,
    Interruption,
    Patience,
    ProgressBar,
    Utilization,
)
from text_recognizer.learning.experiments.config import Experiment
from text_recognizer.learning.experiments.prediction_samples import SamplePredictions
from text_recognizer.learning.experiments.tracking import Tracker
from text_recognizer.learning.tasks.base import Trainer, moving_average


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
        use_distributed_sampler=tasks.find(experiment.task).shuffled_by_lightning,
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
        measure = tasks.find(experiment.task).measures[0]
        callbacks.append(Patience(measure, settings.patience, say))
    return callbacks


def _profiler(settings: Trainer, folder: Path) -> Profiler | None:
    if settings.profiler == "simple":
        return SimpleProfiler(folder, "profile")
    if settings.profiler == "pytorch":
        return PyTorchProfiler(folder, "profile", export_to_chrome=True)
    return None


def precision(name: str) -> str:
    """Lightning's name of a precision; "auto" is the fastest sound one here: a CPU that imitates bfloat16 takes
    twice as long."""
    if name != "auto":
        return name
    fast = torch.cuda.is_available() or any(
        getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return "bf16-mixed" if fast else "32-true"


def keep_memory() -> None:
    """Let glibc keep freed memory: a training step frees and takes gigabytes, a quarter of its time in page faults."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
        libc.mallopt(-3, 2**31 - 1)  # M_MMAP_THRESHOLD
    except (OSError, AttributeError):
        pass  # another C library: slower, not wrong


def quiet() -> None:
    """Drop advice that does not fit this program, keep errors."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    patterns = (
        ".*does not have many workers.*",
        ".*LeafSpec.*",
        ".*mid-epoch.*",
        ".*ended before the epoch ended.*",
        ".*Checkpoint directory.*",
        ".*sync_dist=True.*",
        ".*no `val_dataloader`.*",
        ".*smaller than the logging interval.*",
        ".*overridden `transfer_batch_to_device`.*",
        ".*in eval mode at the start of training.*",  # what is frozen
    )
    for pattern in patterns:
        warnings.filterwarnings("ignore", pattern)


class WholeCheckpoints(TorchCheckpointIO):
    """Writes beside the old checkpoint, waits until the disk has it, and only then takes the old one's place."""

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """Load a checkpoint of a training, to go on from; one of an epoch that has ended has no batches of the next one
        behind it."""
        checkpoint: dict[str, Any] = super().load_checkpoint(path, *args, **options)
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        if progress["is_last_batch"]:
            progress["current"] = dict.fromkeys(progress["current"], 0)
        return checkpoint

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ARG002
        """Save a checkpoint. Raises OSError that says what is still there, where the disk is full for instance."""
        path = Path(path)
        partial = path.with_name(f".{path.name}.partial")  # the same name each time: what a kill left is overwritten
        try:
            with whole_file(path, partial) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch.save raises RuntimeError where writing fails
            kept = (
                "the one before it is whole: make room and go on with --resume"
                if path.exists()
                else "there is none yet"
            )
            raise OSError(f"the checkpoint {path} could not be written: {error}; {kept}") from error
