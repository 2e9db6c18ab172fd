"""When to raise an alarm: once for a drift, again after a while, and when it is over. Sending it is another's task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from text_recognizer.service.monitoring.drift import TOGETHER, DriftReport

COOL_DOWN = timedelta(hours=24)
CLEAR_CHECKS = 3  # without drift, one after the other, until a drift is over: at its edge, verdicts alternate
BEGAN, GOES_ON, CHANGED, ENDED = "began", "goes on", "changed", "ended"


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
