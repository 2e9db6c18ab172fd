"""Readings of the same lines by two models, as numbers without text, in the feedback database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from text_recognizer.service.feedback.database import Database
from text_recognizer.service.feedback.schema import Number, Schema, UtcDateTime


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
