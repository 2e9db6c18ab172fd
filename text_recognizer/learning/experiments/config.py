"""An experiment: one YAML file, checked before anything starts, any field overridden on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from text_recognizer.learning import networks
from text_recognizer.learning.experiments.fields import assign, check, fields_of, read_overrides, read_yaml, unknown
from text_recognizer.learning.tasks.attention_lines import AttentionLineExperiment
from text_recognizer.learning.tasks.base import NetworkChoice
from text_recognizer.learning.tasks.characters import CharacterExperiment
from text_recognizer.learning.tasks.detector import DetectorExperiment
from text_recognizer.learning.tasks.lines import LineExperiment
from text_recognizer.learning.tasks.paragraphs import ParagraphExperiment

Experiment = LineExperiment | DetectorExperiment | CharacterExperiment | ParagraphExperiment | AttentionLineExperiment
_KINDS: dict[str, type[Any]] = {
    "lines": LineExperiment,
    "detector": DetectorExperiment,
    "characters": CharacterExperiment,
    "paragraphs": ParagraphExperiment,
    "attention-lines": AttentionLineExperiment,
}


def load_experiment(path: Path, overrides: list[str] | None = None) -> Experiment:
    """The experiment in a YAML file with overrides: "--trainer.epochs=3", or "--epochs 3" as only one section has it.

    Raises ValueError that names the key, and the nearest valid one, for an unknown key or a value of the wrong type,
    of the network's config too, and FileNotFoundError for a missing file.
    """
    content = read_yaml(path, "experiment")
    task = content.get("task") if isinstance(content, dict) else None
    if task not in _KINDS:
        raise ValueError(f"{path}: `task` must be one of {', '.join(_KINDS)}, not {task!r}")
    try:
        return make_experiment(content, overrides)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def make_experiment(content: dict[str, Any], overrides: list[str] | None = None) -> Experiment:
    """The experiment of nested mappings with overrides; ValueError as of `load_experiment`."""
    kind = _KINDS[content["task"]]
    check(content, kind)
    for field_path, value in read_overrides(overrides or [], kind):
        assign(content, field_path, value)
    check(content, kind)
    return _made(content, kind)


def _made(content: dict[str, Any], kind: type[Any]) -> Experiment:
    """The experiment of a mapping that was checked."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, as_group=False)
    try:
        made = kind(**vars(parser.instantiate(parser.parse_object(content))))
    except Exception as error:  # jsonargparse raises its own and argparse's errors
        raise ValueError(str(error)) from error
    _check_network(made.network)
    return made


def _check_network(choice: NetworkChoice) -> None:
    """Check the fields of a network against its config; the number of classes follows from the task."""
    config = networks.config_of(choice.name)
    known = [name for name in fields_of(config) if name != "classes"]
    for name in choice.fields:
        if name not in known:
            raise unknown(f"network.fields.{name}", [f"network.fields.{field}" for field in known])
    check(choice.fields, config, "network.fields")
