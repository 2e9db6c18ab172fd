"""Writing into the registry of models (`registry.py`): one writer at a time, everything or nothing."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from text_recognizer.atomic_files import append, locked, whole_folder, write_file
from text_recognizer.recognition.bundle import SHIPPED, bundle_task
from text_recognizer.recognition.registry import (
    HISTORY,
    PRODUCTION,
    REGISTRY_VERSION,
    STAGES,
    RegisteredBundle,
    RegistryError,
    bundle_files,
    bundle_folder,
    content_hash,
    current,
    promoted_folder,
    read_history,
    read_pointer,
    slot_of,
)

_WAIT = 30.0  # seconds for another promotion
_UNCHECKED = object()


@dataclass(frozen=True)
class Decision:
    """Why a bundle is promoted, for the history. evidence: suites, scores and what spoke against it."""

    reason: str
    evidence: Mapping[str, Any]
    forced: bool = False


def register(
    bundle: Path, stage: str, decision: Decision, registry: Path, instead_of: object = _UNCHECKED
) -> RegisteredBundle:
    """Copy a bundle into the registry and let a stage point to it.

    instead_of: the identifier of what the bundle was compared with, None for nothing; RegistryError where something
    else is there by now. Raises OSError where the registry cannot be written; then nothing has changed.
    """
    slot = slot_of(bundle_task(bundle))
    with _writing(registry):
        there = current(stage, slot, registry)
        if instead_of is not _UNCHECKED and (there.id if there else None) != instead_of:
            raise RegistryError(f"{stage} has changed since the bundle was compared with it: promote it again")
        identifier = content_hash(bundle)
        _copy(bundle, bundle_folder(registry, identifier))
        if there is None:
            before = _shipped(slot, identifier, registry)
        else:
            before = there.before if there.id == identifier else (there.id, *there.before)
        return _point(registry, stage, slot, "promote", identifier, before, decision)


def roll_back(
    stage: str, slot: str, registry: Path, to: str | None = None, reason: str = "rollback"
) -> RegisteredBundle:
    """Let a stage point to what was there before, or to a registered bundle of the identifier that `to` begins.

    Raises RegistryError where there is none, or its files are not what they were.
    """
    with _writing(registry):
        there = current(stage, slot, registry)
        if there is None or (to is None and not there.before):
            raise RegistryError(f"there was nothing for {slot} in {stage} before: nothing to roll back to")
        identifier = there.before[0] if to is None else find_registered(registry, to)
        folder = bundle_folder(registry, identifier)
        check_unchanged(folder)
        if slot_of(bundle_task(folder)) != slot:
            raise RegistryError(f"{identifier} is for {bundle_task(folder)}, not for {slot}")
        if identifier in there.before:
            before = there.before[there.before.index(identifier) + 1 :]
        else:
            before = there.before if identifier == there.id else (there.id, *there.before)
        return _point(registry, stage, slot, "rollback", identifier, before, Decision(reason, {}))


def find_registered(registry: Path, start: str) -> str:
    """The identifier of the one registered bundle that begins so. Raises RegistryError."""
    known = registered(registry)
    found = [identifier for identifier in known if identifier.startswith(start)] if start else []
    if len(found) != 1:
        what = "no bundle" if not found else "more than one bundle"
        raise RegistryError(f"{what} in {registry} begins with {start!r}; there are: {', '.join(known) or 'none'}")
    return found[0]


def registered(registry: Path) -> list[str]:
    """The identifiers of all bundles in the registry."""
    return sorted(path.parent.name for path in bundle_folder(registry, "").glob("[!.]*/bundle.json"))


def check_unchanged(folder: Path) -> None:
    """Raises RegistryError where a registered bundle is gone, or its files are not those that were registered."""
    if not (folder / "bundle.json").is_file():
        raise RegistryError(f"{folder} is gone")
    if content_hash(folder) != folder.name:
        raise RegistryError(f"{folder} was changed after it was registered: it is not what was promoted")


@contextmanager
def _writing(registry: Path) -> Iterator[None]:
    """The lock of the registry; what a killed process left half done is told in the history."""
    try:
        registry.mkdir(parents=True, exist_ok=True)
        with locked(registry / ".lock", _WAIT):
            _settle(registry)
            yield
    except TimeoutError:
        raise
    except OSError as error:
        raise OSError(
            f"the registry {registry} cannot be written ({error.strerror or error}), and was left as it was: make room "
            "or give the right to it, or name another one with --registry or TEXT_RECOGNIZER_REGISTRY"
        ) from error


def _settle(registry: Path) -> None:
    """Note records that never took effect, because the process was killed between record and pointer."""
    path = registry / HISTORY
    if path.is_file() and not (data := path.read_bytes()).endswith(b"\n") and data:
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)
    records = read_history(registry)
    if not records:
        return
    last = records[-1]
    if last["action"] == "abandoned":
        return
    there = current(last["stage"], last["slot"], registry)
    if there is None or there.number != last["number"]:
        _append(registry, {"action": "abandoned", "number": last["number"], "when": now()})


def _copy(bundle: Path, target: Path) -> None:
    """The bundle's files, read-only; one that is there already stays, unless it is damaged."""
    if target.exists():
        check_unchanged(target)
        return
    with whole_folder(target) as partial:
        for name, path in bundle_files(bundle).items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial / name)
            (partial / name).chmod(0o444)
        if content_hash(partial) != target.name:
            raise RegistryError(f"{bundle} changed while it was copied: promote it again")


