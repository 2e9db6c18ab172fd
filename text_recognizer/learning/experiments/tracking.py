"""Where runs are recorded beside their own files: MLflow in a local database, Weights & Biases, TensorBoard.

A tracker is a convenience: when it fails, the training goes on without it, and says so once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from text_recognizer.atomic_files import write_file
from text_recognizer.learning.distributed import say
from text_recognizer.learning.experiments.callbacks import StoppedByUserError
from text_recognizer.learning.experiments.mlflow_store import mlflow_client, store_uri
from text_recognizer.learning.tasks.base import Sample
from text_recognizer.paths import runs_dir

_FAILURES = 3  # after so many in a row the tracker is left alone
_STOPPED = "KILLED"  # MLflow's word for a run that somebody stopped


class Tracker(Logger):
    """A logger of Lightning's whose failures are warned of once and never stop a training.

    kind: "mlflow", "wandb" or "tensorboard". make: called when something is first logged, as it may fail too.
    """

    def __init__(self, kind: str, make: Callable[[], Logger]) -> None:
        super().__init__()
        self.kind, self._make = kind, make
        self.inner: Logger | None = None
        self._failures, self._warned = 0, False

    @property
    def name(self) -> str:
        """The kind of tracker."""
        return self.kind

    @property
    def version(self) -> str:
        """None: runs are known by their names."""
        return ""

    @property
    def on(self) -> bool:
        """Whether it still works."""
        return self._failures < _FAILURES

    @rank_zero_only
    def attempt(self, action: Callable[[Any], object]) -> None:
        """Do something with the logger inside; a failure is said once."""
        if not self.on:
            return
        try:
            self.inner = self.inner or self._make()
            action(self.inner)
            self._failures = 0
        except Exception as error:  # whatever a tracker raises
            self._failures = _FAILURES if self.inner is None else self._failures + 1
            if not self._warned:
                self._warned = True
                say(
                    f"tracking with {self.kind} failed, the training goes on without it: {' '.join(str(error).split())}"
                )

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log numbers of a step."""
        self.attempt(lambda inner: inner.log_metrics(dict(metrics), step))

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Log the settings of a run."""
        self.attempt(lambda inner: inner.log_hyperparams(params))

    def save(self) -> None:
        """Write what is not yet written."""
        self.attempt(lambda inner: inner.save())

    def finalize(self, status: str) -> None:
        """End the run: "success" or "failed", as Lightning says of Ctrl-C too."""
        if isinstance(sys.exception(), StoppedByUserError | KeyboardInterrupt):  # Lightning calls while it handles it
            status = _STOPPED
        if self.inner is not None:
            self.attempt(lambda inner: _finish(self.kind, inner, status))

    def record(self, described: dict[str, Any], facts: dict[str, Any], files: list[Path], folder: Path) -> None:
        """The settings, what is known of the run, and its files. A run that goes on keeps its first settings."""
        self.attempt(lambda inner: _record(self.kind, inner, (described, facts), files, folder))

    def log_samples(self, samples: list[tuple[str, Sample]], files: list[Path], step: int) -> None:
        """A table of readings: as files for MLflow, as a table with pictures for the others."""
        self.attempt(lambda inner: _log_samples(self.kind, inner, samples, files, step))


def make_tracker(kind: str, task: str, name: str, folder: Path) -> Tracker | None:
    """The tracker of a run, None for "none". A run that goes on in the same folder goes on in the same record."""
    makers: dict[str, Callable[[], Logger]] = {
        "mlflow": lambda: _mlflow(task, name, folder),
        "wandb": lambda: _wandb(task, name, folder),
        "tensorboard": lambda: _tensorboard(folder),
    }
    return Tracker(kind, makers[kind]) if kind in makers else None


def _mlflow(task: str, name: str, folder: Path) -> Logger:
    client = mlflow_client()
    from lightning.pytorch.loggers import MLFlowLogger
    from mlflow.exceptions import MlflowException

    known = _known_id(folder, "mlflow")
    try:
        if known:
            client.update_run(known, status="RUNNING")
    except MlflowException:  # somebody deleted the run, or the store
        known = None
    logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)  # a new experiment is no warning
    named = os.environ.get("MLFLOW_TRACKING_URI")
    artifacts = None if named else (runs_dir().resolve() / "mlflow-artifacts").as_uri()
    logger = MLFlowLogger(task, name, store_uri(), artifact_location=artifacts, run_id=known)
    identifier = str(logger.run_id)
    if not named:  # MLflow writes its choice into the environment, from where the next run would take it
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    _keep_id(folder, "mlflow", identifier)
    return logger


def _wandb(task: str, name: str, folder: Path) -> Logger:
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    if not os.environ.get("WANDB_API_KEY"):
        os.environ.setdefault("WANDB_MODE", "offline")
    from lightning.pytorch.loggers import WandbLogger

    offline = os.environ.get("WANDB_MODE") == "offline"
    folder.mkdir(parents=True, exist_ok=True)
    logger = WandbLogger(
        name, folder, id=_known_id(folder, "wandb"), offline=offline, project="text-recognizer", group=task
    )
    _keep_id(folder, "wandb", str(logger.experiment.id))
    if offline:
        say(f"recorded offline: wandb sync {Path(logger.experiment.dir).parent} sends it later")
    return logger


def _tensorboard(folder: Path) -> Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(folder, name="tensorboard", version="")


def _known_id(folder: Path, kind: str) -> str | None:
    """The identifier of the run in a tracker's store, where it was tracked before."""
    path = folder / "tracking.json"
    return json.loads(path.read_text(encoding="utf-8")).get(kind) if path.is_file() else None


def _keep_id(folder: Path, kind: str, identifier: str) -> None:
    path = folder / "tracking.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    write_file(path, json.dumps(known | {kind: identifier}).encode())


def _record(
    kind: str, inner: Any, known: tuple[dict[str, Any], dict[str, Any]], files: list[Path], folder: Path
) -> None:
    described, facts = known
    if kind == "wandb":
        inner.experiment.config.update(described | facts | {"folder": str(folder)}, allow_val_change=True)
    elif kind == "mlflow":
        if not inner.experiment.get_run(inner.run_id).data.params:  # they never change, unlike the file below
            inner.log_hyperparams(described)
        for tag, value in (facts | {"folder": folder, "checkpoint": folder / "last.ckpt"}).items():
            inner.experiment.set_tag(inner.run_id, tag, value)
        for path in files:
            inner.experiment.log_artifact(inner.run_id, str(path))
    else:
        inner.experiment.add_text("experiment", f"```\n{json.dumps(described, indent=2, ensure_ascii=False)}\n```")


def _log_samples(kind: str, inner: Any, samples: list[tuple[str, Sample]], files: list[Path], step: int) -> None:
    if kind == "mlflow":
        for path in files:
            inner.experiment.log_artifact(inner.run_id, str(path), "samples")
    elif kind == "wandb":
        import wandb

        rows = [[name, wandb.Image(image), label, read] for name, (image, label, read) in samples]
        inner.log_table("samples", columns=["set", "image", "label", "prediction"], data=rows, step=step)
    else:
        for number, (name, (image, label, read)) in enumerate(samples):
            inner.experiment.add_image(f"samples/{number}", image, step, dataformats="HW")
            inner.experiment.add_text(f"samples/{number}", f"{name}: {label} -> {read}", step)


def _finish(kind: str, inner: Any, status: str) -> None:
    inner.finalize(status)
    if kind == "wandb":
        inner.experiment.finish(exit_code=int(status != "success"))
