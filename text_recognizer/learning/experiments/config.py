"""An experiment: a YAML file, those that it extends, and the command line, checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from text_recognizer.learning import networks, tasks
from text_recognizer.learning.experiments.extends import EXTENDS, Layer, described, merge, read_layers
from text_recognizer.learning.experiments.fields import (
    assign,
    check,
    expand_presets,
    fields_of,
    read_overrides,
    unknown,
)
from text_recognizer.learning.tasks import Experiment
from text_recognizer.learning.tasks.base import NetworkChoice

__all__ = ["Experiment", "load_experiment", "make_experiment"]


def load_experiment(path: Path, overrides: list[str] | None = None) -> Experiment:
    """The experiment in a YAML file with overrides: "--trainer.epochs=3", or "--epochs 3" as only one section has it.

    The fields of the file that it `extends` are its defaults. Raises ValueError that names the file, the key, and the
    nearest valid one, for an unknown key or a value of the wrong type, of the network's config too, and
    FileNotFoundError for a missing file.
    """
    layers = read_layers(path)
    task = next((layer.content["task"] for layer in reversed(layers) if "task" in _mapping(layer.content)), None)
    if task not in tasks.names():
        raise ValueError(f"{described(layers)}: `task` must be one of {', '.join(tasks.names())}, not {task!r}")
    content: dict[str, Any] = {}
    for layer in layers:
        content = merge(content, _checked(layer, tasks.find(task).experiment))
    try:
        return make_experiment(content, overrides)
    except ValueError as error:
        raise ValueError(f"{described(layers)}: {error}") from error


def make_experiment(content: dict[str, Any], overrides: list[str] | None = None) -> Experiment:
    """The experiment of nested mappings with overrides; ValueError as of `load_experiment`."""
    kind = tasks.find(content["task"]).experiment
    content = expand_presets(content, kind)
    check(content, kind)
    for field_path, value in read_overrides(overrides or [], kind):
        assign(content, field_path, value)
    check(content, kind)
    return _made(content, kind)


def _mapping(content: Any) -> dict[str, Any]:
    return content if isinstance(content, dict) else {}


def _checked(layer: Layer, kind: type[Experiment]) -> dict[str, Any]:
    """The content of one file with its presets expanded; a mistake names this file, not the one that extends it."""
    try:
        content = expand_presets(layer.content, kind)
        check(content, kind, also=[EXTENDS])
    except ValueError as error:
        raise ValueError(f"{layer.path}: {error}") from error
    return content


def _made(content: dict[str, Any], kind: type[Experiment]) -> Experiment:
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
