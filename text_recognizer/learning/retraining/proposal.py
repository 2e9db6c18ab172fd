"""What retraining begins with, what a candidate is worth, and its proposal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning.datasets.own_folder import read_manifest
from text_recognizer.learning.datasets.sources import LineSource, lines_within
from text_recognizer.learning.evaluation.suites.gate import Verdict, in_production, judge
from text_recognizer.learning.evaluation.suites.report import write_report
from text_recognizer.learning.evaluation.suites.samples import check_sets
from text_recognizer.learning.evaluation.suites.suite import Suite, load_suite
from text_recognizer.learning.experiments.fine_tuning.data import learned_rows
from text_recognizer.learning.experiments.fine_tuning.evaluate import Scores, is_better, measure_sets
from text_recognizer.learning.experiments.fine_tuning.fine_tune import METRICS, learnable_bundle
from text_recognizer.learning.retraining.corrections import TRAIN
from text_recognizer.learning.retraining.dataset import Dataset
from text_recognizer.learning.retraining.history import NO_BETTER, PASSED, REFUSED, REGISTERED, Carrier, Improvement
from text_recognizer.learning.retraining.state import Place, Plan, read_json, write_json
from text_recognizer.lines_tsv import TABLE
from text_recognizer.recognition.bundle import SHIPPED, bundle_task, find_bundle, load_bundle
from text_recognizer.recognition.promotion import Decision, identity_of, now, register
from text_recognizer.recognition.registry import STAGES, content_hash, current, promoted_folder
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

_ALPHAS = (0.5, 0.25)  # of the new weights, where those of `fine_tune` are refused
NOWHERE = "none"  # the stage of candidates that are only made and tested

SLOT = "lines"
_SUITES = ("basic", "accuracy")


def test(
    place: Place,
    plan: Plan,
    registry: Path,
    carriers: Collection[str],
    say: Callable[[str], None],
    tell: Callable[[Verdict], None],
) -> None:
    """Measure production on one's own lines of val; where the candidate reads them better, run the suites on both.

    carriers: identities of bundles with forgotten lines. Where production is one, the candidate need only be better
    than what it began with, or nobody would ever be forgotten. tell: is given what the gate found. What was found is
    kept, beside the report.
    """
    production = in_production(SLOT, registry)
    metrics = read_json(place.bundle / METRICS)
    scores = {"before": metrics["before"], "after": metrics["after"], "production": metrics["before"]}
    if bundle_task(production) != SLOT:
        say("what is in production reads by attention: the own lines of val are compared with what this began with")
    elif content_hash(production) != plan.base["id"]:
        say(f"reading the own lines of val with {described(production)['identity']}, which is in production")
        scores["production"] = _own_scores(place, production)
    found: dict[str, Any] = {"production": described(production), "scores": scores, "evidence": {}, "reasons": []}
    carries = found["production"]["identity"] in carriers
    if carries:
        say("what is in production carries forgotten lines: the candidate is to be better than what it began with")
    found["better"] = is_better(scores["before" if carries else "production"], scores["after"])
    if found["better"]:
        verdict = judge(place.bundle, loaded(plan.suites), production, say)
        tell(verdict)
        if verdict.results:
            write_report(place.report, verdict.results, verdict.refusals)
        found |= {"evidence": verdict.evidence(), "reasons": list(verdict.reasons)}
    write_json(place.tested, found)


def _own_scores(place: Place, bundle: Path) -> Scores:
    """Of a bundle on the own lines of val, all of which count, whether it knows their characters or not."""
    alphabet = LineTextRecognizer(place.bundle).alphabet
    lines = lines_within(LineSource("folder", path=str(place.data), split="val"), alphabet, True)
    return measure_sets(bundle, {"own": lines})


def is_tested(place: Place, registry: Path) -> bool:
    """Whether it was tested beside what is in production now."""
    if not place.tested.is_file():
        return False
    return read_json(place.tested)["production"]["id"] == content_hash(in_production(SLOT, registry))


def next_alpha(place: Place) -> float | None:
    """The alpha (weight of the new weights) to try next, where the suites refuse a candidate that reads the own lines
    better; None where they do not, or there is none left."""
    found = read_json(place.tested)
    if not (found["better"] and found["reasons"] and found["evidence"]["suites"]):
        return None
    tried = read_json(place.bundle / "bundle.json")["provenance"]["share_of_new_weights"]
    return next((alpha for alpha in _ALPHAS if alpha < tried), None)


def concluded(place: Place, plan: Plan, dataset: Dataset, registry: Path) -> Improvement:
    """Register the candidate, unless something speaks against it. Raises OSError where that cannot be written."""
    found, bundle = read_json(place.tested), described(place.bundle)
    reasons = list(found["reasons"])
    if not found["better"]:
        verdict = NO_BETTER
        reasons = ["it reads your own lines of val no better than what is there: correct more lines, or look at them"]
    elif reasons:
        verdict = REFUSED
    else:
        verdict = PASSED if plan.stage == NOWHERE else REGISTERED
    done = Improvement(
        number=plan.number,
        when=now(),
        by=plan.by,
        base=plan.base,
        production=found["production"],
        bundle=bundle,
        dataset=dataset.version,
        lines=dataset.lines,
        corrected=dataset.corrected,
        new=plan.new,
        left_out=dataset.left_out,
        scores=found["scores"],
        suites=found["evidence"].get("suites", []),
        reasons=reasons,
        verdict=verdict,
        stage=plan.stage if verdict == REGISTERED else "",
    )
    if verdict == REGISTERED:
        _register(place, done, found["evidence"], registry)
    return done


def _register(place: Place, done: Improvement, evidence: dict[str, Any], registry: Path) -> None:
    there = current(done.stage, SLOT, registry)
    if there and there.id == done.bundle["id"]:
        return  # by a process that was killed before it could write that down
    told = {"improvement": {"number": done.number, "dataset": done.dataset, "scores": done.scores}}
    decision = Decision(reason(done), evidence | told)
    register(place.bundle, done.stage, decision, registry, there.id if there else None)


def reason(done: Improvement) -> str:
    """Why it is registered, for the history of the registry."""
    lines = sum(len(found) for side in ("train", "val") for found in done.lines[side].values())
    before, after = (done.scores[when]["own"]["language"]["cer"] for when in ("production", "after"))
    return f"improve: {lines} corrected lines, dataset version {done.dataset[:8]}, CER {before:.2f} -> {after:.2f} %"


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