def _shipped(slot: str, identifier: str, registry: Path) -> tuple[str, ...]:
    """The shipped bundle, which read there until now, registered too, so that one can roll back to it."""
    shipped = content_hash(SHIPPED / slot)
    if shipped == identifier:
        return ()
    _copy(SHIPPED / slot, bundle_folder(registry, shipped))
    return (shipped,)


def _point(
    registry: Path, stage: str, slot: str, action: str, identifier: str, before: tuple[str, ...], decision: Decision
) -> RegisteredBundle:
    """Record it, then replace the pointer; where that fails, the record goes too."""
    pointer, path = read_pointer(registry, stage), registry / HISTORY
    was = pointer.get(slot)
    entry = {
        "id": identifier,
        "identity": identity_of(bundle_folder(registry, identifier)),
        "promoted": now(),
        "by": somebody(),
        "reason": decision.reason,
        "number": 1 + max((record["number"] for record in read_history(registry)), default=0),
        "before": list(before),
    }
    record = {"action": action, "stage": stage, "slot": slot, **entry, "instead_of": was["id"] if was else None}
    record |= {"forced": decision.forced, **decision.evidence}
    size = path.stat().st_size if path.is_file() else 0
    try:
        _append(registry, record)
        content = {"registry_version": REGISTRY_VERSION, **pointer, slot: entry}
        write_file(registry / f"{stage}.json", (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError:
        if path.is_file():
            os.truncate(path, size)
        raise
    found = current(stage, slot, registry)
    assert found is not None
    return found


def _append(registry: Path, record: Mapping[str, Any]) -> None:
    append(registry / HISTORY, json.dumps(record, ensure_ascii=False).encode() + b"\n")


def identity_of(bundle: Path) -> str:
    """Name, version and the start of the weights' hash, as `Bundle.identity` has them."""
    data = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    return f"{data['name']} {data['version']} ({data['sha256'][:8]})"


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def somebody() -> str:
    """Who does it: the user and the machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container whose user has no name
        user = f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}"


def reading_bundle(name: str, slot: str) -> str:
    """The bundle that a setting means: for "production" and "staging" the folder of what was promoted there, checked
    against its hash; in production the shipped bundle until something is; any other name as it is.

    Raises RegistryError where nothing is in staging, or what was promoted is damaged.
    """
    if name not in STAGES:
        return name
    if current(name, slot) is None and name == PRODUCTION:
        return str(SHIPPED / slot)
    folder = promoted_folder(name, slot)
    check_unchanged(folder)
    return str(folder)
