"""The dataset of an improvement: corrected lines with their sides, without those that must not be used."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from text_recognizer.atomic_files import whole_folder
from text_recognizer.learning.datasets.own_folder import check_manifest, read_manifest
from text_recognizer.learning.evaluation.suites.suite import Suite
from text_recognizer.learning.retraining.corrections import TRAIN, VAL, Corrections, sides_of
from text_recognizer.learning.retraining.exclusions import Exclusion, exclusions
from text_recognizer.learning.retraining.history import by_reading
from text_recognizer.learning.retraining.state import Place, read_json, write_json
from text_recognizer.lines_tsv import TABLE

_ABOUT = "improvement.json"  # in the dataset's folder


class NothingLeftError(ValueError):
    """No line is left to make a dataset of; the message says why."""


@dataclass(frozen=True)
class Dataset:
    """version: of the manifest. train, val: how many lines of it. lines, corrected, left_out: as of `Improvement`.
    findings: why lines were left out, and which."""

    version: str
    train: int
    val: int
    lines: dict[str, dict[str, list[str]]]
    corrected: str
    left_out: dict[str, int]
    findings: list[dict[str, object]]


def make_dataset(
    place: Place,
    corrections: Corrections,
    known: Mapping[str, str],
    suites: Sequence[Suite],
    model: str | Path,
    say: Callable[[str], None],
) -> None:
    """Export the corrections, leave out what must not be used, and write the rest; whole or not at all.

    known: sides of lines. suites, model: as of `exclusions`. Raises NothingLeftError.
    """
    lines = [line for line in corrections.lines() if not line.untaught]
    if not lines:
        raise NothingLeftError("there are no corrected lines of readings with consent")
    sides = sides_of(lines, known)
    shutil.rmtree(place.exported, ignore_errors=True)
    try:
        skipped = _exported(place, corrections, sides)
        reasons = exclusions(place.exported, suites, model, say)
        gone = {name for reason in reasons for name in reason.lines}
        about = {
            "corrected": max(line.corrected for line in lines).isoformat(),
            "skipped": dict(skipped),
            "left_out": [asdict(reason) for reason in reasons],
            "sides": {name: side for name, side in sides.items() if name in gone},
        }
        with whole_folder(place.data, replace=True) as partial:
            _write(place.exported, partial, gone)
            write_json(partial / _ABOUT, about)
    finally:
        shutil.rmtree(place.exported, ignore_errors=True)


def _exported(place: Place, corrections: Corrections, sides: Mapping[str, str]) -> Mapping[str, int]:
    try:
        return corrections.export(place.exported, sides)
    except ValueError as error:
        raise NothingLeftError(str(error)) from error


def read_dataset(place: Place) -> Dataset:
    """What was made. Raises ValueError where an image is not the one that was exported."""
    manifest, about = read_manifest(place.data), read_json(place.data / _ABOUT)
    check_manifest(manifest)
    sides = {side: [row["line_id"] for row in manifest.rows if row["split"] == side] for side in (TRAIN, VAL)}
    apart = {
        f"left out of {side}": [name for name, of in about["sides"].items() if of == side] for side in (TRAIN, VAL)
    }
    reasons = [Exclusion(**reason) for reason in about["left_out"]]
    counts = {reason.why: len(reason.lines) for reason in reasons}
    return Dataset(
        manifest.version,
        len(sides[TRAIN]),
        len(sides[VAL]),
        {name: by_reading(found) for name, found in (sides | apart).items()},
        about["corrected"],
        about["skipped"] | counts,
        about["left_out"],
    )


def _write(exported: Path, folder: Path, gone: set[str]) -> None:
    """Copy the rows and images that stay. Raises NothingLeftError where none do."""
    head, *rows = (exported / TABLE).read_text(encoding="utf-8").rstrip("\n").split("\n")
    kept = {name: row for row in rows if (name := row.split("\t")[0]) not in gone}
    if not kept:
        raise NothingLeftError(f"all {len(rows)} corrected lines were left out")
    (folder / "lines").mkdir()
    (folder / TABLE).write_text("".join(f"{row}\n" for row in (head, *kept.values())), encoding="utf-8", newline="")
    for name in kept:
        shutil.copyfile(exported / "lines" / f"{name}.png", folder / "lines" / f"{name}.png")
