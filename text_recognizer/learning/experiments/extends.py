"""Inheritance of experiment files: `extends` names another YAML file, whose fields are the defaults."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from text_recognizer.learning.experiments.fields import read_yaml

#: The key that names the file to begin with, seen from the file that has the key.
EXTENDS = "extends"


@dataclass(frozen=True)
class Layer:
    """One file of a chain: its path, and its content without `extends`."""

    path: Path
    content: Any


def read_layers(path: Path) -> list[Layer]:
    """Read an experiment file and the files that it extends.

    Args:
        path: a YAML file.

    Returns:
        The files, the one that extends nothing first, `path` last.

    Raises:
        FileNotFoundError: a file is missing; the message names the files that lead to it.
        ValueError: a file is no YAML, `extends` is no path, or the files extend each other in a circle.
    """
    chain: list[Path] = []
    layers: list[Layer] = []
    following: Path | None = path
    while following is not None:
        chain.append(following)
        if _same(following, chain[:-1]):
            raise ValueError(f"{path}: the files extend each other in a circle: {_shown(chain)}")
        if len(chain) > 1 and not following.is_file():
            raise FileNotFoundError(f"{chain[-2]}: extends names {following}, which is no file: {_shown(chain)}")
        content = read_yaml(following, "experiment")
        base = _base(following, content)
        layers.append(Layer(following, content))
        following = base
    return layers[::-1]


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes`: mappings key by key, anything else replaced; neither argument is changed.

    Another `network.name` drops the `network.fields` of the base, which belong to its network.
    """
    merged = dict(base)
    for key, value in changes.items():
        before = merged.get(key)
        if not (isinstance(before, dict) and isinstance(value, dict)):
            merged[key] = value
            continue
        if key == "network" and value.get("name", before.get("name")) != before.get("name"):
            before = {name: part for name, part in before.items() if name != "fields"}
        merged[key] = merge(before, value)
    return merged


def described(layers: list[Layer]) -> str:
    """Name an experiment file in a message, with those that it extends: "a.yaml (extends b.yaml, c.yaml)"."""
    *bases, own = [str(layer.path) for layer in layers]
    return f"{own} (extends {', '.join(reversed(bases))})" if bases else own


def _base(path: Path, content: Any) -> Path | None:
    """Take `extends` out of the content of a file; the path that it names."""
    if not isinstance(content, dict) or EXTENDS not in content:
        return None
    named = content.pop(EXTENDS)
    if not isinstance(named, str) or not named:
        raise ValueError(f"{path}: {EXTENDS} must be the path of another experiment file, not {named!r}")
    return Path(os.path.normpath(path.parent / named))


def _same(path: Path, others: Iterable[Path]) -> bool:
    return any(path.resolve() == other.resolve() for other in others)


def _shown(chain: list[Path]) -> str:
    return " -> ".join(map(str, chain))
