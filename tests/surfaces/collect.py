"""Collects the public surfaces of the package as text: what must not change without a decision.

Nothing of the machine enters: no paths, versions or widths of terminals.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import click
import typer

FOLDER = Path(__file__).resolve().parent
PACKAGE = FOLDER.parent.parent / "text_recognizer"
HANDLER = "text_recognizer.service.aws_lambda.handler"
_WIDTH = 100
#: Parts of bundle.json whose keys are names of data sets, or the task's YAML fields, which have a file of their own.
_FREE = ("scores", "provenance.experiment", "provenance.characters")


def cli() -> str:
    """The help of every command and sub-command."""
    from text_recognizer.cli.main import app

    return "\n".join(_help(typer.main.get_command(app), None, "text-recognizer"))


def _help(command: click.Command, parent: click.Context | None, name: str) -> Iterator[str]:
    command.rich_markup_mode = None  # type: ignore[attr-defined]  # click's plain text, which has a width of its own
    context = click.Context(command, parent, name, terminal_width=_WIDTH, max_content_width=_WIDTH)
    yield f"$ {context.command_path} --help\n{command.get_help(context).rstrip()}\n"
    for key, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _help(inner, context, key)


def openapi() -> str:
    """The OpenAPI document of the service."""
    from text_recognizer.service.app import create_app
    from text_recognizer.service.settings import Settings

    return _document(create_app(Settings()).openapi())


def openapi_labelling() -> str:
    """The OpenAPI document of the labelling application."""
    from types import SimpleNamespace

    from text_recognizer.service.annotation.app import create_app
    from text_recognizer.service.settings import Settings

    reader = SimpleNamespace(recognizer=SimpleNamespace(line_reader=None), source=None)  # no models: nothing is read
    return _document(create_app(None, reader, Settings()).openapi())  # type: ignore[arg-type]


def _document(content: Mapping[str, Any]) -> str:
    info = {key: value for key, value in content["info"].items() if key != "version"}
    return json.dumps({**content, "info": info}, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def experiments() -> str:
    """The fields of each task's YAML file: name, type, default."""
    from text_recognizer.learning import tasks

    rows = []
    for task in map(tasks.find, tasks.names()):
        if type(task).__module__.startswith("text_recognizer."):
            rows += [f"{task.name}: {row}" for row in _fields(task.experiment)]
    return "\n".join(rows) + "\n"


def networks() -> str:
    """The fields of `network.fields` for each registered network: name, type, default."""
    from text_recognizer.learning import networks

    configs = {name: networks.config_of(name) for name in networks.names()}
    ours = {name: kind for name, kind in configs.items() if kind.__module__.startswith("text_recognizer.")}
    return "".join(f"{name}: {row}\n" for name, kind in ours.items() for row in _fields(kind))


def _fields(kind: Any, above: str = "") -> Iterator[str]:
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        key, hint = above + field.name, hints[field.name]
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        if dataclasses.is_dataclass(hint):
            if type(default) is not hint:
                default = hint()
            yield from _values(default, f"{key}.")
            continue
        shown = "required" if default is dataclasses.MISSING else repr(default)
        yield f"{key}: {_type(hint)} = {shown}"


def _values(section: Any, above: str) -> Iterator[str]:
    """As `_fields`, with the defaults of the section as its experiment makes it."""
    hints = get_type_hints(type(section))
    for field in dataclasses.fields(section):
        value, hint = getattr(section, field.name), hints[field.name]
        if presets := getattr(value, "PRESETS", None):
            yield f"{above}{field.name}: preset = {' | '.join(presets)}"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from _values(value, f"{above}{field.name}.")
        else:
            yield f"{above}{field.name}: {_type(hint)} = {value!r}"


def _type(hint: Any) -> str:
    """A type without the modules that it comes from, which may move."""
    text = hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint)
    return re.sub(r"\b(\w+\.)+(?=\w)", "", text)


def bundles() -> str:
    """The keys of bundle.json for each task of the shipped bundles; of what is inside, where the keys are fixed."""
    keys: dict[str, set[str]] = {}
    for path in sorted((PACKAGE / "bundles").glob("*/bundle.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        keys.setdefault(content["task"], set()).update(_keys(content))
    return "".join(f"{task}: {key}\n" for task, found in sorted(keys.items()) for key in sorted(found))


def _keys(content: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in content.items():
        key = above + name
        yield key
        if isinstance(value, dict) and key not in _FREE:
            yield from _keys(value, f"{key}.")


def environment() -> str:
    """The environment variables that the code names, and those of the server's settings."""
    from text_recognizer.service.settings import Settings

    names = {f"TEXT_RECOGNIZER_{name.upper()}" for name in Settings.model_fields}
    for path in PACKAGE.rglob("*.py"):
        names.update(re.findall(r"TEXT_RECOGNIZER_[A-Z][A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    return "\n".join(sorted(names)) + "\n"


def metrics() -> str:
    """The names, kinds, labels and meanings of what Prometheus gets."""
    from prometheus_client import REGISTRY
    from prometheus_client.metrics import MetricWrapperBase

    from text_recognizer.service.monitoring import metrics as _  # noqa: F401  # registers them

    found = [
        metric
        for metric in set(REGISTRY._collector_to_names)
        if isinstance(metric, MetricWrapperBase) and metric._name.startswith("text_recognizer_")
    ]
    rows = [f"{m._name} {m._type} ({', '.join(m._labelnames)}) {m._documentation}" for m in found]
    return "\n".join(sorted(rows)) + "\n"


def handler() -> str:
    """Where AWS Lambda finds its handler: importing it loads models, so its source is asked."""
    module, _, name = HANDLER.rpartition(".")
    found = importlib.util.find_spec(module)
    assert found is not None, f"there is no module {module}"
    assert found.origin is not None
    if f"\ndef {name}(event: Any, context: Any) -> Any:\n" not in Path(found.origin).read_text(encoding="utf-8"):
        return "missing\n"
    return f"{HANDLER}(event, context)\n"


#: The surfaces by the file that holds them.
SURFACES: Mapping[str, Callable[[], str]] = {
    "cli.txt": cli,
    "openapi.json": openapi,
    "openapi-labelling.json": openapi_labelling,
    "experiments.txt": experiments,
    "networks.txt": networks,
    "bundles.txt": bundles,
    "environment.txt": environment,
    "metrics.txt": metrics,
    "lambda.txt": handler,
}
