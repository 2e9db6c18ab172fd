"""How well is it read, where nobody knows the text: errors that are expected from calibrated confidences.

The average confidence estimates accuracy without labels (Guillory et al., "Predicting with Confidence on Unseen
Distributions", ICCV 2021), as far as the calibration holds: on pages unlike those that it was fitted on, it does less.
Where people corrected or confirmed lines, what was expected of these very lines is set beside what was wrong. They are
mostly those that looked wrong, so that neither number of them is that of all that was read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from text_recognizer.labeling.active_learning import unlabelled
from text_recognizer.labeling.agreement import edits
from text_recognizer.page import Line
from text_recognizer.service.feedback.database import Database
from text_recognizer.service.feedback.tables import CorrectionRow, PageRow, ReadingRow
from text_recognizer.service.monitoring.features import RecordedReading

MOST_LINES = 500  # corrected ones that are looked at, the latest


@dataclass(frozen=True)
class ExpectedErrors:
    """What is expected of a window, and what was found.

    readings, characters: how many the estimate is of. doubt: share of characters that stand in a word expected to be
    wrong, the mean of 1 - confidence over characters; None without any. lines, corrected_characters: that people
    corrected or confirmed. corrected_doubt, expected, real: of those the same share, the character error rate that was
    expected, and the real one; None without any.
    """

    readings: int
    characters: int
    doubt: float | None
    lines: int
    corrected_characters: int
    corrected_doubt: float | None
    expected: float | None
    real: float | None

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return asdict(self)


def expected_errors(
    rows: Iterable[RecordedReading], feedback: Database, start: datetime, end: datetime
) -> ExpectedErrors:
    """Of the recorded readings, and of those from start to end in the feedback database that people corrected.

    Raises FeedbackUnavailable.
    """
    known = [(r.features.lines * r.features.characters, r.features.confidence) for r in rows]
    known = [(count, sure) for count, sure in known if math.isfinite(count * sure) and count > 0]
    characters = sum(count for count, _ in known)
    doubt = sum(count * (1 - sure) for count, sure in known) / characters if known else None
    lines = _corrected(feedback, start, end)
    total = sum(len(text) for _, text in lines)
    found: tuple[float | None, ...] = (None, None, None)
    if total:
        wrong = sum(edits(line.text, text) for line, text in lines) / total
        awaited = sum(unlabelled("", "", line).expected for line, _ in lines) / total
        read = max(1, sum(len(line.text) for line, _ in lines))
        found = (sum(len(line.text) * (1 - line.confidence) for line, _ in lines) / read, awaited, wrong)
    return ExpectedErrors(len(known), round(characters), doubt, len(lines), total, *found)


def _corrected(feedback: Database, start: datetime, end: datetime) -> list[tuple[Line, str]]:
    """Lines as they were read, each with the text that a person last gave it."""
    inside = (ReadingRow.created >= start) & (ReadingRow.created <= end)
    made = select(CorrectionRow).join(ReadingRow, ReadingRow.id == CorrectionRow.reading).where(inside)
    with feedback.transaction() as session:
        texts: dict[tuple[str, int, int], str] = {}
        for row in session.scalars(made.order_by(CorrectionRow.id.desc())):
            if len(texts) == MOST_LINES:
                break
            texts.setdefault((row.reading, row.page, row.line), row.after)
        pages = {name: session.get(PageRow, name) for name in {key[:2] for key in texts}}
        found = [(pages[key[:2]], key[2], text) for key, text in texts.items()]
        return [(Line.from_dict(row.page["lines"][line]), text) for row, line, text in found if row is not None]
