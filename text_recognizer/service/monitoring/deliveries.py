"""Which alert went where, in the feedback database: what was not sent yet survives the end of the program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, UniqueConstraint, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from text_recognizer.service.feedback.database import Database, insert_once
from text_recognizer.service.feedback.schema import Number, Schema, UtcDateTime

WAITING, SENT, FAILED = "waiting", "sent", "failed"
LONGEST_WAIT = timedelta(hours=1)  # between two attempts


class Base(DeclarativeBase):
    """The tables of deliveries, beside those of monitoring."""


class DeliveryRow(Base):
    """An alert on its way to one receiver. check: of `drift_checks`. target: the receiver, without its secrets."""

    __tablename__ = "alert_deliveries"
    __table_args__ = (UniqueConstraint("check_id", "target"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    check_id: Mapped[int] = mapped_column(Number)
    target: Mapped[str] = mapped_column(String(200))
    changed: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int]
    next: Mapped[datetime] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(String(200))


SCHEMA = Schema.of(Base, "alert_schema", 1)


@dataclass(frozen=True)
class Delivery:
    """An alert on its way: to whom, "waiting", "sent" or "failed", since when, attempts so far, and what went wrong."""

    id: int
    check: int
    target: str
    state: str
    changed: datetime
    attempts: int
    error: str | None


class DeliveryStore:
    """Deliveries in the database of a URL; errors are those of `FeatureStore`. Several processes may use it."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, SCHEMA)
        self._transaction = self._database.transaction

    def plan(self, checks: Iterable[int], targets: Sequence[str], now: datetime) -> None:
        """Have each alert sent to each target, once."""
        wanted = {(check, target) for check in checks for target in targets}
        if not wanted:
            return
        known = select(DeliveryRow.check_id, DeliveryRow.target)
        inside = known.where(DeliveryRow.check_id.in_({check for check, _ in wanted}))
        with self._transaction() as session:
            if not wanted - {(row.check_id, row.target) for row in session.execute(inside)}:
                return
        with self._transaction(write=True) as session:
            missing = wanted - {(row.check_id, row.target) for row in session.execute(inside)}
            for check, target in sorted(missing):
                row = DeliveryRow(check_id=check, target=target, changed=now, state=WAITING, attempts=0, next=now)
                insert_once(session, row)

    def due(self, now: datetime) -> list[Delivery]:
        """What is to be tried now, the oldest first. A time far in the future is of a clock that was put back."""
        timely = (DeliveryRow.next <= now) | (DeliveryRow.next > now + 2 * LONGEST_WAIT)
        query = select(DeliveryRow).where((DeliveryRow.state == WAITING) & timely).order_by(DeliveryRow.id)
        with self._transaction() as session:
            return [_delivery(row) for row in session.scalars(query)]

    def claim(self, delivery: Delivery, until: datetime) -> bool:
        """Take the next attempt; False where another process has. Where this one ends, others may try from `until`."""
        mine = (DeliveryRow.id == delivery.id) & (DeliveryRow.attempts == delivery.attempts)
        change = update(DeliveryRow).where(mine & (DeliveryRow.state == WAITING))
        with self._transaction(write=True) as session:
            done = session.execute(change.values(attempts=delivery.attempts + 1, next=until))
            return done.rowcount == 1  # type: ignore[attr-defined]

    def settle(self, delivery: Delivery, state: str, error: str | None, now: datetime, next: datetime) -> None:
        """What came of an attempt; next: when another is due, where it waits."""
        change = update(DeliveryRow).where(DeliveryRow.id == delivery.id)
        with self._transaction(write=True) as session:
            session.execute(change.values(state=state, error=error, changed=now, next=next))

    def of(self, checks: Sequence[int]) -> dict[int, list[Delivery]]:
        """The deliveries of alerts: number of the check -> deliveries."""
        query = select(DeliveryRow).where(DeliveryRow.check_id.in_(checks)).order_by(DeliveryRow.id)
        found: dict[int, list[Delivery]] = {}
        with self._transaction() as session:
            for row in session.scalars(query):
                found.setdefault(row.check_id, []).append(_delivery(row))
        return found

    def purge(self, days: int, now: datetime | None = None) -> int:
        """Delete what is older; returns how many."""
        return self._database.purge([DeliveryRow.changed], days, now)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(row.id, row.check_id, row.target, row.state, row.changed, row.attempts, row.error)
