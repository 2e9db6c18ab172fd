"""Labels that stand at the wrong image: two swapped, a page shifted by a line, or the label of some other line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.quality.findings import Concern, Finding, count, error, warning
from text_recognizer.learning.quality.label_scores import LabelJudge, disputed
from text_recognizer.learning.quality.lines import InspectedLine

_IMPROBABLE = 3.0  # nats a character from which another label is looked for, whatever is usual for the hand
_BETTER = 0.45  # share of its own label's cost that another label costs at most
_GOOD = 3.0  # nats a character that the other label costs at most
_CANDIDATES = 3  # nearest labels that are tried
_RUN = 3  # lines in a row that make a shift


def misplaced(lines: Sequence[InspectedLine], judge: LabelJudge) -> dict[int, int]:
    """For lines (by their place in `lines`) whose image shows the label of another line: the place of that line."""
    again = {line.identifier for line, _ in disputed(lines)}
    suspects = [
        place
        for place, line in enumerate(lines)
        if line.reading and line.text and (line.identifier in again or line.reading.cost > _IMPROBABLE)
    ]
    labels = [normalize_text(line.text) for line in lines]
    found = {}
    for place in suspects:
        candidates = [other for other in _candidates(place, lines, labels) if labels[other] not in ("", labels[place])]
        reading = lines[place].reading
        assert reading
        costs = judge.costs([reading.scores] * len(candidates), [labels[other] for other in candidates])
        limit = min(_GOOD, _BETTER * reading.cost)
        fits = [(cost, other) for (cost, _), other in zip(costs, candidates, strict=True) if cost < limit]
        if fits:
            found[place] = min(fits)[1]
    return found


def _candidates(place: int, lines: Sequence[InspectedLine], labels: Sequence[str]) -> list[int]:
    """Places of the labels nearest to a reading, those of its page first, and of the neighbours on its page."""
    line = lines[place]
    assert line.reading
    near = [k for k in (place - 1, place + 1) if 0 <= k < len(lines) and lines[k].page == line.page]
    if len(line.reading.text) < 2:
        return near
    distances = process.cdist([line.reading.text], labels, scorer=Levenshtein.normalized_distance, dtype=np.float32)[0]
    apart = np.array([other.page != line.page for other in lines])
    order = np.lexsort((np.abs(np.arange(len(lines)) - place), apart, distances))
    return list(dict.fromkeys([*near, *(int(k) for k in order[: _CANDIDATES + 1] if k != place)]))


def swap_findings(lines: Sequence[InspectedLine], judge: LabelJudge) -> tuple[list[Finding], set[str]]:
    """Findings, and the identifiers that they explain."""
    found = misplaced(lines, judge)
    shifted = _runs(found)
    moved = {place for run in shifted for place in run}
    swapped = sorted((a, b) for a, b in found.items() if a < b and found.get(b) == a and not {a, b} <= moved)
    taken = moved | {place for pair in swapped for place in pair}
    others = [place for place in found if place not in taken]

    def concern(place: int, why: str) -> Concern:
        return Concern(lines[place].identifier, why, (lines[found[place]].identifier,))

    findings = []
    if shifted:
        concerns = [
            concern(place, f"shows the label of {lines[found[place]].identifier}") for r in shifted for place in r
        ]
        findings.append(
            error(
                "shifted",
                f"{count(len(shifted), 'run')} of lines whose labels stand one line off, {len(moved)} lines in all.",
                "A line was skipped or counted twice: move the labels of these lines by one.",
                concerns,
            )
        )
    if swapped:
        pairs = [concern(k, f"swapped with {lines[found[k]].identifier}") for pair in swapped for k in pair]
        findings.append(
            error(
                "swapped", f"{count(len(swapped), 'pair')} of lines with each other's label.", "Swap them back.", pairs
            )
        )
    if others:
        concerns = [concern(place, f"shows the label of {lines[found[place]].identifier}") for place in others]
        findings.append(
            warning(
                "label-of-another",
                f"{count(len(others), 'image')} that show what is the label of another line.",
                "Look at both lines: one of them has a wrong label, or an image is in the dataset twice.",
                concerns,
            )
        )
    return findings, {lines[place].identifier for place in found}


def _runs(found: dict[int, int]) -> list[list[int]]:
    """Lines in a row whose labels are all one further, or all one before."""
    runs: list[list[int]] = []
    for place in sorted(found):
        step = found[place] - place
        last = runs[-1] if runs else []
        if abs(step) == 1 and last and place == last[-1] + 1 and found[last[-1]] - last[-1] == step:
            last.append(place)
        elif abs(step) == 1:
            runs.append([place])
    return [run for run in runs if len(run) >= _RUN]
