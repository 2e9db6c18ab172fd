"""Features of readings and checks for drift: their tables in the feedback database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Select, String, func, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from text_recognizer.service.feedback.database import Database, insert_once
from text_recognizer.service.feedback.tables import Number, Schema, UtcDateTime
from text_recognizer.service.monitoring.alerts import Alert, AlertState
from text_recognizer.service.monitoring.drift import DriftReport
from text_recognizer.service.monitoring.features import ReadingFeatures, RecordedReading

MOST_ROWS = 10_000  # of a window that are looked at; of more, an even share
_MOST_TEXT = 2000  # characters of an alert


@dataclass(frozen=True)
class StoredCheck:
    """A check for drift: when, what it found, what is remembered since, and the kind and text of the alert, if any."""

    id: int
    created: datetime
    report: DriftReport
    state: AlertState
    alert: str | None
    text: str | None


class FeatureStore:
    """Features and checks in the database of a URL (sqlite:///FILE or postgresql://...).

    Several threads may use one store, and several processes one database. Every method raises FeedbackUnavailable (an
    OSError) where the database cannot be used, the constructor ValueError for a URL of another kind.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url, SCHEMA)
        self._transaction = self._database.transaction

    def add(self, readings: Sequence[RecordedReading]) -> None:
        """Keep the features of readings, all or none."""
        with self._transaction(write=True) as session:
            session.execute(insert(FeaturesRow), [_row(reading) for reading in readings])

    def window(self, start: datetime, end: datetime) -> list[RecordedReading]:
        """The readings from start to end, oldest first; of more than 10,000 an even share."""
        inside = (FeaturesRow.created >= start) & (FeaturesRow.created <= end)
        with self._transaction() as session:
            count = session.scalar(select(func.count(FeaturesRow.id)).where(inside)) or 0
            every = -(-count // MOST_ROWS)
            query = _rows().where(inside & (FeaturesRow.id % every == 0)) if every > 1 else _rows().where(inside)
            return [_reading(row) for row in session.scalars(query)]

    def of(self, documents: Collection[str], start: datetime, end: datetime) -> list[RecordedReading]:
        """The pages of some documents, recorded from start to end, oldest first."""
        inside = (FeaturesRow.created >= start) & (FeaturesRow.created <= end)
        query = _rows().where(inside, FeaturesRow.document.in_(documents))
        with self._transaction() as session:
            return [_reading(row) for row in session.scalars(query)]

    def first(self, readings: int, since: datetime | None = None) -> list[RecordedReading]:
        """The first readings, oldest first, since some time where one is given."""
        query = _rows() if since is None else _rows().where(FeaturesRow.created >= since)
        with self._transaction() as session:
            return [_reading(row) for row in session.scalars(query.limit(readings))]

    def after(self, time: datetime) -> int:
        """How many readings have a later time."""
        with self._transaction() as session:
            return session.scalar(select(func.count(FeaturesRow.id)).where(FeaturesRow.created > time)) or 0

    def save_check(self, report: DriftReport, state: AlertState, alert: Alert | None, now: datetime) -> None:
        """Keep what a check found, and what is remembered for the next."""
        row = CheckRow(
            created=now,
            drift=report.drift,
            report=report.to_dict(),
            state=state.to_dict(),
            alert=alert.kind if alert else None,
            text=alert.text[:_MOST_TEXT] if alert else None,
        )
        with self._transaction(write=True) as session:
            session.add(row)

    def checks(self, limit: int = 50, alerts_only: bool = False) -> list[StoredCheck]:
        """The last checks, newest first; those with an alert alone, where asked for."""
        query = select(CheckRow).order_by(CheckRow.id.desc()).limit(limit)
        if alerts_only:
            query = query.where(CheckRow.alert.is_not(None))
        with self._transaction() as session:
            return [_check(row) for row in session.scalars(query)]

    def state(self) -> AlertState:
        """What is remembered from the last check."""
        last = self.checks(1)
        return last[0].state if last else AlertState()

    def take_turn(self, name: str, every: timedelta, now: datetime) -> bool:
        """Whether it is this process's turn: of all that ask, one gets it in a while.

        A turn that was taken further in the future than that, by a clock that was put back since, counts as none;
        nearer than that it is the turn of another process, which asked first and looked at its clock later.
        """
        free = (TurnRow.taken <= now - every) | (TurnRow.taken > now + every)
        with self._transaction(write=True) as session:
            if session.get(TurnRow, name) is not None:
                done = session.execute(update(TurnRow).where((TurnRow.name == name) & free).values(taken=now))
                return done.rowcount == 1  # type: ignore[attr-defined]
            return insert_once(session, TurnRow(name=name, taken=now))

    def purge(self, days: int, now: datetime | None = None) -> int:
        """Delete features and checks that are older; returns how many."""
        return self._database.purge([FeaturesRow.created, CheckRow.created], days, now)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _rows() -> Select[FeaturesRow]:
    return select(FeaturesRow).order_by(FeaturesRow.created, FeaturesRow.id)


def _row(reading: RecordedReading) -> dict[str, object]:
    found = reading.features
    return {
        "created": found.created,
        "document": reading.document,
        "page": reading.page,
        "unit": found.unit,
        "models": dict(found.models),
        "version": found.version,
        "features": found.values(),
    }


def _reading(row: FeaturesRow) -> RecordedReading:
    features = ReadingFeatures.from_values(row.features, row.created, row.models, row.unit, row.version)
    return RecordedReading(row.document, row.page, features)


def _check(row: CheckRow) -> StoredCheck:
    report, state = DriftReport.from_dict(row.report), AlertState.from_dict(row.state)
    return StoredCheck(row.id, row.created, report, state, row.alert, row.text)


class Base(DeclarativeBase):
    """All tables of monitoring."""


class FeaturesRow(Base):
    """The features of one page that was read. document: the reading's id, kept or not. features: JSON."""

    __tablename__ = "reading_features"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    document: Mapped[str] = mapped_column(String(64))
    page: Mapped[int]
    unit: Mapped[str] = mapped_column(String(16))
    models: Mapped[dict[str, str]] = mapped_column(JSON)
    version: Mapped[int]
    features: Mapped[dict[str, Any]] = mapped_column(JSON)


class CheckRow(Base):
    """A check for drift. report: JSON, `DriftReport.to_dict()`; state: `AlertState.to_dict()` after it; alert: the kind
    of alert that was due, and its text."""

    __tablename__ = "drift_checks"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    drift: Mapped[bool | None]
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    alert: Mapped[str | None] = mapped_column(String(16))
    text: Mapped[str | None] = mapped_column(String(2000))


class TurnRow(Base):
    """Whose turn it is: what of several processes one does at a time, and when it was last done."""

    __tablename__ = "monitoring_turns"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    taken: Mapped[datetime] = mapped_column(UtcDateTime)


SCHEMA = Schema.of(Base, "monitoring_schema", 1)
