"""Run an experiment: build data and model, train, checkpoint every few minutes, go on where it stopped."""

from __future__ import annotations

import ctypes
import json
import logging
import warnings
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar, WeightAveraging
from lightning.pytorch.loggers import CSVLogger

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning import networks
from text_recognizer.learning.data.locations import runs_dir
from text_recognizer.learning.training.experiment import DetectorExperiment, Experiment, LineExperiment
from text_recognizer.learning.training.lines import LineDataModule, LineRecognizerModule
from text_recognizer.learning.training.optimization import moving_average
from text_recognizer.recognition.geometry import LineGeometry


def run_dir(experiment: Experiment) -> Path:
    """The folder of checkpoints and logs of an experiment."""
    return runs_dir() / experiment.name


def build(experiment: Experiment) -> tuple[lightning.LightningModule, lightning.LightningDataModule]:
    """The Lightning module and data module of an experiment. Reads data, where it is not yet cached."""
    if isinstance(experiment, DetectorExperiment):
        from text_recognizer.learning.training.detector import DetectorDataModule, LineDetectorModule

        return LineDetectorModule(experiment.network, experiment.optimization), DetectorDataModule(experiment.data)
    alphabet = Alphabet()
    module = LineRecognizerModule(
        experiment.network,
        alphabet,
        experiment.optimization,
        [source.name for source in experiment.data.val],
        experiment.shortcut_weight,
    )
    return module, LineDataModule(experiment.data, alphabet, line_geometry(experiment), experiment.seed)


def line_geometry(experiment: LineExperiment) -> LineGeometry:
    """The input geometry that the experiment's network asks for."""
    network = networks.build(experiment.network.name, **experiment.network.fields)
    return LineGeometry(columns_per_frame=networks.columns_per_frame(network))


def train(experiment: Experiment, resume: bool = False) -> Path:
    """Train to the end of the experiment's epochs and return the folder of the run.

    resume: go on from the run's last checkpoint. Raises FileExistsError where the run exists already and
    `resume` is not set, so that nothing is overwritten by accident.
    """
    folder = run_dir(experiment)
    last = folder / "last.ckpt"
    if last.exists() and not resume:
        raise FileExistsError(f"{folder} holds a run already: go on with --resume, or give it another --name")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps(asdict(experiment), indent=2, ensure_ascii=False))
    _quiet()
    _keep_memory()
    lightning.seed_everything(experiment.seed, workers=True, verbose=False)
    if experiment.trainer.threads:
        torch.set_num_threads(experiment.trainer.threads)
    module, data = build(experiment)
    trainer = lightning.Trainer(default_root_dir=folder, **_trainer_arguments(experiment, folder))
    trainer.fit(module, datamodule=data, ckpt_path=str(last) if last.exists() else None, weights_only=False)
    return folder


def _trainer_arguments(experiment: Experiment, folder: Path) -> dict[str, Any]:
    settings = experiment.trainer
    return {
        "max_epochs": settings.epochs,
        "precision": settings.precision,
        "accelerator": "auto",
        "devices": 1,
        "gradient_clip_val": experiment.optimization.gradient_clip,
        "check_val_every_n_epoch": settings.validate_every,
        "limit_train_batches": settings.limit,
        "overfit_batches": settings.overfit_batches,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "log_every_n_steps": 20,
        "logger": CSVLogger(folder, name="logs"),
        "callbacks": [
            WeightAveraging(avg_fn=moving_average(experiment.optimization.ema_decay)),
            # Checkpoints are written beside the old one and renamed, so a kill leaves the previous one usable.
            ModelCheckpoint(
                folder,
                save_last=True,
                save_top_k=0,
                train_time_interval=timedelta(minutes=settings.checkpoint_minutes),
                enable_version_counter=False,
            ),
            ModelCheckpoint(folder, filename="epoch", save_top_k=1, enable_version_counter=False, save_last=True),
            LearningRateMonitor("step"),
            TQDMProgressBar(refresh_rate=20),
        ],
    }


def _keep_memory() -> None:
    """Let glibc keep freed memory: a training step frees and takes gigabytes, a quarter of its time in page faults."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
        libc.mallopt(-3, 2**31 - 1)  # M_MMAP_THRESHOLD
    except (OSError, AttributeError):
        pass  # another C library: slower, not wrong


def _quiet() -> None:
    """Drop advice that does not fit this program, keep errors."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for pattern in (".*does not have many workers.*", ".*LeafSpec.*", ".*mid-epoch.*", ".*Checkpoint directory.*"):
        warnings.filterwarnings("ignore", pattern)
