"""The folder of improvements, and what each of them keeps in its own while it is made.

    history.jsonl   what became of each (`history.py`)
    0003/           the third: plan.json, data/ (the dataset), improved/ (the bundle), tested.json, report.html

The lines themselves are kept of the last improvement only, and not for longer than they may be learned from.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from text_recognizer.atomic_files import write_file
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.own_folder import forget_prepared, read_manifest
from text_recognizer.learning.retraining.corrections import CorrectedLine
from text_recognizer.learning.retraining.history import Improvement
from text_recognizer.lines_tsv import TABLE
from text_recognizer.paths import runs_dir

_PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """What an improvement was begun as. by: who began it. base: "name", "id" and "identity". suites: names or folders.
    minutes, fields: as of `fine_tune`. stage: where to, or "none". new: lines that no earlier one has seen."""

    number: int
    by: str
    base: dict[str, str]
    suites: list[str]
    minutes: float
    stage: str
    new: int
    fields: list[str]


@dataclass(frozen=True)
class Place:
    """The folder of one improvement. The parts are there when they are whole."""

    folder: Path

    @property
    def number(self) -> int:
        """From 1."""
        return int(self.folder.name)

    @property
    def data(self) -> Path:
        """The dataset."""
        return self.folder / "data"

    @property
    def exported(self) -> Path:
        """All corrected lines, before some of them are left out; there only while the dataset is made."""
        return self.folder / "corrections"

    @property
    def bundle(self) -> Path:
        """The bundle; the name of its folder is its name."""
        return self.folder / "improved"

    @property
    def tested(self) -> Path:
        """What the tests found."""
        return self.folder / "tested.json"

    @property
    def report(self) -> Path:
        """The report of the suites."""
        return self.folder / "report.html"

    @property
    def run(self) -> str:
        """The name of its training run, another one for other folders of improvements."""
        return f"improve-{fingerprint(str(self.folder.parent))}-{self.folder.name}"

    def begin(self, plan: Plan) -> None:
        """Write the plan."""
        write_json(self.folder / _PLAN, asdict(plan))

    def plan(self) -> Plan:
        """What it was begun as. Raises ValueError where the file is damaged."""
        return Plan(**read_json(self.folder / _PLAN))

    def delete_lines(self) -> None:
        """Delete the lines, what was prepared of them, and the checkpoints that were learned from them."""
        if (self.data / TABLE).is_file():
            forget_prepared(self.data)
        for folder in (self.exported, self.data, runs_dir() / self.run):
            shutil.rmtree(folder, ignore_errors=True)


def places(folder: Path) -> list[Place]:
    """The folders of the improvements that are there, the first one first."""
    return [Place(path.parent) for path in sorted(folder.glob(f"[0-9]*/{_PLAN}")) if path.parent.name.isdigit()]


def place_of(folder: Path, number: int) -> Place:
    """The folder of an improvement of that number, whether it is there or not."""
    return Place(folder / f"{number:04d}")


def unfinished(folder: Path, history: Iterable[Improvement]) -> Place | None:
    """The improvement that was begun and did not come to its end."""
    done = {past.number for past in history}
    return next((place for place in places(folder) if place.number not in done), None)


def forget(
    folder: Path, history: Iterable[Improvement], lines: Iterable[CorrectedLine], say: Callable[[str], None]
) -> None:
    """Delete the copies of lines that were deleted, or lost their consent, since, with all that was made of them here.

    lines: those of now. An improvement that did not come to its end is gone with them, and will begin anew.
    """
    there = {line.identifier for line in lines}
    done = {past.number for past in history}
    for place in places(folder):
        shutil.rmtree(place.exported, ignore_errors=True)  # of a process that was killed
        if not (place.data / TABLE).is_file():
            continue
        gone = {row["line_id"] for row in read_manifest(place.data).rows} - there
        if gone:
            place.delete_lines()
            shutil.rmtree(place.folder if place.number not in done else place.bundle, ignore_errors=True)
            again = "" if place.number in done else "; it was not finished, and begins anew"
            say(f"improvement {place.number} held {len(gone)} lines that were forgotten: its copies are deleted{again}")


def write_json(path: Path, content: Any) -> None:
    """Write a file, whole or not at all."""
    write_file(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """What a file holds. Raises ValueError that names it where it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
