"""Lines whose text the recogniser disputes: written into the wrong box, a line skipped, another text written.

A hint and nothing more: new handwriting is just what the recogniser reads badly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from text_recognizer import TextRecognizer
from text_recognizer.images.normalize import Gray
from text_recognizer.labeling.agreement import edits
from text_recognizer.labeling.forms.collection import NewLine

_DISPUTED = 0.6  # character error rate from which the text may be another one
_ANOTHER = 0.7  # share of its own rate that a line has with another prompt that was meant


@dataclass(frozen=True)
class Doubt:
    """A line whose text may be another. read: what the recogniser saw. meant: the row of its page that fits better."""

    line: NewLine
    read: str
    rate: float
    meant: str = ""


def doubts(lines: Sequence[NewLine], recognizer: TextRecognizer | None = None) -> list[Doubt]:
    """The lines whose text is read very differently, with what was read."""
    if not lines:
        return []
    images: list[Gray] = [line.image for line in lines]
    readings = (recognizer or TextRecognizer()).read_lines(images)
    found = []
    for line, reading in zip(lines, readings, strict=True):
        rate = error_rate(reading.text, line.row["text"])
        if rate >= _DISPUTED:
            found.append(Doubt(line, reading.text, rate, _meant(line, reading.text, rate, lines)))
    return found


def error_rate(read: str, text: str) -> float:
    """Edits that turn one text into the other, a character of `text`."""
    return edits(read, text) / max(1, len(text))


def _meant(line: NewLine, read: str, rate: float, lines: Sequence[NewLine]) -> str:
    """The row of the same page whose text was read here, if there is one."""
    same = ("form", "page", "writer")
    others = [other.row for other in lines if all(other.row[name] == line.row[name] for name in same)]
    rates = {row["row"]: error_rate(read, row["text"]) for row in others}
    best = min(rates, key=lambda number: rates[number])
    return best if best != line.row["row"] and rates[best] < _ANOTHER * rate else ""
