"""An improvement: from corrected lines to a proposal, in steps that are gone on with where they were stopped.

Each step leaves something whole in the improvement's folder, and is done where that is there: the dataset, the bundle,
what the tests found, and the record of the history at the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from text_recognizer.atomic_files import locked
from text_recognizer.learning.datasets.own_folder import forget_prepared
from text_recognizer.learning.evaluation.suites.gate import Verdict, in_production
from text_recognizer.learning.experiments.fine_tuning.data import FEWEST_LINES
from text_recognizer.learning.experiments.fine_tuning.fine_tune import METRICS, fine_tune, with_alpha
from text_recognizer.learning.retraining.corrections import VAL, Corrections, sides_of
from text_recognizer.learning.retraining.dataset import Dataset, NothingLeftError, make_dataset, read_dataset
from text_recognizer.learning.retraining.history import (
    Improvement,
    carriers,
    improvements,
    known_sides,
    new_lines,
    record,
)
from text_recognizer.learning.retraining.proposal import (
    SLOT,
    base_bundle,
    concluded,
    is_tested,
    learned_by,
    loaded,
    next_alpha,
    test,
    usable_suites,
)
from text_recognizer.learning.retraining.state import Place, Plan, forget, place_of, places, unfinished
from text_recognizer.paths import runs_dir
from text_recognizer.recognition.bundle import find_bundle
from text_recognizer.recognition.promotion import somebody

_PATIENCE = 1.0  # seconds for another improvement

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """start: what to begin with, "" for what `base_bundle` says. at_least: new corrected lines, fewer are waited for.
    minutes, fields: as of `fine_tune`. suites: to test with, none for those whose data are there. stage: where to,
    "none" for nowhere. resume: go on with the improvement that was stopped, as it was begun."""

    start: str = ""
    at_least: int = 50
    minutes: float = 0.0
    suites: Sequence[str] = ()
    stage: str = "staging"
    resume: bool = False
    fields: Sequence[str] = ()


def improve(
    corrections: Corrections,
    folder: Path,
    registry: Path,
    wishes: Wishes,
    say: Say,
    tell: Callable[[Verdict], None] = lambda _: None,
) -> Improvement | None:
    """Make an improvement, or go on with one; None where there is too little to make one of.

    folder: of all improvements. say: told what is done; tell: what the gate found. Raises TimeoutError while another
    process improves there, FileExistsError where one was stopped and is not to be gone on with, ValueError and OSError
    for what cannot be used or written, KeyboardInterrupt after Ctrl-C.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", _PATIENCE):
        history = improvements(folder)
        lines = corrections.lines()
        forget(folder, history, lines, say)
        place = unfinished(folder, history)
        if place and not wishes.resume:
            raise FileExistsError(
                f"improvement {place.number} was stopped: go on with --resume, or delete {place.folder} to begin anew"
            )
        if place is None:
            place = _begun(corrections, folder, registry, wishes, say)
        if place is None:
            return None
        try:
            return _finished(place, corrections, folder, registry, say, tell)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(
                f"improvement {place.number} was stopped: the same command with --resume goes on"
            ) from error


def outlook(corrections: Corrections, folder: Path, registry: Path, wishes: Wishes, say: Say) -> None:
    """Say what `improve` would do, and write nothing."""
    history, lines = improvements(folder), corrections.lines()
    place = unfinished(folder, history)
    if place:
        say(f"improvement {place.number} was stopped, and would be gone on with by --resume")
    taught = [line for line in lines if not line.untaught]
    new = new_lines(lines, history)
    base = base_bundle(wishes.start, history, carriers(history, lines, registry), registry, say)
    suites = usable_suites(wishes.suites, say)
    held = sum(side == VAL for side in sides_of(taught, known_sides(history)).values())
    say(f"{len(taught)} corrected lines, {len(new)} of them new; {len(taught) - held} to learn from, {held} for val")
    say("left out would be those of evaluation sets, duplicates of val, and what `data check` calls errors")
    say(f"it would begin with {base['identity']}, be tested with {', '.join(suites)}, and go to {wishes.stage}")
    if len(new) < wishes.at_least:
        say(_too_few(len(new), wishes.at_least))


