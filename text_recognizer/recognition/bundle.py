"""A model bundle: a folder with `model.onnx`, `bundle.json` and `README.md` (the model card).

Training writes bundles, reading loads them, and nothing else passes between the two halves.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text_recognizer.recognition.registry import STAGES, RegistryError, promoted_folder, slot_of

FORMAT_VERSION = 1
SHIPPED = Path(__file__).resolve().parent.parent / "bundles"
# ONNX Runtime's official builds report their use over the network, unless this is set before they are imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class BundleError(ValueError):
    """A bundle that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Bundle:
    """What `bundle.json` says, and the folder it lies in.

    task: "lines", "attention-lines", "paragraphs", "detector" or "characters". version: of the model. settings: what
    reading needs to know (alphabet, input geometry, thresholds, hashes of further weights). scores and provenance: for
    people.
    """

    folder: Path
    name: str
    task: str
    version: str
    sha256: str
    normalization: int
    settings: Mapping[str, Any]
    scores: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Name, version and the start of the hash: enough to say which model read a page."""
        return f"{self.name} {self.version} ({self.sha256[:8]})"

    @property
    def exported(self) -> float:
        """When it was exported, in seconds since 1970 (UTC, midnight of the day); NaN where it does not say."""
        try:
            day = date.fromisoformat(self.provenance["exported"])
        except (KeyError, TypeError, ValueError):
            return math.nan
        return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def find_bundle(name_or_path: str | os.PathLike[str], task: str = "lines") -> Path:
    """The folder of a bundle: a path, the name of a shipped one, or "production" or "staging" for the one that was
    promoted to it (`registry.py`); task: which of those. Raises BundleError."""
    path = Path(name_or_path)
    # A plain name means a shipped bundle, whatever lies in the working directory; ./name means the folder.
    plain = str(name_or_path) == path.name
    if plain and path.name in STAGES:
        try:
            return promoted_folder(path.name, slot_of(task))
        except RegistryError as error:
            raise BundleError(str(error)) from error
    for candidate in (SHIPPED / path, path) if plain else (path,):
        if (candidate / "bundle.json").is_file():
            return candidate
    shipped = ", ".join(sorted(entry.parent.name for entry in SHIPPED.glob("*/bundle.json"))) or "none"
    raise BundleError(f"no model bundle at {path}, and no shipped one of that name (shipped: {shipped})")


def bundle_task(name_or_path: str | os.PathLike[str]) -> str:
    """What a bundle is for. Raises BundleError where there is none, or it is damaged."""
    path = find_bundle(name_or_path) / "bundle.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["task"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is damaged: {error}") from error


def load_bundle(name_or_path: str | os.PathLike[str], task: str, normalization: int) -> Bundle:
    """Read and check a bundle. Raises BundleError where it is for another task, too new, or damaged."""
    folder = find_bundle(name_or_path, task)
    try:
        data = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        version = data.pop("format_version")
        if version > FORMAT_VERSION:
            raise BundleError(f"{folder} has bundle format {version}; this program knows {FORMAT_VERSION}: update it")
        bundle = Bundle(folder=folder, **data)
    except (OSError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{folder / 'bundle.json'} is damaged: {error}") from error
    if bundle.task != task:
        raise BundleError(f"{folder} is a bundle for {bundle.task!r}, not for {task!r}")
    if bundle.normalization != normalization:
        raise BundleError(
            f"{folder} learned from images of normalisation {bundle.normalization}, this program makes "
            f"{normalization}: export the model again"
        )
    return bundle


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify(bundle: Bundle, file: str = "model.onnx", sha256: str | None = None) -> None:
    """Raises BundleError where the weights are not those that `bundle.json` names; sha256: of another file of it."""
    found = file_hash(bundle.folder / file)
    if found != (sha256 or bundle.sha256):
        raise BundleError(f"{bundle.folder / file} is not the file its bundle.json names (SHA-256 {found})")


class Session:
    """An ONNX Runtime session on a bundle's weights, on the CPU. file, sha256: of another model than the first.

    alone: whether each image wants a run of its own (the bundle's settings say `"batch": 1`), as what is computed for
    it would depend on what stands beside it. Such a session computes on one thread, so that several may run at once.
    """

    def __init__(
        self, bundle: Bundle, threads: int | None = None, file: str = "model.onnx", sha256: str | None = None
    ) -> None:
        import onnxruntime  # here, so that `import text_recognizer` stays quick

        path = bundle.folder / file
        if not path.is_file():
            raise BundleError(f"{path} is missing")
        verify(bundle, file, sha256)
        self.alone = bundle.settings.get("batch") == 1
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1 if self.alone else threads or available_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Arenas never shrink: without them, memory follows the page that is being read.
        options.enable_cpu_mem_arena = False
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises its own kinds
            raise BundleError(f"{path} cannot be loaded: {error}") from error
        self._inputs = [given.name for given in self._session.get_inputs()]

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first output for a batch of images (B, 1, H, W) float32."""
        return self._session.run(None, {self._inputs[0]: batch})[0]

    def run_all(self, inputs: Mapping[str, NDArray]) -> list[NDArray]:
        """All outputs for inputs by name; those that the model does not take are left out."""
        return self._session.run(None, {name: inputs[name] for name in self._inputs})


def allowed_cores() -> int:
    """Cores this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return os.cpu_count() or 1


def available_cores() -> int:
    """Cores a network of ours uses, at most 8: small ones gain nothing from more."""
    return min(8, allowed_cores())
