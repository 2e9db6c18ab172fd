"""Where files come from: the commit of a checkout, and, of datasets, their version and the state of their project."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from text_recognizer.learning.data.manifest import Manifest


def project_of(folder: Path) -> Path | None:
    """The DVC project that a folder lies in; None where it lies in none."""
    folder = folder.resolve()
    return next((parent for parent in (folder, *folder.parents) if (parent / ".dvc" / "config").is_file()), None)


def described_data(manifest: Manifest) -> dict[str, Any]:
    """What runs and bundles say of a dataset: its folder's name, version, lines by split, licences, and, in a DVC
    project, the commit ("-changed" where files differ from it) and DVC's hash of the data."""
    described: dict[str, Any] = {
        "folder": manifest.folder.resolve().name,
        "version": manifest.version,
        "lines": manifest.counts("split"),
        "licences": list(manifest.counts("licence")),
    }
    project = project_of(manifest.folder)
    if project:
        known = {"git": commit_of(project), "dvc": _stored_hash(project, manifest.folder.resolve())}
        described |= {name: value for name, value in known.items() if value}
    return described


def commit_of(folder: Path) -> str | None:
    """The commit of a folder in a git checkout; "-changed" where files differ from it."""
    git = ["git", "-C", str(folder)]
    try:
        head = _output([*git, "rev-parse", "HEAD"])
        return head + "-changed" * bool(_output([*git, "status", "--porcelain", "--untracked-files=no"]))
    except (OSError, subprocess.SubprocessError):
        return None


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _stored_hash(project: Path, folder: Path) -> str | None:
    """The hash in the .dvc file that tracks the folder, or a folder around it."""
    import yaml

    for tracked in (folder, *folder.parents):
        if tracked == project:
            break
        path = tracked.with_name(f"{tracked.name}.dvc")
        if path.is_file():
            try:
                return str(yaml.safe_load(path.read_text(encoding="utf-8"))["outs"][0]["md5"])
            except (yaml.YAMLError, KeyError, IndexError, TypeError):
                return None
    return None
