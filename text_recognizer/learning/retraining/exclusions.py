"""Lines that must not be learned from, or measured on: those of evaluation sets, duplicates, and wrong ones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import normalize_text
from text_recognizer.images import normalize_line, to_gray
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation.suites.suite import Suite
from text_recognizer.learning.quality.findings import Concern, Severity
from text_recognizer.learning.quality.images import near_images, same_images
from text_recognizer.learning.quality.label_scores import LabelJudge
from text_recognizer.learning.quality.lines import Gray, InspectedLine, UnusableImageError, normalized, picture
from text_recognizer.learning.quality.load import gather
from text_recognizer.learning.quality.run import inspect
from text_recognizer.learning.retraining.corrections import VAL

#: Correlation of thumbnails from which lines of the same text are the same writing, cut out another time. Of 73 lines
#: that the detector cut out of forms of IAM val and simulated photographs of them, 0.97 (`images.py`) finds 7 % in
#: IAM val; the lowest is 0.57.
_RESEMBLING = 0.5
_SAME_TEXT = 0.25  # share of characters that differ at most
_SHORT = 8  # characters: shorter texts are compared by their pictures alone

_SLOT = "lines"
_EVALUATION = "evaluation"  # the "split" of lines of evaluation sets
_JUDGED = 1000  # lines that the recogniser reads to dispute their labels, at most


@dataclass(frozen=True)
class Exclusion:
    """Lines that are left out for one reason. code: short, stays. why: for people. lines: their identifiers."""

    code: str
    why: str
    lines: tuple[str, ...]


def exclusions(folder: Path, suites: Sequence[Suite], model: str | Path, say: Callable[[str], None]) -> list[Exclusion]:
    """What of a folder of lines must not be used; a line is named once, with the first reason against it.

    suites: whose evaluation sets are compared, as far as they are given. model: disputes labels.
    """
    dataset = gather(str(folder))
    held = [*_evaluated(suites)]
    say(f"comparing {len(dataset.lines)} lines with {len(held)} of the suites, and with the own ones of val")
    found = _duplicates(held, dataset.lines)
    gone = {name for reason in found for name in reason.lines}
    dataset.lines = [line for line in dataset.lines if line.identifier not in gone]
    if not dataset.lines:
        return found
    say(f"checking {len(dataset.lines)} lines and their labels")
    for finding in inspect(dataset, LabelJudge(model, language="none"), _JUDGED, quiet=True).findings:
        if finding.severity is Severity.ERROR:
            names = {name for concern in finding.concerns for name in _concerned(finding.code, concern)} - gone
            gone |= names
            found += [Exclusion(finding.code, finding.found, tuple(sorted(names)))] * bool(names)
    return found


def _concerned(code: str, concern: Concern) -> tuple[str, ...]:
    """Of two labels of one image nobody knows which one is right."""
    return (concern.identifier, *(concern.others if code.endswith("-other-text") else ()))


def _evaluated(suites: Sequence[Suite]) -> Iterator[InspectedLine]:
    """The lines of the evaluation sets and of the cases of suites, with their pictures."""
    for suite in suites:
        asked = suite.of(_SLOT)
        for name in asked.accuracy.sets:
            lines = line_dataset(LineSource(name))
            for number, label in enumerate(lines.labels):
                yield _pictured(f"{name}/{label.identifier}", label.text, _EVALUATION, lines[number][0])
        for case in asked.functionality:
            small = normalize_line(to_gray(suite.image(case.image)))
            yield _pictured(f"{suite.name}/{case.name}", case.text, _EVALUATION, small)


def _pictured(identifier: str, text: str, split: str, small: Gray) -> InspectedLine:
    digest = _pixels(small)
    line = InspectedLine(identifier, text, split, "", "", identifier, lambda: (small, digest), normalized=True)
    line.picture = picture(line, small, small, digest)
    return line


def _pixels(small: Gray) -> str:
    """SHA-256 of a normalised line: whatever file or crop it came from."""
    return hashlib.sha256(f"{small.shape}".encode() + np.ascontiguousarray(small).tobytes()).hexdigest()


def _duplicates(held: Sequence[InspectedLine], own: Sequence[InspectedLine]) -> list[Exclusion]:
    """Own lines that are in an evaluation set, and lines to learn from that are among the own ones of val."""
    seen = []
    for line in sorted(own, key=lambda line: line.split != VAL):  # val first: the others are its duplicates
        try:
            image, _ = line.fetch()
        except UnusableImageError:
            continue  # an error that `inspect` finds
        seen.append(_pictured(line.identifier, line.text, line.split, normalized(line, image)))
    lines = [*held, *seen]
    tested: set[str] = set()
    measured: set[str] = set()
    for first, second in [*same_images(lines), *near_images(lines), *_same_writing(lines)]:
        sides = {first.split, second.split}
        if len(sides) == 2:
            one = first if _EVALUATION not in sides and second.split == VAL else second
            (tested if _EVALUATION in sides else measured).add(one.identifier)
    reasons = (
        Exclusion("in-a-suite", "the line is in an evaluation set of the suites", tuple(sorted(tested))),
        Exclusion("in-own-val", "the line is among the own ones of val, too", tuple(sorted(measured - tested))),
    )
    return [reason for reason in reasons if reason.lines]


def _same_writing(lines: Sequence[InspectedLine]) -> Iterator[tuple[InspectedLine, InspectedLine]]:
    """Pairs of the same text whose pictures resemble each other: one line, cut out by two detectors, or two times
    photographed."""
    known = [line for line in lines if len(normalize_text(line.text)) >= _SHORT]
    tested = [line for line in known if line.split == _EVALUATION]
    own = [line for line in known if line.split != _EVALUATION]
    measured = [line for line in own if line.split == VAL]
    for group, others in ((tested, own), (measured, [line for line in own if line.split != VAL])):
        if group and others:
            yield from _resembling(group, others)


def _resembling(
    group: Sequence[InspectedLine], others: Sequence[InspectedLine]
) -> Iterator[tuple[InspectedLine, InspectedLine]]:
    thumbnails = [np.stack([line.picture.thumbnail for line in side if line.picture]) for side in (group, others)]
    for a, b in np.argwhere(thumbnails[0] @ thumbnails[1].T > _RESEMBLING):
        texts = normalize_text(group[a].text), normalize_text(others[b].text)
        if Levenshtein.normalized_distance(*texts) <= _SAME_TEXT:
            yield group[a], others[b]
