"""Run an experiment: build data and model, train, checkpoint every few minutes, go on where it stopped."""

from __future__ import annotations

import ctypes
import itertools
import json
import logging
import os
import subprocess
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
from text_recognizer.images import CHARACTER_VERSION, NORMALIZATION_VERSION
from text_recognizer.learning import networks
from text_recognizer.learning.data.characters import CLASSES
from text_recognizer.learning.data.checks import warn_if_few
from text_recognizer.learning.data.locations import runs_dir
from text_recognizer.learning.training.experiment import (
    CharacterExperiment,
    DetectorExperiment,
    Experiment,
    LineExperiment,
)
from text_recognizer.learning.training.lines import LineDataModule, LineRecognizerModule
from text_recognizer.learning.training.optimization import moving_average
from text_recognizer.learning.training.warm_start import calibrate, load_bundle_weights
from text_recognizer.recognition.bundle import find_bundle
from text_recognizer.recognition.geometry import LineGeometry

_CALIBRATION_BATCHES = 30  # some hundred lines: enough for the mean and variance of each channel


def run_dir(experiment: Experiment) -> Path:
    """The folder of checkpoints and logs of an experiment."""
    return runs_dir() / experiment.name


def build(experiment: Experiment) -> tuple[lightning.LightningModule, lightning.LightningDataModule]:
    """The Lightning module and data module of an experiment. Reads data, where it is not yet cached."""
    if isinstance(experiment, DetectorExperiment):
        from text_recognizer.learning.training.detector import DetectorDataModule, LineDetectorModule

        return LineDetectorModule(experiment.network, experiment.optimization), DetectorDataModule(
            experiment.data, fixed=experiment.trainer.overfit_batches > 0
        )
    if isinstance(experiment, CharacterExperiment):
        from text_recognizer.learning.training.characters import CharacterDataModule, CharacterRecognizerModule

        names = [source.name for source in experiment.data.val]
        recognizer = CharacterRecognizerModule(experiment.network, experiment.optimization, names)
        return recognizer, CharacterDataModule(experiment.data, experiment.seed)
    alphabet = Alphabet()
    module = LineRecognizerModule(
        experiment.network,
        alphabet,
        experiment.optimization,
        [source.name for source in experiment.data.val],
        experiment.shortcut_weight,
    )
    geometry = LineGeometry(columns_per_frame=networks.columns_per_frame(module.network))
    lines = LineDataModule(experiment.data, alphabet, geometry, experiment.seed)
    warn_if_few(len(lines.train), experiment.start_from)
    return module, lines


def train(experiment: Experiment, resume: bool = False) -> Path:
    """Train to the end of the experiment's epochs and return the folder of the run.

    resume: go on from the run's last checkpoint. Raises FileExistsError where the run exists already and
    `resume` is not set, so that nothing is overwritten by accident, FileNotFoundError where there is nothing
    to resume or data are missing, and ValueError where the checkpoint is of another network.
    """
    folder = run_dir(experiment)
    last = folder / "last.ckpt"
    if last.exists() and not resume:
        raise FileExistsError(f"{folder} holds a run already: go on with --resume, or give it another --name")
    if resume and not last.exists():
        raise FileNotFoundError(f"{folder} holds no checkpoint to resume from")
    _quiet()
    _keep_memory()
    if experiment.trainer.threads:
        torch.set_num_threads(experiment.trainer.threads)
    lightning.seed_everything(experiment.seed, workers=True, verbose=False)
    module, data = build(experiment)
    if resume:
        _go_on(last, experiment, module, data)
    elif isinstance(experiment, LineExperiment) and experiment.start_from:
        _warm_start(experiment.start_from, module, data)
    folder.mkdir(parents=True, exist_ok=True)
    _describe(folder, experiment)
    trainer = lightning.Trainer(default_root_dir=folder, **_trainer_arguments(experiment, folder))
    trainer.fit(module, datamodule=data, ckpt_path=str(last) if resume else None, weights_only=False)
    return folder


def _go_on(
    last: Path, experiment: Experiment, module: lightning.LightningModule, data: lightning.LightningDataModule
) -> None:
    """Check that a checkpoint fits the network; take up the order of the data and new random numbers where it ends."""
    state = torch.load(last, map_location="cpu", weights_only=False)
    try:
        module.load_state_dict(state["state_dict"])
    except RuntimeError as error:
        raise ValueError(f"{last} is of another network than the experiment's: {error}") from error
    lightning.seed_everything(experiment.seed + int(state["global_step"]), workers=True, verbose=False)
    if isinstance(data, LineDataModule):
        loops = state["loops"]["fit_loop"]
        done = int(loops["epoch_loop.batch_progress"]["current"]["ready"])
        data.order.start_at(int(loops["epoch_progress"]["total"]["processed"]), done % len(data.order))


def _warm_start(bundle: str, module: lightning.LightningModule, data: lightning.LightningDataModule) -> None:
    """Begin with the weights of a bundle, batch normalisation measured on this run's own batches."""
    network = module.network
    load_bundle_weights(network, find_bundle(bundle))  # type: ignore[arg-type]
    batches = itertools.islice(data.train_dataloader(), _CALIBRATION_BATCHES)
    calibrate(network, (batch.images for batch in batches))  # type: ignore[arg-type]


def _describe(folder: Path, experiment: Experiment) -> None:
    """Write down what the run learns, with the alphabet and the normalisation of this moment."""
    characters = isinstance(experiment, CharacterExperiment)
    described = asdict(experiment) | {
        "alphabet": CLASSES if characters else "".join(Alphabet().characters),
        "normalization": CHARACTER_VERSION if characters else NORMALIZATION_VERSION,
        "commit": _commit(),
    }
    partial = folder / f".experiment.json.{os.getpid()}"
    partial.write_text(json.dumps(described, indent=2, ensure_ascii=False), encoding="utf-8")
    partial.replace(folder / "experiment.json")


def _commit() -> str | None:
    """The commit of this code, where it is a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _trainer_arguments(experiment: Experiment, folder: Path) -> dict[str, Any]:
    settings = experiment.trainer
    return {
        "max_epochs": settings.epochs,
        "precision": _precision() if settings.precision == "auto" else settings.precision,
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
            # Checkpoints are written elsewhere and moved into place, so a kill leaves the previous one usable.
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
            LearningRateMonitor("step"),
            TQDMProgressBar(refresh_rate=20),
        ],
    }


def _precision() -> str:
    """Lightning's name of the fastest sound precision here: a CPU that imitates bfloat16 takes twice as long."""
    fast = torch.cuda.is_available() or any(
        getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return "bf16-mixed" if fast else "32-true"


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
