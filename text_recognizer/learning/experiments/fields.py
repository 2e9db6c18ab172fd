"""Fields of an experiment before they are believed: every key is known, every value has its type.

A mistake is one short sentence that names the key, and the nearest one that there is.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def check(value: Any, kind: Any, key: str = "", also: Sequence[str] = ()) -> None:
    """Raises ValueError where `value`, as YAML gives it, is no `kind`: a dataclass (of a mapping), a list, a tuple,
    a Literal, a union, or a plain type. key: what the message calls it, "trainer.epochs". also: further keys to
    suggest for a misspelled one."""
    if dataclasses.is_dataclass(kind):
        _check_mapping(value, fields_of(kind), key, [*also, *(["preset"] if presets_of(kind) else [])])
    elif get_origin(kind) in (list, tuple):
        _check_items(value, kind, key)
    elif not _fits(value, kind):
        raise ValueError(f"{key} must be {_described(kind)}, not {value!r}{_near_choice(value, kind)}")


def presets_of(kind: Any) -> dict[str, dict[str, Any]]:
    """The named settings of a dataclass, the fields of each that differ from the defaults; empty if it has none."""
    return getattr(kind, "PRESETS", {})


def expand_presets(value: Any, kind: Any, key: str = "") -> Any:
    """A copy of `value` in which each preset is written out: all fields of the dataclass with the values of the preset.

    A section that has presets may be the name of one, or a mapping with `preset` and the fields that differ from it.
    Raises ValueError for a name that is no preset.
    """
    if not dataclasses.is_dataclass(kind):
        return value
    presets = presets_of(kind)
    if presets and isinstance(value, str):
        return _preset(value, kind, key)
    if not isinstance(value, dict):
        return value
    hints, prefix = fields_of(kind), f"{key}." if key else ""
    expanded = {name: expand_presets(part, hints.get(name), f"{prefix}{name}") for name, part in value.items()}
    if presets and "preset" in expanded:
        return _preset(expanded.pop("preset"), kind, f"{prefix}preset") | expanded
    return expanded


def _preset(name: Any, kind: Any, key: str) -> dict[str, Any]:
    """All fields of a preset, as YAML would give them."""
    presets = presets_of(kind)
    if name not in list(presets):
        choices = ", ".join(map(repr, presets))
        raise ValueError(f"{key} must be one of {choices}, not {name!r}{_nearest(name, list(presets))}")
    values = dataclasses.asdict(kind(**presets[name]))
    return {field: list(value) if isinstance(value, tuple) else value for field, value in values.items()}


def read_yaml(path: Path, what: str) -> Any:
    """The content of a YAML file. what: the message calls it. Raises FileNotFoundError, and ValueError where it is no
    YAML."""
    if not path.is_file():
        raise FileNotFoundError(f"no {what} at {path}")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error


def fields_of(kind: Any) -> dict[str, Any]:
    """The types of a dataclass's fields by name."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def unknown(key: str, known: Sequence[str]) -> ValueError:
    """What to raise for a key that is not there; known: those that are, in full."""
    ends = {name.rpartition(".")[2]: name for name in reversed(known)}
    near = difflib.get_close_matches(key, known, n=1) or [
        ends[end] for end in difflib.get_close_matches(key.rpartition(".")[2], ends, n=1)
    ]
    if near:
        return ValueError(f"there is no {key}; the nearest is {near[0]}")
    return ValueError(f"there is no {key}; there are: {', '.join(dict.fromkeys(known))}")


def split_override(text: str) -> tuple[str, str | None]:
    """ "--trainer.overfit-batches=1" -> ("trainer.overfit_batches", "1"); without a value, None in its place.

    Raises ValueError for an argument that is no option."""
    if not text.startswith("--") or len(text) < 3:
        raise ValueError(f"{text!r} is not understood: fields are changed by --FIELD=VALUE, --trainer.epochs=3")
    key, equals, value = text[2:].partition("=")
    return key.replace("-", "_"), value if equals else None


def read_overrides(arguments: Sequence[str], kind: Any) -> list[tuple[list[str], Any]]:
    """The fields of command-line arguments with their values: "--limit 0.1" -> (["trainer", "limit"], 0.1).

    A value follows after = or as the next argument; a field of true or false needs none. A field may be named without
    its section. Raises ValueError for an argument that is no option, lacks its value, or names no field.
    """
    found = []
    rest = list(arguments)
    while rest:
        key, text = split_override(rest.pop(0))
        path, hint = _resolve(key, kind)
        if text is None and rest and not rest[0].startswith("--"):
            text = rest.pop(0)
        if text is None and hint is not bool:
            raise ValueError(f"--{key} needs a value: --{key}=...")
        value = True if text is None else text if hint is str else yaml_value(text)
        found.append((path, expand_presets(value, hint, ".".join(path))))
    return found


