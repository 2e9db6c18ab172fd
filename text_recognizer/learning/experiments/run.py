"""Run an experiment: build data and model, train, checkpoint every few minutes, go on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from text_recognizer.atomic_files import locked, write_file
from text_recognizer.learning import tasks
from text_recognizer.learning.distributed import first, rank
from text_recognizer.learning.evaluation.measures import recorded
from text_recognizer.learning.experiments.callbacks import StoppedByUserError
from text_recognizer.learning.experiments.config import Experiment
from text_recognizer.learning.experiments.provenance import commit, data_versions, datasets, environment
from text_recognizer.learning.experiments.tracking import Tracker, make_tracker
from text_recognizer.learning.experiments.trainer import WholeCheckpoints, keep_memory, make_trainer, quiet
from text_recognizer.learning.tasks.base import DataModule
from text_recognizer.paths import runs_dir


def run_dir(experiment: Experiment) -> Path:
    """The folder of checkpoints and logs of an experiment."""
    return runs_dir() / experiment.name


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else trains the run of that folder meanwhile. Raises FileExistsError where somebody does."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder.with_name(f".{folder.name}.lock"), 0))
        except TimeoutError as error:
            raise FileExistsError(
                f"another process trains {folder} now: wait for it, or give this run a --name"
            ) from error
        yield


def build(experiment: Experiment) -> tuple[lightning.LightningModule, DataModule]:
    """The Lightning module, with random weights, and the data of an experiment. Reads data, where they are not yet
    cached."""
    task = tasks.find(experiment.task)
    return task.build(task.resolved(experiment))


def train(experiment: Experiment, resume: bool = False, callbacks: Sequence[Callback] = ()) -> Path:
    """Train to the end of the experiment's epochs and return the folder of the run.

    resume: go on from the run's last checkpoint. callbacks: beside the usual ones. Raises FileExistsError where the run
    exists already and `resume` is not set, so that nothing is overwritten by accident, or another process trains it,
    FileNotFoundError where there is nothing to resume or data are missing, ValueError where the checkpoint is of
    another network or the loss is no number any more, OSError where a checkpoint cannot be written, and
    KeyboardInterrupt, with how to go on, after Ctrl-C.
    """
    with alone(run_dir(experiment)) if first() else nullcontext():
        return _train(experiment, resume, callbacks)


def _train(experiment: Experiment, resume: bool, callbacks: Sequence[Callback]) -> Path:
    folder = run_dir(experiment)
    last = folder / "last.ckpt"
    _check(experiment, last, resume)
    prepare(experiment)
    experiment, module, data = resumed(experiment, last) if resume else started(experiment)
    if not first():  # after the weights are made: the same ones everywhere, but other random numbers
        lightning.seed_everything(experiment.seed + 1000 * rank(), workers=True, verbose=False)
    tracker = make_tracker(experiment.trainer.tracker, experiment.task, experiment.name, folder)
    if first():
        folder.mkdir(parents=True, exist_ok=True)
        _describe(folder, experiment, module, data, tracker)
    trainer = make_trainer(experiment, folder, tracker, callbacks)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=str(last) if resume else None, weights_only=False)
    except StoppedByUserError as error:
        raise KeyboardInterrupt(
            f"stopped, with a checkpoint in {last}: go on with the same command and --resume"
        ) from error
    except SystemExit as error:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt("stopped at once, without a new checkpoint") from error
    return folder


def _check(experiment: Experiment, last: Path, resume: bool) -> None:
    """What can be known before data are loaded; errors as of `train`."""
    if last.exists() and not resume:
        raise FileExistsError(f"{last.parent} holds a run already: go on with --resume, or give it another --name")
    if resume and not last.exists():
        raise FileNotFoundError(f"{last.parent} holds no checkpoint to resume from")
    tasks.find(experiment.task).check(experiment)


def prepare(experiment: Experiment) -> None:
    """Make this process ready to train: quiet, its memory kept, its threads and random numbers set."""
    quiet()
    keep_memory()
    if experiment.trainer.threads:
        torch.set_num_threads(experiment.trainer.threads)
    lightning.seed_everything(experiment.seed, workers=True, verbose=False)


def started(experiment: Experiment) -> tuple[Experiment, lightning.LightningModule, DataModule]:
    """An experiment as it is run, its module with the weights that it begins with, and its data."""
    task = tasks.find(experiment.task)
    experiment = task.resolved(experiment)
    module, data = task.build(experiment)
    task.begin(experiment, module, data)
    return experiment, module, data


def resumed(experiment: Experiment, last: Path) -> tuple[Experiment, lightning.LightningModule, DataModule]:
    """An experiment with what its task takes up from the beginning of the run, its module, and its data in the order
    that they had at the checkpoint `last`; random numbers are new ones. The weights themselves Lightning loads.

    Raises ValueError where the checkpoint is of another network.
    """
    task, alphabet = tasks.find(experiment.task), None
    described = last.with_name("experiment.json")
    if described.is_file():
        begun = json.loads(described.read_text(encoding="utf-8"))
        experiment, alphabet = task.resumed(experiment, begun)
    if alphabet is None:  # a run that knows how it began needs no bundle any more
        experiment = task.resolved(experiment)
    module, data = task.build(experiment, alphabet)
    state = WholeCheckpoints().load_checkpoint(last, weights_only=False)
    try:
        module.load_state_dict(state["state_dict"])
    except RuntimeError as error:
        raise ValueError(f"{last} is of another network than the experiment's: {error}") from error
    lightning.seed_everything(experiment.seed + int(state["global_step"]), workers=True, verbose=False)
    loops = state["loops"]["fit_loop"]
    data.start_at(
        int(loops["epoch_progress"]["total"]["processed"]),
        int(loops["epoch_loop.batch_progress"]["current"]["ready"]),
        experiment.trainer.devices * experiment.trainer.nodes,
    )
    return experiment, module, data


def _describe(
    folder: Path,
    experiment: Experiment,
    module: lightning.LightningModule,
    data: DataModule,
    tracker: Tracker | None,
) -> None:
    """Write down what the run learns and from what, with the alphabet and the normalisation of this moment."""
    task = tasks.find(experiment.task)
    versions = data_versions(data)
    described = asdict(experiment) | {  # type: ignore[call-overload]
        "alphabet": task.alphabet(module),
        "normalization": task.normalization,
        "data_versions": versions,
        "datasets": datasets(data),
        "commit": commit(),
    }
    if origin := _origin(task, experiment, folder):
        described["pretrained"] = origin
    _write(folder / "experiment.json", described)
    _write(folder / "environment.json", environment())
    if tracker:
        facts = {
            "task": experiment.task,
            "measures": recorded(task.measures),
            "network": experiment.network.name,
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
            "data": ", ".join(f"{name} {version}" for name, version in versions.items()),
            "commit": described["commit"],
        }
        tracker.record(described, facts, [folder / "experiment.json", folder / "environment.json"], folder)


def _origin(task: tasks.Task[Any], experiment: Experiment, folder: Path) -> dict[str, str]:
    """Whose weights a run began with; a run that goes on has written it down, and its bundle may be gone by now."""
    described = folder / "experiment.json"
    begun = json.loads(described.read_text(encoding="utf-8")) if described.is_file() else {}
    same = begun.get("start_from") == getattr(experiment, "start_from", "")
    known: dict[str, str] | None = begun.get("pretrained") if same else None
    return task.origin(experiment) if known is None else known


def _write(path: Path, content: dict[str, Any]) -> None:
    write_file(path, json.dumps(content, indent=2, ensure_ascii=False).encode())