def _begun(corrections: Corrections, folder: Path, registry: Path, wishes: Wishes, say: Say) -> Place | None:
    """A new improvement with its plan; None where there are too few new lines."""
    history, lines = improvements(folder), corrections.lines()
    new = new_lines(lines, history)
    if len(new) < wishes.at_least:
        say(_too_few(len(new), wishes.at_least))
        return None
    carry = carriers(history, lines, registry)
    for carrier in carry:
        say(f"{carrier.identity} still carries {carrier.lines} lines that were forgotten ({carrier.folder})")
    base = base_bundle(wishes.start, history, carry, registry, say)
    suites = usable_suites(wishes.suites, say)
    earlier = places(folder)
    for place in earlier:
        place.delete_lines()
        if str(place.bundle.resolve()) != base["name"]:  # what was registered is in the registry
            shutil.rmtree(place.bundle, ignore_errors=True)
    number = 1 + max([past.number for past in history] + [place.number for place in earlier], default=0)
    place = place_of(folder, number)
    place.delete_lines()  # a run of that name, where somebody has deleted the folder
    place.begin(Plan(number, somebody(), base, suites, wishes.minutes, wishes.stage, len(new), list(wishes.fields)))
    say(f"improvement {number}: {len(new)} new corrected lines; it begins with {base['identity']}")
    return place


def _too_few(new: int, wanted: int) -> str:
    return f"{new} new corrected lines, {wanted} are asked for: {wanted - new} are missing, and nothing is done"


def _finished(
    place: Place,
    corrections: Corrections,
    folder: Path,
    registry: Path,
    say: Say,
    tell: Callable[[Verdict], None],
) -> Improvement | None:
    """Do what is left to do."""
    plan, history = place.plan(), improvements(folder)
    if not place.data.exists():
        say("1 of 4: the dataset")
        # Lines of a suite that is not asked for now may be asked about the next time.
        suites = loaded(dict.fromkeys([*plan.suites, *usable_suites((), lambda _: None)]))
        try:
            make_dataset(place, corrections, _known(plan, history, registry), suites, plan.base["name"], say)
        except NothingLeftError as error:
            _given_up(place, str(error), say)
            return None
    dataset = read_dataset(place)
    _tell_dataset(dataset, say)
    if dataset.train + dataset.val < FEWEST_LINES or not dataset.train or not dataset.val:
        _given_up(place, f"too few to learn from: {FEWEST_LINES} at least, some of them of val", say)
        return None
    if not (place.bundle / METRICS).is_file():
        say(f"2 of 4: fine-tuning {plan.base['identity']}")
        _train(place, plan)
    try:
        _test(place, plan, corrections, registry, say, tell)
    finally:
        forget_prepared(place.data)
    say("4 of 4: the proposal")
    done = concluded(place, plan, dataset, registry)
    record(folder, done)
    return done


def _given_up(place: Place, why: str, say: Say) -> None:
    say(f"{why}; nothing is done")
    place.delete_lines()
    shutil.rmtree(place.folder)


def _test(
    place: Place, plan: Plan, corrections: Corrections, registry: Path, say: Say, tell: Callable[[Verdict], None]
) -> None:
    """Test the candidate; where the suites refuse one that reads the own lines better, those with less of the new
    weights, too."""
    while True:
        if not is_tested(place, registry):
            say("3 of 4: tests")
            carry = carriers(improvements(place.folder.parent), corrections.lines(), registry)
            test(place, plan, registry, {carrier.identity for carrier in carry}, say, tell)
        alpha = next_alpha(place)
        if alpha is None or not (runs_dir() / place.run / METRICS).is_file():
            return
        say(f"refused: once more, with {alpha:.0%} of the new weights in the interpolation, which forget less")
        place.tested.unlink()
        with_alpha(plan.base["name"], [place.data], place.bundle, place.run, str(plan.number), alpha)


def _known(plan: Plan, history: Sequence[Improvement], registry: Path) -> dict[str, str]:
    """The sides of lines that an improvement has seen, and of those that base or production learned from otherwise."""
    return known_sides(history) | learned_by([find_bundle(plan.base["name"]), in_production(SLOT, registry)])


def _train(place: Place, plan: Plan) -> None:
    run = runs_dir() / place.run
    stopped = (run / "last.ckpt").is_file() and not (run / METRICS).is_file()
    try:
        fine_tune(
            plan.base["name"],
            [place.data],
            place.bundle,
            place.run,
            plan.minutes,
            stopped,
            plan.fields,
            version=str(plan.number),
        )
    finally:
        forget_prepared(place.data)


def _tell_dataset(dataset: Dataset, say: Say) -> None:
    for why, count in dataset.left_out.items():
        say(f"left out {count}: {why}")
    say(f"dataset version {dataset.version[:8]}: {dataset.train} lines to learn from, {dataset.val} of val")
