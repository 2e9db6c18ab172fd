"""When to raise an alarm (once for a drift, again after a while, when it is over), and which was sent where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, UniqueConstraint, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from text_recognizer.service.feedback.database import Database, insert_once
from text_recognizer.service.feedback.tables import Number, Schema, UtcDateTime
from text_recognizer.service.monitoring.drift import TOGETHER, DriftReport

COOL_DOWN = timedelta(hours=24)
CLEAR_CHECKS = 3  # without drift, one after the other, until a drift is over: at its edge, verdicts alternate
BEGAN, GOES_ON, CHANGED, ENDED = "began", "goes on", "changed", "ended"

WAITING, SENT, FAILED = "waiting", "sent", "failed"
LONGEST_WAIT = timedelta(hours=1)  # between two attempts


@dataclass(frozen=True)
class AlertState:
    """What is remembered from one check to the next.

    drifting: whether there is drift now, since when. announced: whether an alert said so. features: those of the last
    alert, which was at `alerted`. clear: checks without drift since the last one with drift.
    """

    drifting: bool = False
    since: datetime | None = None
    announced: bool = False
    features: tuple[str, ...] = ()
    alerted: datetime | None = None
    clear: int = 0

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        times = {name: time.isoformat() if time else None for name, time in self._times().items()}
        return asdict(self) | times | {"features": list(self.features)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AlertState:
        """The state that `to_dict` described."""
        times = {name: datetime.fromisoformat(data[name]) if data[name] else None for name in ("since", "alerted")}
        return cls(**{**data, **times, "features": tuple(data["features"])})

    def _times(self) -> dict[str, datetime | None]:
        return {"since": self.since, "alerted": self.alerted}


@dataclass(frozen=True)
class Alert:
    """What is to be told. kind: "began", "goes on", "changed" (other features than before) or "ended"."""

    kind: str
    features: tuple[str, ...]
    since: datetime
    text: str


def due(
    state: AlertState, report: DriftReport, now: datetime, cool_down: timedelta = COOL_DOWN
) -> tuple[AlertState, Alert | None]:
    """What a check's result changes, and the alert that is due, if one is.

    A drift is announced when it is first seen; within the cool-down not again, though it went and came back, unless
    none of its features was told of before. A check without a verdict changes nothing.
    """
    if report.drift is None:
        return state, None
    if not report.drift:
        return _without_drift(state)
    since = state.since if state.drifting and state.since else now
    state = replace(state, drifting=True, since=since, clear=0)
    # An alert in the future is a clock that was put back: nothing is known of when it was.
    recent = state.alerted is not None and timedelta(0) <= now - state.alerted < cool_down
    other = not set(report.drifted) & set(state.features)
    if recent and not other:
        return state, None
    kind = BEGAN if not state.announced else CHANGED if other else GOES_ON
    alert = Alert(kind, report.drifted, since, describe(kind, report, since))
    return replace(state, announced=True, features=report.drifted, alerted=now), alert


def _without_drift(state: AlertState) -> tuple[AlertState, Alert | None]:
    if not state.drifting or state.since is None:
        return state, None
    if state.clear + 1 < CLEAR_CHECKS:
        return replace(state, clear=state.clear + 1), None
    over = replace(state, drifting=False, since=None, announced=False, clear=0)
    if not state.announced:  # nobody heard of it
        return over, None
    text = f"The drift since {state.since:%Y-%m-%d %H:%M} UTC ({', '.join(state.features)}) is over."
    return over, Alert(ENDED, state.features, state.since, text)


def describe(kind: str, report: DriftReport, since: datetime) -> str:
    """An alert in words: what has changed, from what to what."""
    what = {f.name: f"{f.name} (usually {_shown(f.then)}, now {_shown(f.now)})" for f in report.features}
    what[TOGETHER] = f"features taken together (told apart with an area of {report.area or 0:.2f})"
    changes = "; ".join(what[name] for name in report.drifted[:5])
    more = f"; and {len(report.drifted) - 5} more" if len(report.drifted) > 5 else ""
    first, start, end = (f"{time:%Y-%m-%d %H:%M}" for time in (since, report.start, report.end))
    text = "Drift {}, seen since {} UTC: {} readings from {} to {} UTC differ from the reference in {}."
    return text.format(kind, first, report.readings, start, end, changes + more)


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


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
