"""What readings usually look like: the reference that later ones are compared with, a small JSON file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from text_recognizer.atomic_files import write_file
from text_recognizer.paths import home_dir
from text_recognizer.recognition.bundle import find_bundle
from text_recognizer.service.monitoring.features import FEATURES_VERSION, NUMBERS, ReadingFeatures
from text_recognizer.service.monitoring.samples import DIGITS, Sample

REFERENCE_FILE = "reference.json"
FORMAT_VERSION = 1
LEAST_READINGS = 50  # of a reference
MOST_ROWS = 300  # that are kept of it
OWN = "auto"  # the user's own reference, else that of the bundle


@dataclass(frozen=True)
class Reference:
    """Readings that are taken for usual.

    sample: an even share of them, at most 300. quantiles: name of a number -> its deciles (11,) of all of them.
    models: what read them. unit: "page" or "line". readings: how many there were. source: what they were, for people.
    """

    sample: Sample
    quantiles: Mapping[str, Sequence[float]]
    models: Mapping[str, str]
    unit: str
    version: int
    readings: int
    created: datetime
    source: str

    @classmethod
    def of(cls, features: Sequence[ReadingFeatures], blocks: Sequence[Hashable], source: str) -> Reference:
        """A reference of readings, of which those of one block are alike; of several models, that of most of them.

        Raises ValueError for fewer than 50.
        """
        usual = Counter(tuple(sorted(f.models.items())) for f in features).most_common(1)
        models = dict(usual[0][0]) if usual else {}
        kept = [(f, b) for f, b in zip(features, blocks, strict=True) if f.models == models]
        if len(kept) < LEAST_READINGS:
            raise ValueError(f"a reference needs {LEAST_READINGS} readings by the same models, not {len(kept)}")
        whole = Sample.of([f for f, _ in kept], [b for _, b in kept])
        quantiles = {
            name: np.quantile(known, np.linspace(0, 1, 11)).tolist()
            for name, column in whole.numbers.items()
            if len(known := column[~np.isnan(column)])
        }
        rows = np.unique(np.linspace(0, len(kept) - 1, min(MOST_ROWS, len(kept))).round().astype(int))
        first = kept[0][0]
        return cls(whole.rows(rows), quantiles, models, first.unit, first.version, len(kept), datetime.now(UTC), source)

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        blocks = list(dict.fromkeys(self.sample.blocks))
        data = {
            "format_version": FORMAT_VERSION,
            "features_version": self.version,
            "source": self.source,
            "created": self.created.isoformat(timespec="seconds"),
            "readings": self.readings,
            "unit": self.unit,
            "models": dict(self.models),
            "quantiles": {name: [_short(value) for value in values] for name, values in self.quantiles.items()},
            "numbers": {name: [_short(value) for value in column] for name, column in self.sample.numbers.items()},
            "names": {name: column.tolist() for name, column in self.sample.names.items()},
            "blocks": [blocks.index(block) for block in self.sample.blocks],
        }
        write_file(path, json.dumps(data, separators=(",", ":")).encode())


def load_reference(path: Path) -> Reference:
    """Read a reference. Raises FileNotFoundError and, where it is damaged or of another version, ValueError."""
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no reference for drift at {path}: make one with `text-recognizer monitor reference`"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format_version"] > FORMAT_VERSION:
            raise ValueError(f"its format {data['format_version']} is newer than this program knows: update it")
        return _reference(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"the reference {path} cannot be used: {error!r}") from error


def _reference(data: Mapping[str, Any]) -> Reference:
    blocks = [int(block) for block in data["blocks"]]
    numbers = {
        name: np.array([np.nan if value is None else value for value in column], np.float64)
        for name, column in data["numbers"].items()
        if name in NUMBERS
    }
    names = {name: np.array(column, np.str_) for name, column in data["names"].items()}
    if any(len(column) != len(blocks) for column in (*numbers.values(), *names.values())):
        raise ValueError("its columns differ in length")
    models = {str(part): str(identity) for part, identity in data["models"].items()}
    return Reference(
        Sample(numbers, names, blocks, [models] * len(blocks)),
        {name: [float(value) for value in values] for name, values in data["quantiles"].items()},
        models,
        str(data["unit"]),
        int(data["features_version"]),
        int(data["readings"]),
        datetime.fromisoformat(data["created"]),
        str(data["source"]),
    )


def own_reference() -> Path:
    """Where a reference of the user's own readings lies: in the home folder."""
    return home_dir() / REFERENCE_FILE


def find_reference(name: str, bundle: str) -> Path:
    """The file of a reference: a path, or "auto": the user's own where there is one, else that of a bundle of lines."""
    if name != OWN:
        path = Path(name)
        return path / REFERENCE_FILE if path.is_dir() else path
    return own_reference() if own_reference().is_file() else find_bundle(bundle) / REFERENCE_FILE


def check_version(reference: Reference) -> None:
    """Raises ValueError where a reference has features that this program computes otherwise."""
    if reference.version != FEATURES_VERSION:
        raise ValueError(
            f"the reference has features of version {reference.version}, which cannot be compared with version "
            f"{FEATURES_VERSION} of this program: make it again with `text-recognizer monitor reference`"
        )


def _short(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
