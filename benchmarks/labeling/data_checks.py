"""Known faults put into datasets, and how many of them `text-recognizer data check` finds.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.labeling.data_checks [--lines 200] [--seeds 10] [iam-val ...]

For each set and seed two lines in a hundred get a fault, an equal share of each kind, at least one, and a page is
shifted by a line. A fault is found if any error or warning names its line, and named if it is one that says what the
fault is. A false alarm is an error or a warning about a line without a fault; "without faults" are the alarms in the
dataset as it is (some of its labels may be wrong). Thresholds were chosen on train splits: IAM's, read with `open`,
which did not learn from its lines, Copiste's, and Hooker's, a hard hand that no line recogniser learned from:
`iam-train=open copiste-train hooker-train`.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from benchmarks.machine import machine
from text_recognizer.learning.quality.findings import Finding, Severity
from text_recognizer.learning.quality.images import duplicate_findings, find_duplicates, shape_findings
from text_recognizer.learning.quality.label_scores import LabelJudge, Seen
from text_recognizer.learning.quality.lines import InspectedLine, normalized, picture
from text_recognizer.learning.quality.load import gather, together
from text_recognizer.learning.quality.run import inspect, label_findings

_SHARE = 0.02
_SHIFTED = 4, 12  # lines of a page that is shifted

#: Kinds of faults, and the findings that say what they are.
KINDS = {
    "two labels swapped": {"swapped"},
    "a page shifted by a line": {"shifted"},
    "label of another writer's line": {"label-of-another", "disputed", "no-room"},
    "a word missing": {"missing-words", "disputed"},
    "blank image": {"no-ink"},
    "copy with another label": {"same-image-other-text", "near-image-other-text"},
}


@dataclass
class Tally:
    """Counts over seeds, by kind."""

    faults: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    alarms: int = 0
    clean: int = 0


def main() -> None:
    """Print a table a set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=["iam-val", "copiste-val"], help="NAME or NAME=BUNDLE")
    parser.add_argument("--lines", type=int, default=200, help="of each set, whole pages")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    print(machine())
    for chosen in options.sets:
        name, _, bundle = chosen.partition("=")
        _measure(name, LabelJudge(bundle or "lines"), options.lines, options.seeds)


def _measure(name: str, judge: LabelJudge, count: int, seeds: int) -> None:
    begin = time.perf_counter()
    lines = _read(name, judge, count)
    seconds = (time.perf_counter() - begin) / len(lines)
    tally = Tally()
    for seed in range(seeds):
        _one(lines, judge, random.Random(seed), tally)
    before = _named(_findings(lines, judge))
    print(f"\n{name}, {len(lines)} lines, {seeds} seeds, {judge.identity}, {seconds:.2f} s a line\n")
    print("| fault | lines | found % | named % |\n|---|---|---|---|")
    for kind in KINDS:
        total = max(1, tally.faults[kind])
        found, named = 100 * tally.found[kind] / total, 100 * tally.named[kind] / total
        print(f"| {kind} | {tally.faults[kind]} | {found:.0f} | {named:.0f} |")
    print(f"\nfalse alarms: {100 * tally.alarms / tally.clean:.2f} % of {tally.clean} lines without a fault")
    codes = Counter(code for found in before.values() for code in found)
    told = ", ".join(f"{code} {number}" for code, number in codes.items())
    print(f"without faults: {100 * len(before) / len(lines):.2f} % of {len(lines)} lines ({told})", flush=True)


def _read(name: str, judge: LabelJudge, count: int) -> list[InspectedLine]:
    """Whole pages drawn by chance, looked at and read."""
    dataset = together([gather(name)])
    pages: dict[str, list[InspectedLine]] = defaultdict(list)
    for line in dataset.lines:
        pages[line.page].append(line)
    order = sorted(pages)
    random.Random(0).shuffle(order)
    chosen: list[InspectedLine] = []
    for page in order:
        if len(chosen) < count:
            chosen += pages[page]
    dataset.lines = sorted(chosen, key=lambda line: line.position)
    dataset = together([dataset])
    inspect(dataset, judge, quiet=True)
    return dataset.lines


