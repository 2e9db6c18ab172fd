"""What a candidate did beside the models in use: disagreement where it was a shadow, and what each answered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import select

from text_recognizer.service.feedback.database import Database
from text_recognizer.service.feedback.tables import CorrectionRow, ReadingRow
from text_recognizer.service.models.comparisons import Comparison
from text_recognizer.service.monitoring.features import RecordedReading


@dataclass(frozen=True)
class ShadowReport:
    """Pages that two models have read, the candidate in the background.

    character_error_rate: of one reading against the other, over all pages; same_lines: share that were read alike.
    Confidences: means of the pages. Milliseconds a line: medians of the pages, without finding lines.
    """

    present: str
    candidate: str
    pages: int
    lines: int
    character_error_rate: float
    same_lines: float
    present_confidence: float
    candidate_confidence: float
    present_milliseconds: float
    candidate_milliseconds: float


@dataclass(frozen=True)
class ServedReport:
    """Pages that a model has read for those who asked. unit: pages, or crops of lines.

    confidence: mean of the pages that have text. Milliseconds a page: the median, and what 95 of 100 stay below. kept:
    readings kept so that they can be corrected, of every unit; corrected: those in which somebody changed a line.
    """

    model: str
    unit: str
    pages: int
    confidence: float
    milliseconds: float
    milliseconds_95: float
    kept: int
    corrected: int


def shadow_reports(comparisons: Iterable[Comparison]) -> list[ShadowReport]:
    """A report for each pair of models."""
    pairs: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for found in comparisons:
        pairs[found.present, found.candidate].append(found)
    return [_shadow(*pair, found) for pair, found in sorted(pairs.items())]


def served_reports(
    readings: Iterable[RecordedReading], corrections: dict[str, tuple[int, int]] | None = None
) -> list[ServedReport]:
    """A report for each recogniser of lines, and unit. corrections: what `corrections_by_model` gives."""
    groups: dict[tuple[str, str], list[RecordedReading]] = defaultdict(list)
    for reading in readings:
        groups[reading.features.models.get("lines", ""), reading.features.unit].append(reading)
    return [_served(*key, found, (corrections or {}).get(key[0], (0, 0))) for key, found in sorted(groups.items())]


def corrections_by_model(database: Database, since: datetime) -> dict[str, tuple[int, int]]:
    """Of the readings kept since then, by the recogniser of lines: how many there are, and how many were corrected.

    Raises FeedbackUnavailable.
    """
    kept = select(ReadingRow.id, ReadingRow.model).where(ReadingRow.created >= since)
    changed = select(CorrectionRow.reading).where(CorrectionRow.before != CorrectionRow.after).distinct()
    with database.transaction() as session:
        corrected = set(session.scalars(changed))
        rows = [(reading in corrected, model.get("lines", "")) for reading, model in session.execute(kept)]
    found: dict[str, tuple[int, int]] = {}
    for was_corrected, model in rows:
        count, changes = found.get(model, (0, 0))
        found[model] = count + 1, changes + was_corrected
    return found


def _shadow(present: str, candidate: str, found: Sequence[Comparison]) -> ShadowReport:
    lines = sum(c.lines for c in found)
    return ShadowReport(
        present=present,
        candidate=candidate,
        pages=len(found),
        lines=lines,
        character_error_rate=sum(c.edits for c in found) / max(1, sum(c.characters for c in found)),
        same_lines=sum(c.same for c in found) / max(1, lines),
        present_confidence=float(np.mean([c.present_confidence for c in found])),
        candidate_confidence=float(np.mean([c.candidate_confidence for c in found])),
        present_milliseconds=float(np.median([c.present_milliseconds / c.lines for c in found])),
        candidate_milliseconds=float(np.median([c.candidate_milliseconds / c.lines for c in found])),
    )


def _served(model: str, unit: str, found: Sequence[RecordedReading], corrections: tuple[int, int]) -> ServedReport:
    milliseconds = [r.features.milliseconds for r in found]
    confidences = [r.features.confidence for r in found if r.features.confidence == r.features.confidence]
    return ServedReport(
        model=model,
        unit=unit,
        pages=len(found),
        confidence=float(np.mean(confidences)) if confidences else 0.0,
        milliseconds=float(np.nanmedian(milliseconds)),
        milliseconds_95=float(np.nanpercentile(milliseconds, 95)),
        kept=corrections[0],
        corrected=corrections[1],
    )
