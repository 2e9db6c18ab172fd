"""An experiment: one YAML file, checked before anything starts, any field overridden on the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from text_recognizer.learning.training.characters import CharacterData
from text_recognizer.learning.training.choices import NetworkChoice
from text_recognizer.learning.training.detector import DetectorData
from text_recognizer.learning.training.lines import LineData
from text_recognizer.learning.training.optimization import Optimization


@dataclass
class Trainer:
    """How long and how to train. precision as Lightning names it, or "auto": bfloat16 where
    the machine computes with it, else float32; limit: share of the batches of an epoch
    (1.0 for all); overfit_batches: train on so many batches only, to see that the network can learn them."""

    epochs: int = 20
    precision: str = "auto"
    validate_every: int = 1
    checkpoint_minutes: float = 5.0
    threads: int = 0
    limit: float = 1.0
    overfit_batches: int = 0


@dataclass
class LineExperiment:
    """Training of a line recogniser. start_from: a bundle (a folder, or a shipped one's name) whose weights the
    network begins with instead of random ones."""

    name: str
    task: str = "lines"
    seed: int = 0
    start_from: str = ""
    network: NetworkChoice = field(default_factory=NetworkChoice)
    data: LineData = field(default_factory=LineData)
    optimization: Optimization = field(default_factory=Optimization)
    trainer: Trainer = field(default_factory=Trainer)
    shortcut_weight: float = 0.1


@dataclass
class DetectorExperiment:
    """Training of a line detector."""

    name: str
    task: str = "detector"
    seed: int = 0
    network: NetworkChoice = field(default_factory=lambda: NetworkChoice("fcn"))
    data: DetectorData = field(default_factory=DetectorData)
    optimization: Optimization = field(default_factory=Optimization)
    trainer: Trainer = field(default_factory=Trainer)


@dataclass
class CharacterExperiment:
    """Training of a recogniser of single characters."""

    name: str
    task: str = "characters"
    seed: int = 0
    network: NetworkChoice = field(default_factory=lambda: NetworkChoice("lenet"))
    data: CharacterData = field(default_factory=CharacterData)
    optimization: Optimization = field(default_factory=Optimization)
    trainer: Trainer = field(default_factory=Trainer)


Experiment = LineExperiment | DetectorExperiment | CharacterExperiment
_KINDS: dict[str, type[Any]] = {
    "lines": LineExperiment,
    "detector": DetectorExperiment,
    "characters": CharacterExperiment,
}


def load_experiment(path: Path, overrides: list[str] | None = None) -> Experiment:
    """The experiment in a YAML file with overrides such as "--trainer.epochs=3".

    Raises ValueError that names the key for an unknown key or a value of the wrong type, and
    FileNotFoundError for a missing file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no experiment at {path}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    task = content.get("task") if isinstance(content, dict) else None
    if task not in _KINDS:
        raise ValueError(f"{path}: `task` must be one of {', '.join(_KINDS)}, not {task!r}")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(_KINDS[task], as_group=False)
    try:
        parsed = parser.parse_args(["--config", str(path), *(overrides or [])])
    except Exception as error:  # jsonargparse raises its own and argparse's errors
        raise ValueError(f"{path}: {error}") from error
    parsed.pop("config", None)
    return _KINDS[task](**vars(parser.instantiate_classes(parsed)))
