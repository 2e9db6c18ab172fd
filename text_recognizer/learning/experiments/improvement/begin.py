"""What an improvement begins with, and what it is tested with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning.data.manifest import TABLE, read_manifest
from text_recognizer.learning.evaluation.suites.gate import in_production
from text_recognizer.learning.evaluation.suites.samples import check_sets
from text_recognizer.learning.evaluation.suites.suite import Suite, load_suite
from text_recognizer.learning.experiments.fine_tune import learnable_bundle
from text_recognizer.learning.experiments.fine_tune_data import learned_rows
from text_recognizer.learning.experiments.improvement.history import Carrier, Improvement
from text_recognizer.learning.experiments.improvement.sides import TRAIN
from text_recognizer.recognition.bundle import SHIPPED, bundle_task, find_bundle, load_bundle
from text_recognizer.recognition.registration import identity_of
from text_recognizer.recognition.registry import STAGES, content_hash, promoted_folder

SLOT = "lines"
_SUITES = ("basic", "accuracy")


def described(folder: Path) -> dict[str, str]:
    """A bundle as the history names it: a shipped one by its name, for where this machine keeps it changes."""
    name = folder.name if folder.parent == SHIPPED else str(folder.resolve())
    return {"name": name, "id": content_hash(folder), "identity": identity_of(folder)}


def base_bundle(
    start: str,
    history: Sequence[Improvement],
    carriers: Sequence[Carrier],
    registry: Path,
    say: Callable[[str], None],
) -> dict[str, str]:
    """What to begin with: the given bundle, or what is in production; where an improvement has made that, what it was
    made from, so that each one learns all corrections of now and nothing else.

    carriers: bundles with forgotten lines, which are not begun with. Raises ValueError where `start` is one, and
    BundleError where a bundle is not there or cannot be learned on.
    """
    carry = {carrier.identity for carrier in carriers}
    if start:
        found = described(promoted_folder(start, SLOT, registry) if start in STAGES else find_bundle(start))
        if found["identity"] in carry:
            raise ValueError(f"{start} has learned from lines that were forgotten since: begin with another bundle")
    else:
        found = described(in_production(SLOT, registry))
        made = {past.bundle["id"]: past for past in history}
        while found["id"] in made:
            found = described(find_bundle(made[found["id"]].base["name"]))
        if found["identity"] in carry:
            say(f"{found['identity']} has learned from lines that were forgotten since: beginning with the shipped one")
            found = described(SHIPPED / SLOT)
    learnable_bundle(found["name"])
    return found


def learned_by(bundles: Iterable[Path]) -> dict[str, str]:
    """The lines that bundles were fine-tuned on by hand, as far as the folders are still there, all of side train."""
    tuned = [folder for folder in bundles if bundle_task(folder) == SLOT]
    rows = [row for folder in tuned for row in learned_rows(load_bundle(folder, SLOT, NORMALIZATION_VERSION))]
    folders = {Path(row["path"]) for row in rows if row.get("path")}
    tables = [read_manifest(folder) for folder in sorted(folders) if (folder / TABLE).is_file()]
    return {row["line_id"]: TRAIN for table in tables for row in table.rows if row["split"] == TRAIN}


def usable_suites(names: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """The suites to test with: those that are asked for, whose data must be there; else those whose data are.

    Raises FileNotFoundError that says where to get data, ValueError for no suite.
    """
    for name in names:
        check_sets(list(load_suite(name).of(SLOT).accuracy.sets))
    if names:
        return [str(Path(name).resolve()) if Path(name).name != name else name for name in names]
    usable = []
    for name in _SUITES:
        try:
            check_sets(list(load_suite(name).of(SLOT).accuracy.sets))
            usable.append(name)
        except FileNotFoundError as error:
            say(f"suite {name} is left out: {error}")
    return usable


def loaded(names: Iterable[str]) -> list[Suite]:
    """The suites of a plan."""
    return [load_suite(name) for name in names]