def yaml_value(text: str) -> Any:
    """A value as YAML reads it. Raises ValueError where it is none."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{text!r} is no value: {error}") from error


def assign(content: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a field of nested mappings in place. A mapping changes only the fields that it names, but `network.fields`,
    which belong to one network, as a whole."""
    if isinstance(value, dict) and path[-1] != "fields":
        for key, part in value.items():
            assign(content, [*path, key], part)
        return
    for key in path[:-1]:
        if not isinstance(content.get(key), dict):
            content[key] = {}
        content = content[key]
    content[path[-1]] = value


def _resolve(key: str, kind: Any) -> tuple[list[str], Any]:
    """The path of a field, with its section where `key` has none and one section only has it, and its type."""
    sections = {name: hint for name, hint in fields_of(kind).items() if dataclasses.is_dataclass(hint)}
    if "." not in key and key not in fields_of(kind):
        homes = [name for name, hint in sections.items() if key in fields_of(hint)]
        if len(homes) == 1:
            key = f"{homes[0]}.{key}"
    path, known, hint = key.split("."), fields_of(kind), kind
    for place, name in enumerate(path):
        if name not in known:
            raise unknown(key, _all_keys(kind))
        hint = known[name]
        if not dataclasses.is_dataclass(hint):  # the keys of a mapping (network.fields.hidden) are checked later
            return path, hint if place == len(path) - 1 else Any
        known = fields_of(hint)
    return path, hint


def _all_keys(kind: Any, above: str = "") -> list[str]:
    keys = []
    for name, hint in fields_of(kind).items():
        inside = _all_keys(hint, f"{above}{name}.") if dataclasses.is_dataclass(hint) else []
        keys += inside or [above + name]
    return keys


def _check_mapping(value: Any, known: dict[str, Any], key: str, also: Sequence[str] = ()) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{key or 'the experiment'} must hold fields with values, not {value!r}")
    prefix = f"{key}." if key else ""
    for name, part in value.items():
        if name not in known:
            raise unknown(f"{prefix}{name}", [f"{prefix}{field}" for field in (*known, *also)])
        check(part, known[name], f"{prefix}{name}")


def _check_items(value: Any, kind: Any, key: str) -> None:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{key} must be {_described(kind)}, not {value!r}")
    kinds = get_args(kind)
    if get_origin(kind) is list:
        kinds = kinds * len(value)
    elif kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise ValueError(f"{key} must have {len(kinds)} values, not {len(value)}")
    for number, (item, part) in enumerate(zip(value, kinds, strict=True)):
        check(item, part, f"{key}[{number}]")


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value has a type that is neither a dataclass nor a list."""
    if kind is Any:
        return True
    if get_origin(kind) in (Union, types.UnionType):
        return any(_passes(value, part) for part in get_args(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is bool:
        return isinstance(value, bool)
    if kind in (int, float):
        return _is_number(value, kind)
    return isinstance(value, get_origin(kind) or kind)


def _passes(value: Any, kind: Any) -> bool:
    try:
        check(value, kind)
    except ValueError:
        return False
    return True


def _is_number(value: Any, kind: type) -> bool:
    """YAML takes 1e-3 for text: it wants 1.0e-3. Here it is a number."""
    if isinstance(value, str) and kind is float:
        try:
            value = float(value)
        except ValueError:
            return False
    return isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)


def _described(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(repr, get_args(kind)))}"
    if get_origin(kind) in (list, tuple):
        return "a list"
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_described(part) for part in get_args(kind))
    return _WORDS.get(kind, "fields with values" if (get_origin(kind) or kind) is dict else str(kind))


def _near_choice(value: Any, kind: Any) -> str:
    """The choice that was meant, where a text is close to one."""
    choices = [choice for choice in get_args(kind) if isinstance(choice, str)] if get_origin(kind) is Literal else []
    return _nearest(value, choices)


def _nearest(value: Any, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(value), choices, n=1)
    return f"; the nearest is {near[0]!r}" if near else ""
