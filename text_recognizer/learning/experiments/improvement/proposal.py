"""What a candidate is worth, and its proposal: the suites beside production, and one's own lines of val."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from text_recognizer.learning.data.sources import LineSource, lines_within
from text_recognizer.learning.evaluation.suites.gate import Verdict, in_production, judge
from text_recognizer.learning.evaluation.suites.report import write_report
from text_recognizer.learning.experiments.fine_tune import METRICS
from text_recognizer.learning.experiments.fine_tune_measure import Scores, is_better, measure_sets
from text_recognizer.learning.experiments.improvement.begin import SLOT, described, loaded
from text_recognizer.learning.experiments.improvement.dataset import Dataset
from text_recognizer.learning.experiments.improvement.history import (
    NO_BETTER,
    PASSED,
    REFUSED,
    REGISTERED,
    Improvement,
)
from text_recognizer.learning.experiments.improvement.place import Place, Plan, read_json, write_json
from text_recognizer.recognition.bundle import bundle_task
from text_recognizer.recognition.lines import LineTextRecognizer
from text_recognizer.recognition.registration import Decision, now, register
from text_recognizer.recognition.registry import content_hash, current

_SHARES = (0.5, 0.25)  # of the new weights, where those of `fine_tune` are refused
NOWHERE = "none"  # the stage of candidates that are only made and tested


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


def next_share(place: Place) -> float | None:
    """The share of the new weights to try next, where the suites refuse a candidate that reads the own lines better;
    None where they do not, or there is none left."""
    found = read_json(place.tested)
    if not (found["better"] and found["reasons"] and found["evidence"]["suites"]):
        return None
    tried = read_json(place.bundle / "bundle.json")["provenance"]["share_of_new_weights"]
    return next((share for share in _SHARES if share < tried), None)


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
