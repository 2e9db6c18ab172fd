"""A candidate beside the models in use: readings of the same lines as numbers, and the report made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from text_recognizer.service.feedback.database import Database
from text_recognizer.service.feedback.tables import CorrectionRow, Number, ReadingRow, Schema, UtcDateTime
from text_recognizer.service.monitoring.features import RecordedReading


@dataclass(frozen=True)
class Comparison:
    """The lines of one page as the model in use and a candidate read them.

    document: the reading's id. present, candidate: identities. lines: of the page; same: read alike. characters: that
    the model in use read; edits: between both readings. Confidences: means of the lines, in [0, 1]. Milliseconds: to
    read the lines, without finding them.
    """

    created: datetime
    document: str
    present: str
    candidate: str
    lines: int
    same: int
    characters: int
    edits: int
    present_confidence: float
    candidate_confidence: float
    present_milliseconds: float
    candidate_milliseconds: float

    @property
    def rate(self) -> float:
        """The character error rate of one reading against the other."""
        return self.edits / max(1, self.characters)


class Base(DeclarativeBase):
    """All tables of comparisons."""


class ComparisonRow(Base):
    """See `Comparison`."""

    __tablename__ = "model_comparisons"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    document: Mapped[str] = mapped_column(String(64))
    present: Mapped[str] = mapped_column(String(200))
    candidate: Mapped[str] = mapped_column(String(200))
    lines: Mapped[int]
    same: Mapped[int]
    characters: Mapped[int]
    edits: Mapped[int]
    present_confidence: Mapped[float]
    candidate_confidence: Mapped[float]
    present_milliseconds: Mapped[float]
    candidate_milliseconds: Mapped[float]


SCHEMA = Schema.of(Base, "comparison_schema", 1)
_FIELDS = tuple(Comparison.__dataclass_fields__)


class ComparisonStore:
    """Comparisons in the database of a URL; errors as of `FeatureStore`."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, SCHEMA)

    def add(self, comparison: Comparison) -> None:
        """Keep a comparison."""
        with self._database.transaction(write=True) as session:
            session.add(ComparisonRow(**asdict(comparison)))

    def since(self, start: datetime) -> Sequence[Comparison]:
        """The comparisons since then, oldest first."""
        query = select(ComparisonRow).where(ComparisonRow.created >= start).order_by(ComparisonRow.id)
        with self._database.transaction() as session:
            return [Comparison(**{name: getattr(row, name) for name in _FIELDS}) for row in session.scalars(query)]

    def purge(self, days: int, now: datetime | None = None) -> int:
        """Delete older ones; returns how many."""
        return self._database.purge([ComparisonRow.created], days, now)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


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
