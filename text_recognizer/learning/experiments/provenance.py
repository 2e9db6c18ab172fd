"""What a run came from: the code, the data, the machine and its software.

Where files come from: the commit of a checkout, and, of datasets, their version and the state of their project.
"""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning
import torch

from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.own_folder import Manifest, read_manifest
from text_recognizer.learning.loading.detector_targets import PageCrops
from text_recognizer.learning.synthesis.characters import CharacterDataset

_PACKAGES = ("text-recognizer", "torch", "lightning", "numpy", "opencv-python-headless", "onnx", "onnxruntime")
_FOLDER = "folder"  # the name of sources that are folders of lines


def commit() -> str | None:
    """The commit of this code, where it is a git checkout; "-changed" where files differ from it."""
    return commit_of(Path(__file__).parent)


def data_versions(data: lightning.LightningDataModule) -> dict[str, str]:
    """Eight characters for each source of a run, by its name: they change where its labels or its images' sizes do,
    wherever the files lie, and so with the version of the normalisation. Of a folder of lines they are the first of the
    version of its manifest."""
    settings = getattr(data, "data", None)
    train, val = getattr(data, "train", None), getattr(data, "val", None)
    found: dict[str, str] = {}
    if isinstance(train, PageCrops):
        for split, crops in (("train", train), ("val", val)):
            pages = {id(part): part for part, *_ in crops.items}  # type: ignore[union-attr]
            found[f"pages-{split}"] = fingerprint([part.index for part in pages.values()])
        return found
    sources = _sources(settings)
    mixed = [train, *(val if isinstance(val, list) else [])]
    parts = [part for lines in mixed for part in getattr(lines, "parts", [])]
    return {
        getattr(source, "title", source.name): _version(source, part)
        for source, part in zip(sources, parts, strict=False)
    }


def datasets(data: lightning.LightningDataModule) -> list[dict[str, Any]]:
    """Of each folder of lines among the sources of a run what `described_data` says."""
    folders = dict.fromkeys(source.path for source in _sources(getattr(data, "data", None)) if source.name == _FOLDER)
    return [described_data(read_manifest(Path(folder).expanduser())) for folder in folders]


def _sources(settings: Any) -> list[Any]:
    return [source for split in ("train", "val") for source in getattr(settings, split, [])]


def _version(source: Any, dataset: Any) -> str:
    if source.name == _FOLDER:
        return read_manifest(Path(source.path).expanduser()).short_version
    if isinstance(dataset, LineDataset):
        return fingerprint(dataset.widths.tolist(), [(label.identifier, label.text) for label in dataset.labels])
    if isinstance(dataset, CharacterDataset):
        return fingerprint(dataset.text, dataset.writers)
    return fingerprint([str(label) for label in getattr(dataset, "labels", [])])


@functools.cache
def _installed() -> dict[str, str]:
    """Versions of all installed packages by name."""
    return {found.name: found.version for found in metadata.distributions()}


def environment() -> dict[str, Any]:
    """Python, the machine, and the versions of the packages that matter; `packages` lists all that are installed."""
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    installed = _installed()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "gpus": gpus,
        "versions": {name: installed[name] for name in _PACKAGES if name in installed},
        "packages": sorted(f"{name}=={version}" for name, version in installed.items()),
    }


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
