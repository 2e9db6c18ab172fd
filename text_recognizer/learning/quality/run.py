"""All checks of a dataset, one after the other."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.progress import track

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.quality.findings import Concern, Finding, Severity, error, ranked, tally
from text_recognizer.learning.quality.images import (
    duplicate_findings,
    find_duplicates,
    problem_findings,
    shape_findings,
)
from text_recognizer.learning.quality.label_characters import character_findings
from text_recognizer.learning.quality.label_scores import LabelJudge, dispute_findings
from text_recognizer.learning.quality.lines import (
    Gathered,
    Gray,
    InspectedLine,
    UnusableImageError,
    normalized,
    picture,
)
from text_recognizer.learning.quality.splits import SplitSize, split_findings, split_sizes
from text_recognizer.learning.quality.swaps import swap_findings

_TOGETHER = 64  # lines read at once


@dataclass(frozen=True)
class Inspection:
    """The outcome. read: lines that the recogniser read; model: its identity, "" where there was none."""

    dataset: Gathered
    findings: list[Finding]
    sizes: list[SplitSize]
    read: int
    model: str

    @property
    def has_errors(self) -> bool:
        """Whether any finding is an error."""
        return bool(tally(self.findings)[Severity.ERROR])


def inspect(dataset: Gathered, judge: LabelJudge | None, sample: int = 0, quiet: bool = False) -> Inspection:
    """Run every check. judge: reads the lines, None for none. sample: lines that it reads, whole pages of all splits,
    0 for all. quiet: shows no progress."""
    lines = dataset.lines
    reads = judge is not None and dataset.kind == "lines"
    chosen = _sample(lines, sample) if reads else set()
    problems = _look(lines, judge, chosen, quiet)
    duplicates = find_duplicates(lines, nearly=dataset.kind == "lines")
    findings = [
        *dataset.findings,
        *problem_findings(problems),
        *character_findings(lines, judge.reader.alphabet if judge else Alphabet()),
        *(shape_findings(lines) if dataset.kind == "lines" else []),
        *split_findings(lines, duplicates),
        *duplicate_findings(lines, duplicates),
    ]
    if reads and judge:
        findings += label_findings(lines, judge)
    read = sum(line.reading is not None for line in lines)
    return Inspection(dataset, ranked(findings), split_sizes(lines), read, judge.identity if reads and judge else "")


def label_findings(lines: Sequence[InspectedLine], judge: LabelJudge) -> list[Finding]:
    """What the recogniser has against labels."""
    tight = [line for line in lines if line.reading and line.reading.cost == float("inf")]
    findings = []
    if tight:
        findings.append(
            error(
                "no-room",
                f"{len(tight)} labels with more characters than their image has room for.",
                "Nothing can be learned from them: the label belongs to another image, or the image was cut off.",
                (Concern(line.identifier, f"{len(line.text)} characters") for line in tight),
            )
        )
    swaps, explained = swap_findings(lines, judge)
    return findings + swaps + dispute_findings(lines, explained | {line.identifier for line in tight})


def _look(
    lines: Sequence[InspectedLine], judge: LabelJudge | None, chosen: set[int], quiet: bool
) -> list[tuple[InspectedLine, UnusableImageError]]:
    """Fill in `picture` of all lines and `reading` of the chosen ones; returns those whose image cannot be had."""
    problems: list[tuple[InspectedLine, UnusableImageError]] = []
    waiting: list[tuple[InspectedLine, Gray]] = []
    shown: Iterable[InspectedLine] = lines if quiet else track(lines, "looking at lines", transient=True)
    for line in shown:
        try:
            image, digest = line.fetch()
        except UnusableImageError as problem:
            problems.append((line, problem))
            continue
        small = normalized(line, image)
        line.picture = picture(line, image, small, digest)
        if judge and line.position in chosen and line.picture.ink:
            waiting.append((line, small))
        if judge and len(waiting) == _TOGETHER:
            _read(waiting, judge)
            waiting = []
    if judge and waiting:
        _read(waiting, judge)
    return problems


def _read(waiting: Sequence[tuple[InspectedLine, Gray]], judge: LabelJudge) -> None:
    seen = judge.see([small for _, small in waiting])
    readings = judge.judge(seen, [line.text for line, _ in waiting])
    for (line, _), reading in zip(waiting, readings, strict=True):
        line.reading = reading


def _sample(lines: Sequence[InspectedLine], count: int) -> set[int]:
    """Places of lines to read: whole pages, so that shifts show, drawn by chance and always the same."""
    if not count or count >= len(lines):
        return {line.position for line in lines}
    pages: dict[str, list[int]] = {}
    for line in lines:
        pages.setdefault(line.page or f"line {line.position}", []).append(line.position)
    order = list(pages)
    random.Random(0).shuffle(order)
    chosen: set[int] = set()
    for page in order:
        if len(chosen) >= count:
            break
        chosen.update(pages[page])
    return chosen
