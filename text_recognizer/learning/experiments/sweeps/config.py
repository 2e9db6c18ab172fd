"""A sweep: one YAML file that says which fields of an experiment to vary, how, and what counts as better.

Everything is checked before a trial starts: keys, types, that each field that is searched exists in the experiment,
and that the experiment is valid at both ends of its range.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from text_recognizer.learning.experiments.config import Experiment, load_experiment
from text_recognizer.learning.experiments.fields import check, read_yaml, unknown

#: What may be said of a field: the kinds of ranges, and how many values each takes (0: one or more).
KINDS = {"choice": 0, "grid": 0, "uniform": 2, "loguniform": 2, "randint": 2}
LISTS = ("choice", "grid")

#: What experiments log of each validation source, by task, and the measures of which less is better.
_MEASURES = {"characters": ("accuracy", "class_mean", "ignoring_case")}
_DETECTOR, _TEXT = ("val/pixel_f1", "val/core", "val/reach"), ("cer", "wer")
_ERRORS = ("cer", "wer", "core", "reach")

_Section = TypeVar("_Section")


@dataclass
class Scheduler:
    """name: "asha" stops trials that are behind (Li et al., "A System for Massively Parallel Hyperparameter Tuning",
    MLSys 2020), "none" lets all run to their end. grace: epochs that every trial gets. reduction: of so many trials
    at a rung one goes on."""

    name: Literal["asha", "none"] = "asha"
    grace: int = 1
    reduction: int = 3


@dataclass
class Resources:
    """What one trial takes: cores, and GPUs or a share of one."""

    cpus: float = 1.0
    gpus: float = 0.0


@dataclass
class Sweep:
    """Trials of one experiment.

    experiment: its YAML file, seen from the sweep's. metric: what is compared, `iam-val/cer`. mode: "min" or "max",
    by default what the metric calls for. search: field -> {kind: values}, see `KINDS`. change: fields that all trials
    have otherwise than the experiment (fewer epochs, say). trials: how many; of a grid all its points. concurrent:
    trials at once, 0 for as many as the machine has room for. address: of a Ray cluster, "" for this machine alone.
    """

    experiment: str
    metric: str
    search: dict[str, Any]
    name: str = ""
    mode: Literal["", "min", "max"] = ""
    method: Literal["optuna", "random", "grid"] = "optuna"
    trials: int = 20
    seed: int = 0
    change: dict[str, Any] = field(default_factory=dict)
    scheduler: Scheduler = field(default_factory=Scheduler)
    resources: Resources = field(default_factory=Resources)
    concurrent: int = 0
    address: str = ""

    def what(self) -> dict[str, Any]:
        """What makes it this sweep, whatever machine it runs on: it may not differ where it goes on."""
        return {key: value for key, value in asdict(self).items() if key not in ("resources", "concurrent", "address")}


def load_sweep(path: Path, name: str = "") -> Sweep:
    """The sweep in a YAML file, checked; its experiment's path as seen from the working directory.

    name: another than the file's. Raises ValueError that names the key for whatever is wrong, and FileNotFoundError
    for a missing file.
    """
    content = read_yaml(path, "sweep")
    try:
        sweep = _made(content)
        sweep.experiment = os.path.normpath(path.parent / sweep.experiment)
        sweep.name = name or sweep.name or path.stem
        _check_search(sweep)
        _check_experiments(sweep)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return sweep


def _made(content: Any) -> Sweep:
    check(content, Sweep)
    for key in ("experiment", "metric", "search"):
        if not content.get(key):
            raise ValueError(f"`{key}` is missing")
    plain = {key: value for key, value in content.items() if key not in ("scheduler", "resources")}
    sweep = Sweep(
        **plain,
        scheduler=_section(Scheduler, content.get("scheduler", {})),
        resources=_section(Resources, content.get("resources", {})),
    )
    least = {
        "trials": (sweep.trials, 1),
        "concurrent": (sweep.concurrent, 0),
        "scheduler.grace": (sweep.scheduler.grace, 1),
        "scheduler.reduction": (sweep.scheduler.reduction, 2),
        "resources.cpus": (sweep.resources.cpus, 0),
        "resources.gpus": (sweep.resources.gpus, 0),
    }
    for key, (value, low) in least.items():
        if value < low:
            raise ValueError(f"{key} must be at least {low}, not {value}")
    return sweep


def _section(kind: type[_Section], content: dict[str, Any]) -> _Section:
    return kind(**{entry.name: content[entry.name] for entry in fields(kind) if entry.name in content})  # type: ignore[arg-type]


def _check_search(sweep: Sweep) -> None:
    """Each field has one known kind of range with as many values as it takes, that the method can search."""
    for name, entry in sweep.search.items():
        key = f"search.{name}"
        if not isinstance(entry, dict) or len(entry) != 1:
            raise ValueError(f"{key} must be one of {', '.join(KINDS)} with its values, not {entry!r}")
        kind, values = next(iter(entry.items()))
        if kind not in KINDS:
            raise unknown(f"{key}.{kind}", [f"{key}.{known}" for known in KINDS])
        if not isinstance(values, list) or not values or (KINDS[kind] and len(values) != KINDS[kind]):
            wanted = f"{KINDS[kind]} values" if KINDS[kind] else "values"
            raise ValueError(f"{key}.{kind} must be a list of {wanted}, not {values!r}")
        if KINDS[kind]:
            entry[kind] = _bounds(f"{key}.{kind}", kind, values)
        if kind == "grid" and sweep.method != "grid":
            raise ValueError(f"{key}: a grid needs `method: grid`; {sweep.method} searches a choice of the same values")
        if KINDS[kind] and sweep.method == "grid":
            raise ValueError(f"{key}: `method: grid` tries every value of a list: name them in grid: [...]")


def _bounds(key: str, kind: str, values: list[Any]) -> list[float]:
    """The ends of a range as numbers. YAML takes 1e-3 for text: here it is a number."""
    try:
        low, high = (int(value) if kind == "randint" else float(value) for value in values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key} must hold two numbers, not {values!r}") from error
    if not low < high or (kind == "loguniform" and low <= 0):
        raise ValueError(f"{key} must rise{' from above 0' if kind == 'loguniform' else ''}, not {values!r}")
    return [low, high]


def _check_experiments(sweep: Sweep) -> None:
    """The experiment is valid as changed, and with every value of a list and both ends of a range."""
    experiment = trial_experiment(Path(sweep.experiment), sweep, {})
    _check_metric(sweep, experiment)
    epochs = experiment.trainer.epochs
    if sweep.scheduler.name == "asha" and sweep.scheduler.grace > epochs:
        raise ValueError(f"scheduler.grace is {sweep.scheduler.grace} epochs, of {epochs} in all")
    for name, point in _points(sweep):
        try:
            trial_experiment(Path(sweep.experiment), sweep, point)
        except ValueError as error:
            raise ValueError(f"search.{name} = {point[name]!r}: {error}") from error


def _points(sweep: Sweep) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every end of every range, with the first value of all the other fields."""
    ends = {name: _ends(*next(iter(entry.items()))) for name, entry in sweep.search.items()}
    first = {name: values[0] for name, values in ends.items()}
    for name, values in ends.items():
        for value in values:
            yield name, first | {name: value}