def _one(lines: Sequence[InspectedLine], judge: LabelJudge, rng: random.Random, tally: Tally) -> None:
    faulty, kinds = _with_faults(lines, judge, rng)
    named = _named(_findings(faulty, judge))
    for identifier, kind in kinds.items():
        tally.faults[kind] += 1
        tally.found[kind] += identifier in named
        tally.named[kind] += bool(named.get(identifier, set()) & KINDS[kind])
    tally.clean += len(faulty) - len(kinds)
    tally.alarms += sum(identifier not in kinds for identifier in named)


def _findings(lines: Sequence[InspectedLine], judge: LabelJudge) -> list[Finding]:
    found = [*shape_findings(lines), *duplicate_findings(lines, find_duplicates(lines)), *label_findings(lines, judge)]
    return [finding for finding in found if finding.severity is not Severity.NOTE]


def _named(findings: Sequence[Finding]) -> dict[str, set[str]]:
    """Lines that are named, and the codes of the findings that do."""
    named: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        for concern in finding.concerns:
            named[concern.identifier].add(finding.code)
    return named


def _with_faults(
    lines: Sequence[InspectedLine], judge: LabelJudge, rng: random.Random
) -> tuple[list[InspectedLine], dict[str, str]]:
    """A copy of the lines with faults, and the kind of each line that has one."""
    swap, shift, foreign, word, blank, copy = KINDS
    faulty, kinds = list(lines), {}
    free = [k for k, line in enumerate(lines) if len(line.text.split()) > 1]
    rng.shuffle(free)
    each = max(1, round(_SHARE * len(lines) / len(KINDS)))

    def relabel(place: int, text: str, kind: str) -> None:
        if text != lines[place].text:
            faulty[place] = _labelled(lines[place], text, judge)
            kinds[lines[place].identifier] = kind

    page = _some_page(lines, rng)
    for k in page:
        relabel(k, lines[k + 1 if k < page[-1] else page[0]].text, shift)
    free = [k for k in free if k not in page]
    for _ in range(each):
        a, b = free.pop(), free.pop()
        relabel(a, lines[b].text, swap)
        relabel(b, lines[a].text, swap)
        k = free.pop()
        others = [line.text for line in lines if line.writer != lines[k].writer]
        relabel(k, rng.choice(others), foreign)
        k = free.pop()
        words = lines[k].text.split()
        del words[rng.randrange(len(words))]
        relabel(k, " ".join(words), word)
        k = free.pop()
        faulty[k] = _blank(lines[k])
        kinds[lines[k].identifier] = blank
        copied = _copy(lines[free.pop()], rng.choice(others), judge)
        faulty.append(copied)
        kinds[copied.identifier] = copy
    return faulty, kinds


def _some_page(lines: Sequence[InspectedLine], rng: random.Random) -> list[int]:
    """The places of the lines of one page, of a long one some in a row."""
    pages: dict[str, list[int]] = defaultdict(list)
    for k, line in enumerate(lines):
        pages[line.page].append(k)
    return rng.choice([page for page in pages.values() if len(page) >= _SHIFTED[0]])[: _SHIFTED[1]]


def _labelled(line: InspectedLine, text: str, judge: LabelJudge) -> InspectedLine:
    assert line.reading
    read = line.reading
    seen = Seen(read.text, read.words, read.confidence, read.scores)
    return replace(line, text=text, reading=judge.judge([seen], [text])[0])


def _blank(line: InspectedLine) -> InspectedLine:
    image = np.zeros((64, 64), np.uint8)
    return replace(line, picture=picture(replace(line, normalized=True), image, image, "blank"), reading=None)


def _copy(line: InspectedLine, text: str, judge: LabelJudge) -> InspectedLine:
    """The same writing, a little smaller and saved anew as JPEG."""
    image, _ = line.fetch()
    gray = 255 - image if line.normalized else image
    small = cv2.resize(gray, None, fx=0.9, fy=0.9, interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    again = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    copied = replace(_labelled(line, text, judge), identifier=f"{line.identifier}-copy", normalized=False)
    copied.picture = picture(copied, again, normalized(copied, again), "copy")
    return copied


if __name__ == "__main__":
    main()
