"""What became of each improvement: `history.jsonl` in the folder of improvements, a JSON object a line.

It names the lines that each one has seen, by reading and not by content, which answers three questions: on which side a
line is, which lines are new, and which bundles have learned from what was deleted, or lost its consent, since.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from text_recognizer.atomic_files import append
from text_recognizer.learning.retraining.corrections import TRAIN, VAL, CorrectedLine
from text_recognizer.recognition.promotion import identity_of, registered
from text_recognizer.recognition.registry import HISTORY, STAGES, bundle_folder, current, read_history

REGISTERED, PASSED, NO_BETTER, REFUSED = "registered", "passed", "no better", "refused"

#: Lines by reading: {"5f2c...": ["00-003", "00-004"]}.
LinesByReading = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Improvement:
    """One that came to its end.

    number: from 1. when, by: it ended, and who began it. base, production, bundle: "id" of the content and "identity"
    of what it began with, was compared with and made; base has "name" too, as `find_bundle` takes it.
    dataset: version of the manifest. lines: on the sides "train" and "val", and "left out of train" and "left out of
    val". corrected: when the newest of them was. new: how many there were that no earlier one had seen.
    left_out: why -> how many. scores: "before" of the base, "production" and "after", as `evaluate.Scores`.
    suites: their identities. reasons: what spoke against it. verdict: "registered", "passed" where it was to be
    registered nowhere, "no better" or "refused". stage: where it was registered.
    """

    number: int
    when: str
    by: str
    base: Mapping[str, str]
    production: Mapping[str, str]
    bundle: Mapping[str, str]
    dataset: str
    lines: Mapping[str, LinesByReading]
    corrected: str
    new: int
    left_out: Mapping[str, int]
    scores: Mapping[str, Any]
    suites: Sequence[str]
    reasons: Sequence[str]
    verdict: str
    stage: str = ""

    @property
    def learned(self) -> set[str]:
        """The lines that it has learned from or was measured on."""
        return {name for side in (TRAIN, VAL) for name in names(self.lines[side])}


@dataclass(frozen=True)
class Carrier:
    """A bundle that has learned from lines that are not to be learned from any more.

    lines: how many; readings: of how many. stages: where it is, "production" or "staging". folder: of the registry.
    """

    identity: str
    lines: int
    readings: int
    stages: Sequence[str]
    folder: str


def improvements(folder: Path) -> list[Improvement]:
    """All that came to their end, the first one first. Raises RegistryError where the file is damaged."""
    known = Improvement.__dataclass_fields__
    return [Improvement(**{k: v for k, v in record.items() if k in known}) for record in read_history(folder)]


def record(folder: Path, improvement: Improvement) -> None:
    """Append one, whole or not at all. Raises OSError."""
    append(folder / HISTORY, json.dumps(asdict(improvement), ensure_ascii=False).encode() + b"\n")


def by_reading(identifiers: Iterable[str]) -> dict[str, list[str]]:
    """Identifiers of lines, by their readings."""
    found: dict[str, list[str]] = defaultdict(list)
    for identifier in sorted(identifiers):
        reading, page, line = identifier.rsplit("-", 2)
        found[reading].append(f"{page}-{line}")
    return dict(found)


def names(lines: LinesByReading) -> list[str]:
    """The identifiers of lines by reading."""
    return [f"{reading}-{rest}" for reading, found in lines.items() for rest in found]


def known_sides(history: Iterable[Improvement]) -> dict[str, str]:
    """The side of every line that an improvement has seen, left out or not; the first one decides."""
    sides: dict[str, str] = {}
    for past in history:
        for side in (TRAIN, VAL):
            for kept in (side, f"left out of {side}"):
                for name in names(past.lines.get(kept, {})):
                    sides.setdefault(name, side)
    return sides


def new_lines(lines: Iterable[CorrectedLine], history: Sequence[Improvement]) -> list[CorrectedLine]:
    """Lines that teach something, and that no improvement has seen, or that were corrected since the last one."""
    seen = known_sides(history).keys()
    last = max((datetime.fromisoformat(past.corrected) for past in history), default=None)
    return [
        line
        for line in lines
        if not line.untaught and (line.identifier not in seen or (last is not None and line.corrected > last))
    ]


def carriers(history: Iterable[Improvement], lines: Iterable[CorrectedLine], registry: Path) -> list[Carrier]:
    """Registered bundles that learned from lines that were deleted, or lost their consent, since; those that were
    fine-tuned from them, too. lines: of now."""
    there = {line.identifier for line in lines}
    bundles = _registered(registry)
    stages = {stage: promoted.id for stage in STAGES if (promoted := current(stage, "lines", registry))}
    found: list[Carrier] = []
    for past in history:
        if gone := past.learned - there:
            for identifier in _offspring(past.bundle, bundles):
                at = [stage for stage, known in stages.items() if known == identifier]
                folder = str(bundle_folder(registry, identifier))
                found.append(Carrier(bundles[identifier][0], len(gone), len(by_reading(gone)), at, folder))
    return found


def _registered(registry: Path) -> dict[str, tuple[str, str]]:
    """Of each registered bundle its identity and that of what it was fine-tuned from, "" for nothing."""
    found = {}
    for identifier in registered(registry):
        data = json.loads((bundle_folder(registry, identifier) / "bundle.json").read_text(encoding="utf-8"))
        parent = data.get("provenance", {}).get("fine_tuned_from", "")
        found[identifier] = identity_of(bundle_folder(registry, identifier)), parent
    return found


def _offspring(bundle: Mapping[str, str], bundles: Mapping[str, tuple[str, str]]) -> list[str]:
    """The registered ones that are the bundle, or were fine-tuned from it, or from such a one."""
    family = {bundle["identity"]}
    while grown := {identity for identity, parent in bundles.values() if parent in family} - family:
        family |= grown
    return [identifier for identifier, (identity, _) in bundles.items() if identity in family]
