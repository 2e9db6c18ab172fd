"""How well lines are put in order and grouped into paragraphs, headings and notes in the margin.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.reading.regions [--pages N] [--seed S] [--read N]

First with the true lines of pages: synthetic ones of three layouts (`reading/layout_pages.py`), and those of
Copiste val, whose paragraphs `copiste_paragraphs.json` has, told apart by their text: for each page, the numbers of the
lines that begin one, but for the first. Then with the lines that are found, of --read pages of each, letter by letter:
the page CER says how that went. The rules were tuned on synthetic pages of seed 1 and on these pages of Copiste.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.reading.layout_pages import LAYOUTS, LaidPage, LayoutPages
from benchmarks.reading.layout_scores import OrderScores, RegionScores, as_detected, regions_of_lines
from text_recognizer import TextRecognizer
from text_recognizer.learning.datasets.pages import TracedPage, is_legible, traced_pages
from text_recognizer.learning.evaluation.pages import PageScores, add_page, iam_pages, match_lines, overlaps
from text_recognizer.page import Page, Region
from text_recognizer.recognition.layout.boxes import straight_boxes
from text_recognizer.recognition.layout.reading_order import reading_order
from text_recognizer.recognition.layout.regions import page_regions

_PARAGRAPHS = Path(__file__).with_name("copiste_paragraphs.json")


@dataclass(frozen=True)
class Truth:
    """A page with the region of each line, -1 for one that does not count, and each line's kind where it is known.

    block_only: whether what is written outside of the lines' block counts neither way.
    """

    page: TracedPage
    regions: list[int]
    kinds: list[str] | None
    block_only: bool = False


@dataclass
class Scores:
    """Sums over pages, and the seconds of processor time that order and regions took."""

    order: OrderScores = field(default_factory=OrderScores)
    regions: RegionScores = field(default_factory=RegionScores)
    pages: PageScores = field(default_factory=PageScores)
    seconds: float = 0.0


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=300, help="synthetic pages of each layout with their true lines")
    parser.add_argument("--read", type=int, default=12, help="pages of each set that are read; 0 for none")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    print(machine())
    sets = {f"synthetic, {name}": laid(LayoutPages(name, options.seed), options.pages) for name in LAYOUTS}
    _print("true lines", {name: by_true_lines(truths) for name, truths in (sets | {"Copiste val": copiste()}).items()})
    if options.read:
        recognizer = TextRecognizer(language=None)
        sets = {f"synthetic, {name}": drawn(LayoutPages(name, options.seed), options.read) for name in LAYOUTS}
        sets |= {"Copiste val": islice(copiste(), options.read), "IAM val forms": islice(iam(), options.read)}
        _print("lines that are found", {name: by_reading(recognizer, truths) for name, truths in sets.items()})


def laid(pages: LayoutPages, count: int) -> Iterator[Truth]:
    """Synthetic pages without their pictures."""
    for page in pages.pages(count):
        yield _truth(page, TracedPage(page.identifier, np.zeros(page.size[::-1], np.uint8), page.traced))


def drawn(pages: LayoutPages, count: int) -> Iterator[Truth]:
    """Synthetic pages with their pictures."""
    return (_truth(page, page.image()) for page in pages.pages(count))


def _truth(page: LaidPage, traced: TracedPage) -> Truth:
    return Truth(traced, [line.region for line in page.lines], [page.kinds[line.region] for line in page.lines])


def copiste() -> Iterator[Truth]:
    """The pages whose paragraphs are known; the line that names the page is in none."""
    starts = json.loads(_PARAGRAPHS.read_text(encoding="utf-8"))
    for page in traced_pages("copiste", "val"):
        if page.identifier in starts:
            regions = np.searchsorted(starts[page.identifier], np.arange(len(page.lines)), side="right")
            named = ["wikitexte" in (line.text or "") or len(line.text or "") < 5 for line in page.lines]
            yield Truth(page, np.where(named, -1, regions).tolist(), None)


def iam() -> Iterator[Truth]:
    """IAM forms; nobody knows their paragraphs."""
    for page in iam_pages("val"):
        yield Truth(page, [-1] * len(page.lines), None, block_only=True)


def by_true_lines(truths: Iterator[Truth]) -> Scores:
    """Order and regions from the true lines, shuffled."""
    scores = Scores()
    for truth in truths:
        shuffled = list(range(len(truth.page.lines)))
        random.Random(len(shuffled)).shuffle(shuffled)
        lines = [as_detected(truth.page.lines[i]) for i in shuffled]
        start = time.process_time()
        order = reading_order(straight_boxes(lines))
        regions = page_regions([lines[i] for i in order])
        scores.seconds += time.process_time() - start
        _add(scores, truth, regions, [shuffled[i] for i in order])
        scores.pages.pages += 1
    return scores


def by_reading(recognizer: TextRecognizer, truths: Iterator[Truth]) -> Scores:
    """Order and regions of the lines that are found, and the CER of the page."""
    scores = Scores()
    for truth in truths:
        page = recognizer.read(truth.page.image)
        legible = all(is_legible(line.text or "") for line in truth.page.lines)
        add_page(scores.pages, page, truth.page, count_text=legible, block_only=truth.block_only)
        _add(scores, truth, page.regions, _matched(page, truth.page))
    return scores


def _matched(page: Page, truth: TracedPage) -> list[int]:
    """For each line of a reading the true line that it is; -1 where it is none."""
    outlines = [np.array(line.polygon) for line in page.lines]
    found = dict(match_lines(overlaps(outlines, [line.polygon for line in truth.lines], truth.image.shape)))
    return [found.get(line, -1) for line in range(len(page.lines))]


def _add(scores: Scores, truth: Truth, regions: tuple[Region, ...], places: list[int]) -> None:
    """Add a page. places: for each line in the order of the answer, which true line it is; -1 for none."""
    told, kinds = regions_of_lines(regions, len(places))
    answer, answers = [-1] * len(truth.regions), [""] * len(truth.regions)
    for line, place in enumerate(places):
        if place >= 0:
            answer[place], answers[place] = told[line], kinds[line]
    scores.order.add([p for p in places if p >= 0 and (truth.regions[p] >= 0 or max(truth.regions) < 0)])
    scores.regions.add(truth.regions, truth.kinds, answer, answers)


def _print(title: str, rows: dict[str, Scores]) -> None:
    table = Table(
        "pages", "count", "pairs in order %", "footrule %", "ends of regions: P %", "R %", "F1 %", title=title
    )
    for name in ("kind right %", "CER %", "ms a page"):
        table.add_column(name)
    for name, scores in rows.items():
        order, regions, pages = scores.order, scores.regions, scores.pages
        ends = [f"{100 * value:.1f}" if regions.expected else "" for value in _rates(regions)]
        table.add_row(
            name,
            str(pages.pages),
            f"{100 * order.pairs_in_order:.2f}",
            f"{100 * order.mean_footrule:.2f}",
            *ends,
            f"{100 * regions.kind_accuracy:.1f}" if regions.lines else "",
            f"{100 * pages.cer:.2f}" if pages.characters else "",
            f"{1000 * scores.seconds / max(1, pages.pages):.1f}" if scores.seconds else "",
        )
    Console(width=140).print(table)


def _rates(regions: RegionScores) -> tuple[float, float, float]:
    return regions.precision, regions.recall, regions.f1


if __name__ == "__main__":
    main()
