"""What a run came from: the code, the data, the machine and its software."""

from __future__ import annotations

import functools
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning
import torch

from text_recognizer.learning.data.cache import fingerprint
from text_recognizer.learning.data.characters import CharacterDataset
from text_recognizer.learning.data.lines import LineDataset
from text_recognizer.learning.data.manifest import read_manifest
from text_recognizer.learning.data.page_maps import PageCrops
from text_recognizer.learning.experiments.revision import commit_of, described_data

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
