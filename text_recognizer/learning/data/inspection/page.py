"""The report of an inspection: one HTML file that needs nothing else, and JSON for programs."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import normalize_text
from text_recognizer.folders import write_file
from text_recognizer.learning.data.inspection.charts import charts
from text_recognizer.learning.data.inspection.findings import Concern, Finding, tally
from text_recognizer.learning.data.inspection.inspect import Inspection
from text_recognizer.learning.data.inspection.lines import InspectedLine, UnusableImageError
from text_recognizer.learning.report_page import picture_url, render

_EACH = 24  # lines shown of a finding
_PICTURES = 240  # in the whole report: about 3 MB
_WIDTH = 900  # pixels of a picture
_ALIKE = 0.4  # texts less alike share letters by chance only
_HEIGHT, _LINE_HEIGHT = 260, 80  # of a picture of a paragraph or page, and of a line


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
