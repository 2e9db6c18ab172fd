"""Small charts of a dataset as SVG: bars with their numbers, which a screen reader hears as a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.data.inspection.lines import InspectedLine

#: Of a chart, in its own units.
WIDTH, HEIGHT = 300, 90

_WIDEST = 24  # bar
_BINS = 24
_MOST = 30  # characters, and writers, that are shown


@dataclass(frozen=True)
class Bar:
    """A bar in a chart of WIDTH x HEIGHT: its left edge, width and height. label: below it, "" for none, at `middle`.
    title: what a pointer over it says."""

    left: float
    width: float
    height: float
    label: str
    title: str

    @property
    def middle(self) -> float:
        """Where the label is centred."""
        return min(max(self.left + self.width / 2, 4 * len(self.label)), WIDTH - 4 * len(self.label))


@dataclass(frozen=True)
class Chart:
    """caption: what is counted. summary: the figures in a sentence. bars: from left to right."""

    caption: str
    summary: str
    bars: tuple[Bar, ...]


def charts(lines: Sequence[InspectedLine]) -> list[Chart]:
    """Length, height, width, characters and writers, as far as they are known."""
    lengths = [len(normalize_text(line.text)) for line in lines]
    heights = [line.picture.height for line in lines if line.picture and line.picture.height]
    widths = [line.picture.width for line in lines if line.picture]
    characters = Counter(c for line in lines for c in normalize_text(line.text) if c != " ")
    writers = Counter(line.writer for line in lines if line.writer)
    found = [
        _histogram("Length of labels, in characters", lengths),
        _histogram("Height of images, in pixels", heights),
        _histogram("Width at the height of the recogniser, in pixels", widths),
        _ranking("Characters, the most frequent first", characters, "times", labelled=True),
        _ranking("Lines of each writer, the most diligent first", writers, "lines", labelled=False),
    ]
    return [chart for chart in found if chart]


def _histogram(caption: str, values: Sequence[int]) -> Chart | None:
    if not values or min(values) == max(values):
        return None
    top = float(np.quantile(values, 0.995))  # one giant must not flatten all the others
    counts, edges = np.histogram(np.minimum(values, top), bins=min(_BINS, int(top) - min(values) + 1))
    ends = {0: f"{edges[0]:.0f}", len(counts) - 1: f"{edges[-1]:.0f}"}
    bars = [
        (number, ends.get(k, ""), f"{edges[k]:.0f} to {edges[k + 1]:.0f}: {number:,} lines")
        for k, number in enumerate(counts.tolist())
    ]
    summary = f"{min(values):,} to {max(values):,}, median {np.median(values):,.0f}"
    return Chart(caption, summary, _placed(bars))


def _ranking(caption: str, counts: Counter[str], unit: str, labelled: bool) -> Chart | None:
    if len(counts) < 2:
        return None
    order = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    bars = [(number, name if labelled else "", f"{name}: {number:,} {unit}") for name, number in order[:_MOST]]
    least = (
        ", ".join(name for name, _ in [entry for entry in order[::-1] if entry[0].isprintable()][:8])
        if labelled
        else ""
    )
    summary = f"{len(counts):,} different ones" + (f"; the rarest: {least}" if least else "")
    return Chart(caption, summary, _placed(bars))


def _placed(bars: Sequence[tuple[int, str, str]]) -> tuple[Bar, ...]:
    """Bars side by side, of numbers with their labels and titles."""
    step, most = min(WIDTH / len(bars), _WIDEST), max(number for number, _, _ in bars)
    return tuple(
        Bar(k * step, 0.82 * step, HEIGHT * number / most, label, title)
        for k, (number, label, title) in enumerate(bars)
    )
