"""Several bundles of one kind as one: a folder that holds them, and says how they are averaged."""

from __future__ import annotations

import datetime
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from text_recognizer.atomic_files import whole_folder
from text_recognizer.learning import tasks
from text_recognizer.learning.export.evaluate import check_measured, measure_bundle
from text_recognizer.learning.export.export import refuse_other_folders
from text_recognizer.learning.export.model_card import write_description
from text_recognizer.recognition.bundle import (
    FORMAT_VERSION,
    Bundle,
    BundleError,
    bundle_task,
    find_bundle,
    load_bundle,
)


def write_ensemble(
    bundles: Sequence[str | Path], output: Path, weights: Sequence[float] = (), version: str = "1", measure: bool = True
) -> Path:
    """Write the bundle of an ensemble to `output`, measured on val where asked.

    bundles: shipped names or folders, all of lines by CTC, all of lines by attention, or all of paragraphs; of CTC, the
    first one's frames are the ensemble's. weights: of what they answer, equal by default. The bundle appears whole or
    not at all. Raises BundleError where the members do not fit together, ValueError for fewer than two or for bad
    weights, FileExistsError where `output` is something else, FileNotFoundError where data to measure with are missing.
    """
    if len(bundles) < 2:
        raise ValueError("an ensemble has two members or more")
    shares = list(weights) or [1.0] * len(bundles)
    if len(shares) != len(bundles) or min(shares) <= 0:
        raise ValueError(f"{len(bundles)} members need {len(bundles)} weights above zero, not {shares}")
    task = tasks.find(_common_task(bundles))
    members = [load_bundle(find_bundle(bundle), task.name, task.normalization) for bundle in bundles]
    names = [f"member-{number}-{member.name}" for number, member in enumerate(members, start=1)]
    settings = task.ensemble_settings(members, names, shares)
    refuse_other_folders(output, *(member.folder for member in members))
    if measure:
        check_measured(task.name)
    with whole_folder(output, replace=True) as partial:
        for member, name in zip(members, names, strict=True):
            shutil.copytree(member.folder, partial / name)
        write_description(partial, _description(output.name, version, members, settings))
        if measure:
            measure_bundle(partial, task.name)
    return output


def _common_task(bundles: Sequence[str | Path]) -> str:
    """The task of all of them. Raises BundleError where they differ, or none is made of bundles of that task."""
    kinds = {name: tasks.find(name).kind for name in tasks.names() if tasks.find(name).kind}
    own = {bundle: bundle_task(bundle) for bundle in bundles}
    if len(set(own.values())) > 1:
        found = ", ".join(f"{bundle} is for {kinds.get(task, task)}" for bundle, task in own.items())
        raise BundleError(f"the members of an ensemble are of one kind; {found}")
    task = own[bundles[0]]
    if task not in kinds:
        raise BundleError(f"{bundles[0]} is for {task}: an ensemble is made of {', '.join(kinds.values())}")
    return task


def _hashes(member: Bundle) -> str:
    """The hashes of all weights of a member."""
    return member.sha256 + str(member.settings.get("decoder", {}).get("sha256", ""))


def _description(name: str, version: str, members: Sequence[Bundle], settings: dict[str, Any]) -> dict[str, Any]:
    """The content of bundle.json; the hash is that of the members' hashes, one after the other."""
    sources = [source for member in members for source in member.provenance["experiment"]["data"]["train"]]
    experiment = {
        "name": name,
        "network": {"name": "ensemble", "members": [member.identity for member in members]},
        "data": {"train": sources},
    }
    provenance = {
        "experiment": experiment,
        "parameters": sum(member.provenance["parameters"] for member in members),
        "epochs": sum(member.provenance["epochs"] for member in members),
        "steps": sum(member.provenance["steps"] for member in members),
        "exported": datetime.date.today().isoformat(),
    }
    return {
        "format_version": FORMAT_VERSION,
        "name": name,
        "task": members[0].task,
        "version": version,
        "normalization": members[0].normalization,
        "sha256": hashlib.sha256("".join(map(_hashes, members)).encode()).hexdigest(),
        "settings": settings,
        "scores": {},
        "provenance": provenance,
    }