def _ends(kind: str, values: list[Any]) -> list[Any]:
    return [values[0], values[1] - 1] if kind == "randint" else values


def _check_metric(sweep: Sweep, experiment: Experiment) -> None:
    """The metric is one that the experiment logs; where no mode is given, the metric's own is filled in."""
    sources = [source.name for source in getattr(experiment.data, "val", [])]
    measures = _MEASURES.get(experiment.task, _TEXT)
    known = [f"{source}/{measure}" for source in sources for measure in measures] or list(_DETECTOR)
    if sweep.metric not in known:
        raise unknown(sweep.metric, known)
    right: Literal["min", "max"] = "min" if sweep.metric.rpartition("/")[2] in _ERRORS else "max"
    if sweep.mode not in ("", right):
        raise ValueError(f"mode is {sweep.mode}, but the better {sweep.metric} is the {right}imum")
    sweep.mode = right


def trial_experiment(path: Path, sweep: Sweep, point: Mapping[str, Any], name: str = "") -> Experiment:
    """The experiment of one trial. point: the values of the searched fields. Raises ValueError as `load_experiment`."""
    named = {"name": name} if name else {}
    return load_experiment(path, overrides(sweep.change | dict(point) | named))


def overrides(values: Mapping[str, Any]) -> list[str]:
    """Fields with values as the command line takes them: "--trainer.epochs=3"."""
    return [f"--{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()]


def encoded(value: Any) -> str:
    """A value of a choice as Tune keeps it."""
    return json.dumps(value)


def decoded(sweep: Sweep, config: Mapping[str, Any]) -> dict[str, Any]:
    """The searched fields of a trial, as Tune keeps them, with their values.

    Numbers have four significant digits, so that the command that trains the trial again is short and exact.
    """
    return {name: _decoded(next(iter(sweep.search[name])), value) for name, value in config.items()}


def _decoded(kind: str, value: Any) -> Any:
    if kind in LISTS:
        return json.loads(value)
    return int(value) if kind == "randint" else float(f"{value:.4g}")
