"""The registry of promoted models, as those see it who read with them.

A plain folder that a server, the command line and a colleague with `cat` understand:

    bundles/ID/        bundles by the hash of their content; never changed once they are there
    production.json    for each slot (lines, detector, characters, paragraphs) what reads for everybody
    staging.json       the same of what waits for its turn
    history.jsonl      every promotion and rollback: who, when, why, by which suite, with which scores, instead of what

A pointer is replaced whole, so whoever reads it sees the old or the new one; `stamp` says at the cost of one look at
the file whether it was. Only `promotion.py` writes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from text_recognizer.paths import home_dir

REGISTRY_VARIABLE = "TEXT_RECOGNIZER_REGISTRY"
REGISTRY_VERSION = 1
PRODUCTION, STAGING = "production", "staging"
STAGES = (PRODUCTION, STAGING)
HISTORY = "history.jsonl"
BUNDLES = "bundles"
#: What reads in each slot until something is promoted there: the shipped bundle of that name.
SLOTS = ("lines", "detector", "characters", "paragraphs")
_ID_LENGTH = 16  # hexadecimal digits of the hash


class RegistryError(ValueError):
    """A registry that cannot be used, or that lacks what is asked for; the message says what and why."""


@dataclass(frozen=True)
class RegisteredBundle:
    """A bundle that was promoted.

    id: of its content. path: its folder. slot: what it reads. identity: name, version and hash of its weights.
    promoted: when, ISO 8601 in UTC; by: whom; reason: why. number: of the record in the history. before: the bundles
    that were there before, the last one first, which is where a rollback leads.
    """

    id: str
    path: Path
    stage: str
    slot: str
    identity: str
    promoted: str
    by: str
    reason: str
    number: int
    before: tuple[str, ...] = ()


def registry_dir(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder that is meant: the given one, $TEXT_RECOGNIZER_REGISTRY, or `models` in the home folder."""
    chosen = folder or os.environ.get(REGISTRY_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else home_dir() / "models"


def slot_of(task: str) -> str:
    """The slot of a bundle's task: whatever reads lines takes the place of the lines. Raises RegistryError."""
    slot = "lines" if task == "attention-lines" else task
    if slot not in SLOTS:
        raise RegistryError(f"bundles for {task!r} are not promoted by themselves; those of {', '.join(SLOTS)} are")
    return slot


def current(
    stage: str = PRODUCTION, slot: str = "lines", registry: str | os.PathLike[str] | None = None
) -> RegisteredBundle | None:
    """What was promoted to that stage; None where nothing was. Raises RegistryError where the registry is damaged."""
    folder = registry_dir(registry)
    entry = read_pointer(folder, stage).get(slot)
    return None if entry is None else _registered(folder, stage, slot, entry)


def stamp(stage: str = PRODUCTION, registry: str | os.PathLike[str] | None = None) -> tuple[int, int, int] | None:
    """Something that is another one after each promotion to that stage, whatever the slot; None before the first.

    Costs one `stat`: ask as often as you like, and ask `current` when it has changed.
    """
    try:
        found = _pointer(registry_dir(registry), stage).stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def promoted_folder(stage: str, slot: str = "lines", registry: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the bundle that was promoted to that stage. Raises RegistryError where there is none."""
    found = current(stage, slot, registry)
    if found is None:
        raise RegistryError(
            f"no bundle for {slot} was promoted to {stage} in {registry_dir(registry)}: text-recognizer promote does it"
        )
    if not (found.path / "bundle.json").is_file():
        raise RegistryError(f"{found.path}, which is in {stage}, is gone: roll back, or promote another one")
    return found.path


def read_pointer(folder: Path, stage: str) -> dict[str, dict[str, Any]]:
    """What a stage's file says: an entry by slot. Raises RegistryError where it is damaged or too new."""
    path = _pointer(folder, stage)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data.pop("registry_version")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise RegistryError(f"{path} is damaged: {error}") from error
    if version > REGISTRY_VERSION:
        raise RegistryError(f"{path} has version {version}; this program knows {REGISTRY_VERSION}: update it")
    return data


def read_history(folder: Path) -> list[dict[str, Any]]:
    """Every record, the first one first; a last line that a crash cut off is none. Raises RegistryError."""
    path = folder / HISTORY
    if not path.is_file():
        return []
    *whole, _cut_off = path.read_bytes().split(b"\n")
    try:
        return [json.loads(line) for line in whole]
    except ValueError as error:
        raise RegistryError(f"{path} is damaged: {error}") from error


def bundle_folder(folder: Path, identifier: str) -> Path:
    """Where a bundle of that identifier lies, or would."""
    return folder / BUNDLES / identifier


def content_hash(bundle: Path) -> str:
    """The identifier of a bundle: the start of the SHA-256 of its files' names and hashes; hidden files do not count.

    Raises OSError where a file cannot be read.
    """
    digest = hashlib.sha256()
    for name, path in sorted(bundle_files(bundle).items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:_ID_LENGTH]


def bundle_files(bundle: Path) -> Mapping[str, Path]:
    """The files of a bundle by their names within it."""
    found = {path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file()}
    return {name: path for name, path in found.items() if not any(part.startswith(".") for part in name.split("/"))}


def _pointer(folder: Path, stage: str) -> Path:
    if stage not in STAGES:
        raise RegistryError(f"there is no stage {stage!r}; there are {' and '.join(STAGES)}")
    return folder / f"{stage}.json"


def _registered(folder: Path, stage: str, slot: str, entry: Mapping[str, Any]) -> RegisteredBundle:
    try:
        return RegisteredBundle(
            id=entry["id"],
            path=bundle_folder(folder, entry["id"]),
            stage=stage,
            slot=slot,
            identity=entry["identity"],
            promoted=entry["promoted"],
            by=entry["by"],
            reason=entry["reason"],
            number=int(entry["number"]),
            before=tuple(entry["before"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RegistryError(f"{_pointer(folder, stage)} is damaged: {error!r}") from error
