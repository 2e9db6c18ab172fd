"""The report of a data check: one HTML file with small charts as SVG, and JSON for programs."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import normalize_text
from text_recognizer.atomic_files import write_file
from text_recognizer.learning.quality.findings import Concern, Finding, tally
from text_recognizer.learning.quality.lines import InspectedLine, UnusableImageError
from text_recognizer.learning.quality.run import Inspection
from text_recognizer.learning.report_page import picture_url, render

_EACH = 24  # lines shown of a finding
_PICTURES = 240  # in the whole report: about 3 MB
_WIDTH = 900  # pixels of a picture
_ALIKE = 0.4  # texts less alike share letters by chance only
_HEIGHT, _LINE_HEIGHT = 260, 80  # of a picture of a paragraph or page, and of a line

#: Of a chart, in its own units.
WIDTH, HEIGHT = 300, 90

_WIDEST = 24  # bar
_BINS = 24
_MOST = 30  # characters, and writers, that are shown


@dataclass(frozen=True)
class Piece:
    """A part of a label or reading; other: it differs between the two."""

    text: str
    other: bool


@dataclass(frozen=True)
class Card:
    """A line as the report shows it. picture: a data URL, "" for none."""

    identifier: str
    why: str
    facts: str
    picture: str
    size: tuple[int, int]
    label: list[Piece]
    reading: list[Piece]
    confidence: float | None
    others: list[tuple[str, str]]


def write_report(inspection: Inspection, path: Path) -> None:
    """Write the HTML file, whole or not at all."""
    gallery = _Gallery(inspection)
    page = render(
        Path(__file__).with_name("report.html"),
        inspection=inspection,
        today=datetime.date.today().isoformat(),
        tally=tally(inspection.findings),
        total=len(inspection.dataset.lines),
        charts=charts(inspection.dataset.lines),
        sections=[(finding, gallery.cards(finding)) for finding in inspection.findings],
    )
    write_file(path, page)


def write_json(inspection: Inspection, path: Path) -> None:
    """Write what was found as JSON, whole or not at all."""
    write_file(path, json.dumps(as_json(inspection), ensure_ascii=False, indent=1).encode("utf-8"))


def as_json(inspection: Inspection) -> dict[str, Any]:
    """What was found, for programs."""
    return {
        "dataset": inspection.dataset.name,
        "kind": inspection.dataset.kind,
        "lines": len(inspection.dataset.lines),
        "read": inspection.read,
        "model": inspection.model,
        "errors": inspection.has_errors,
        "splits": [asdict(size) for size in inspection.sizes],
        "findings": [finding.as_json() for finding in inspection.findings],
    }


def pieces(text: str, other: str) -> list[Piece]:
    """A text cut where it differs from the other one; in one piece where the two have next to nothing in common."""
    if Levenshtein.normalized_similarity(text, other) < _ALIKE:
        return [Piece(text, True)] if text else []
    edits = Levenshtein.opcodes(text, other)
    found = [Piece(text[edit.src_start : edit.src_end], edit.tag != "equal") for edit in edits]
    return [piece for piece in found if piece.text]


class _Gallery:
    """Makes the cards of findings, with a limit on the pictures in all."""

    def __init__(self, inspection: Inspection) -> None:
        self.lines = {line.identifier: line for line in inspection.dataset.lines}
        self.left = _PICTURES
        self.whole = inspection.dataset.kind != "lines"

    def cards(self, finding: Finding) -> list[Card]:
        """The first lines that a finding is about."""
        return [self._card(concern) for concern in finding.concerns[:_EACH]]

    def _card(self, concern: Concern) -> Card:
        line = self.lines.get(concern.identifier)
        if line is None:
            return Card(concern.identifier, concern.why, "", "", (0, 0), [], [], None, [])
        label = normalize_text(line.text)
        read = line.reading.text if line.reading else ""
        picture, size = self._picture(line)
        facts = (line.split and f"split {line.split}", line.writer and f"writer {line.writer}", line.where)
        return Card(
            concern.identifier,
            concern.why,
            " · ".join(dict.fromkeys(fact for fact in facts if fact)),
            picture,
            size,
            pieces(label, read) if line.reading else [Piece(label[:300], False)],
            pieces(read, label) if line.reading else [],
            line.reading.confidence if line.reading else None,
            [(name, normalize_text(self.lines[name].text)) for name in concern.others if name in self.lines],
        )

    def _picture(self, line: InspectedLine) -> tuple[str, tuple[int, int]]:
        """A data URL and the size of the picture, dark on light."""
        if self.left <= 0:
            return "", (0, 0)
        try:
            image, _ = line.fetch()
        except UnusableImageError:
            return "", (0, 0)
        self.left -= 1
        image = 255 - image if line.normalized else image
        return picture_url(image, _WIDTH, _HEIGHT if self.whole else _LINE_HEIGHT, quality=60)


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
