"""A new project: the datasets copied, the stages and settings written, all of it under git and DVC."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from text_recognizer import __version__
from text_recognizer.atomic_files import whole_folder
from text_recognizer.learning.datasets.own_folder import Manifest, check_manifest, read_manifest
from text_recognizer.lines_tsv import TABLE
from text_recognizer.recognition.bundle import find_bundle

# DVC reports its use, and asks for news of itself, unless it is told not to, here and in the project's own settings.
_QUIET = {"DVC_NO_ANALYTICS": "true", "CI": "true"}
_CONFIG = """[core]
    analytics = false
    check_update = false
    autostage = true
    remote = storage
['remote "storage"']
    url = {storage}
"""


def begin_project(folder: Path, data: Sequence[Path], name: str = "", start: str = "lines", storage: str = "") -> str:
    """Make a project of datasets, which are copied and stay as they are. Returns where its store (DVC's remote) is.

    name: of the model, by default the folder's. start: the recogniser to begin with, a shipped one's name or a folder.
    storage: a folder, or a URL that DVC knows; by default `<folder>-storage` beside the folder. The folder appears
    whole or not at all. Nothing is sent or fetched over a network.

    Raises FileExistsError where the folder holds something, FileNotFoundError where git, DVC or a dataset is missing,
    and ValueError for a dataset in which something is wrong, or where git does not know who is committing.
    """
    folder = folder.expanduser().resolve()
    name = name or folder.name
    git, dvc = _program("git"), _program("dvc")
    _check_folder(folder)
    manifests = _checked(data)
    _check_identity(git)
    storage = storage or str(Path("..", f"{folder.name}-storage"))
    with whole_folder(folder, replace=True) as partial:
        for manifest in manifests:
            _copy(manifest, partial / "data" / manifest.folder.resolve().name)
        _write_template(partial, name, _start(start, folder), storage)
        _run([git, "init", "--quiet", "--initial-branch=main"], partial)
        _run([dvc, "init", "--quiet"], partial)
        (partial / ".dvc" / "config").write_text(_CONFIG.format(storage=_from_config(storage)), encoding="utf-8")
        _run([dvc, "add", "--quiet", "data"], partial)
        _run([git, "add", "--all"], partial)
        _run([git, "commit", "--quiet", "--message", f"Begin {name}"], partial)
    return str((folder / storage).resolve()) if _is_path(storage) else storage


def _program(name: str) -> str:
    """The path of a program: from the search path, or installed beside this Python."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found:
        return found
    how = 'pip install "text-recognizer[versions]"' if name == "dvc" else "https://git-scm.com/downloads"
    raise FileNotFoundError(f"a project needs {name}, which is not installed: {how}")


def _check_folder(folder: Path) -> None:
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise FileExistsError(f"{folder} holds something: name a new folder")
    if folder == Path.cwd():
        raise ValueError(f"{folder} is where you are: name a folder in it, or go up and name it from there")


def _checked(data: Sequence[Path]) -> list[Manifest]:
    """The manifests of datasets, nothing wrong with any of them."""
    manifests = [read_manifest(folder.expanduser()) for folder in data]
    names = [manifest.folder.resolve().name for manifest in manifests]
    if not names:
        raise ValueError("a project begins with a dataset: --data FOLDER")
    if len(set(names)) < len(names):
        raise ValueError(f"datasets are told apart by their folders' names, and two are the same: {', '.join(names)}")
    for manifest in manifests:
        check_manifest(manifest)
    return manifests


def _check_identity(git: str) -> None:
    """Raises ValueError where a commit would fail for want of a name."""
    try:
        _run([git, "var", "GIT_COMMITTER_IDENT"], Path.cwd())
    except ValueError as error:
        raise ValueError(
            'git does not know who you are: git config --global user.name "Your Name"; '
            "git config --global user.email you@example.org"
        ) from error


def _copy(manifest: Manifest, folder: Path) -> None:
    """What belongs to a dataset: its table and the images that it names."""
    (folder / "lines").mkdir(parents=True)
    shutil.copy(manifest.folder / TABLE, folder)
    for row in manifest.rows:
        shutil.copy(manifest.folder / "lines" / f"{row['line_id']}.png", folder / "lines")


def _start(start: str, project: Path) -> str:
    """The recogniser to begin with, as seen from the project. Raises BundleError, a ValueError, for an unknown one."""
    found = find_bundle(start)
    return start if Path(start).name == start else os.path.relpath(found.resolve(), project)


def _write_template(folder: Path, name: str, start: str, storage: str) -> None:
    template = resources.files(__package__) / "template"
    depends = f"      - {start}\n" if Path(start).name != start else ""
    words = {"start": start, "program": __version__, "storage": storage}
    quoted = {"name": json.dumps(name, ensure_ascii=False), "start": json.dumps(start, ensure_ascii=False)}
    for file, values in (
        ("dvc.yaml", {"start": depends}),
        ("params.yaml", words | quoted),
        ("README.md", words | {"name": name}),
    ):
        text = (template / file).read_text(encoding="utf-8")
        (folder / file).write_text(text.format(**values), encoding="utf-8")


def _is_path(storage: str) -> bool:
    return not re.match(r"\w+://", storage)


def _from_config(storage: str) -> str:
    """The store as DVC's settings name it: paths are seen from the folder `.dvc`."""
    return str(Path("..", storage)) if _is_path(storage) and not Path(storage).is_absolute() else storage


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a program. Raises ValueError with what it complained about."""
    done = subprocess.run(command, cwd=folder, env=os.environ | _QUIET, capture_output=True, text=True)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise ValueError(f"{Path(command[0]).name} {command[1]} failed: {said}")
