"""Suites: versioned sets of what a model must do before it is promoted (docs/promotion.md).

A suite is a folder with `suite.yaml` and the images that it names. Its hash is of all of its files, so that a result
says exactly what was asked. Behaviour is tested as Ribeiro et al. propose ("Beyond Accuracy: Behavioral Testing of NLP
Models with CheckList", ACL 2020): minimum functionality (small images whose text is known), invariance (changes that
must not matter), beside accuracy, calibration and cost.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml
from numpy.typing import NDArray

from text_recognizer.images import ImageError, open_image
from text_recognizer.recognition.registry import content_hash

SUITE_VERSION = 1
SHIPPED_SUITES = Path(__file__).resolve().parents[3] / "suites"
T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    """One image whose reading is known. text: what it says, for detectors the outlines in made.json count instead.
    limit: the error rate that is allowed (CER; of detectors 1 - F1 at IoU 0.5). change, amount: done to the image
    before (`behaviour.py`)."""

    name: str
    image: str
    limit: float = 0.0
    text: str = ""
    change: str = ""
    amount: float = 0.0


@dataclass(frozen=True)
class Change:
    """A change that must not matter. amounts: how much of it is tried; limit: the mean error rate of what is read then,
    measured against what was read before."""

    change: str
    amounts: tuple[float, ...]
    limit: float


@dataclass(frozen=True)
class Invariance:
    """Images, and what is done to each of them."""

    images: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Accuracy:
    """sets: datasets by name, with the language that they are in. limits: highest error rate of each measure for each
    set. groups, samples: a slice with fewer writers or pages, or fewer lines, is not judged; writer_samples: lines that
    a writer must have to be judged alone."""

    sets: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    groups: int = 8
    samples: int = 40
    writer_samples: int = 15


@dataclass(frozen=True)
class Cost:
    """Highest ratios to the model in production: of the time for the suite's images, of the size of the weights."""

    time: float = 1.5
    size: float = 1.5


@dataclass(frozen=True)
class TaskSuite:
    """What is asked of the models of one slot. calibration_error: highest expected calibration error, 0 for any;
    calibrated: whether the bundle must bring the weights of its calibration. language: what lines are read with."""

    functionality: tuple[Case, ...] = ()
    invariance: Invariance = Invariance()
    accuracy: Accuracy = Accuracy()
    cost: Cost | None = None
    calibrated: bool = False
    calibration_error: float = 0.0
    language: str = "auto"


@dataclass(frozen=True)
class Suite:
    """A suite and where it lies."""

    name: str
    version: int
    about: str
    folder: Path
    tasks: Mapping[str, TaskSuite]
    sha256: str

    @property
    def identity(self) -> str:
        """Name, version and the start of the hash."""
        return f"{self.name} {self.version} ({self.sha256[:8]})"

    def image(self, name: str) -> NDArray[np.uint8]:
        """An image of the suite, (H, W) or (H, W, 3). Raises ValueError where it cannot be read."""
        try:
            return open_image(self.folder / name)
        except (ImageError, OSError) as error:
            raise ValueError(f"suite {self.name}: {error}") from error

    def outlines(self, name: str) -> list[NDArray[np.float64]]:
        """The true lines of an image of a page, corners (4, 2) in pixels each; none where it has no writing."""
        path = self.folder / "made.json"
        boxes = json.loads(path.read_text(encoding="utf-8"))["outlines"].get(name, []) if path.is_file() else []
        return [np.array([[a, b], [c, b], [c, d], [a, d]], np.float64) for a, b, c, d in boxes]

    def of(self, slot: str) -> TaskSuite:
        """What is asked of that slot. Raises ValueError where the suite has nothing for it."""
        if slot not in self.tasks:
            raise ValueError(f"suite {self.name} has no tests for {slot}; it has for {', '.join(self.tasks)}")
        return self.tasks[slot]


def load_suite(name: str | os.PathLike[str]) -> Suite:
    """A shipped suite by its name, or one by its folder. Raises ValueError where there is none, or it is wrong."""
    folder = Path(name)
    if str(name) == folder.name and (SHIPPED_SUITES / folder / "suite.yaml").is_file():
        folder = SHIPPED_SUITES / folder
    path = folder / "suite.yaml"
    if not path.is_file():
        shipped = ", ".join(sorted(found.parent.name for found in SHIPPED_SUITES.glob("*/suite.yaml")))
        raise ValueError(f"no suite at {folder}, and no shipped one of that name (shipped: {shipped})")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if data.pop("suite_version") > SUITE_VERSION:
            raise ValueError(f"it is for a newer program; this one knows version {SUITE_VERSION}")
        tasks = {slot: _task(fields or {}) for slot, fields in data.pop("tasks").items()}
        return Suite(folder=folder, tasks=tasks, sha256=content_hash(folder), **data)
    except (yaml.YAMLError, OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is no suite: {' '.join(str(error).split())}") from error


def _task(data: dict[str, Any]) -> TaskSuite:
    cases = tuple(_built(Case, fields) for fields in data.pop("functionality", None) or [])
    invariance = dict(data.pop("invariance", None) or {})
    changes = tuple(_built(Change, fields) for fields in invariance.pop("changes", []))
    cost = data.pop("cost", None)
    task = _built(
        TaskSuite,
        data
        | {
            "functionality": cases,
            "invariance": _built(Invariance, invariance | {"changes": changes}),
            "accuracy": _built(Accuracy, data.pop("accuracy", None) or {}),
            "cost": None if cost is None else _built(Cost, cost),
        },
    )
    if strangers := sorted(set(task.accuracy.limits) - set(task.accuracy.sets)):
        raise ValueError(f"accuracy has limits for {', '.join(strangers)}, which its sets do not name")
    if task.cost and not task.invariance.images:
        raise ValueError("cost is measured on the images of invariance, and there are none")
    return task


def _built(kind: type[T], fields: Mapping[str, Any]) -> T:
    """A dataclass of those fields, lists as tuples. Raises ValueError for a field that there is not."""
    known = [found.name for found in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(set(fields) - set(known)):
        raise ValueError(f"{kind.__name__.lower()} has no {', '.join(unknown)}; it has {', '.join(known)}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
