"""What the page /monitor shows of a window: then and now, traffic, alerts, and the readings behind them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from text_recognizer.service.feedback.database import Database
from text_recognizer.service.feedback.tables import CorrectionRow, ReadingRow
from text_recognizer.service.monitoring.alerts import DeliveryStore
from text_recognizer.service.monitoring.check import check, usual
from text_recognizer.service.monitoring.drift import DriftReport, FeatureDrift, Limits
from text_recognizer.service.monitoring.expected_errors import expected_errors
from text_recognizer.service.monitoring.features import NAMES, NUMBERS, RecordedReading
from text_recognizer.service.monitoring.reference import Reference
from text_recognizer.service.monitoring.samples import Sample
from text_recognizer.service.monitoring.store import FeatureStore
from text_recognizer.service.settings import Settings

_BINS = 24  # of a distribution, and of time
_READINGS = 25  # that are listed, the latest
_ALERTS = 20


def overview(
    features: FeatureStore, settings: Settings, hours: float, end: datetime, owner: str | None
) -> dict[str, Any]:
    """Everything of the window of so many hours until `end`, as JSON can hold it.

    owner: whose key asks; readings kept for another key are not named. Raises FeedbackUnavailable.
    """
    start, url = end - timedelta(hours=hours), settings.feedback_database
    rows = features.window(start, end)
    reference, report, problem = _compared(features, settings, hours, end)
    with closing(Database(url)) as feedback, closing(DeliveryStore(url)) as deliveries:
        return {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "recorded": len(rows),
            "problem": problem,
            "report": report.to_dict() if report else None,
            "features": _distributions(rows, reference, report),
            "expected": expected_errors(rows, feedback, start, end).to_dict(),
            "alerts": _alerts(features, deliveries),
            "traffic": _traffic(rows, feedback, start, end),
            "readings": _readings(rows, feedback, owner),
        }


def _compared(
    features: FeatureStore, settings: Settings, hours: float, end: datetime
) -> tuple[Reference | None, DriftReport | None, str | None]:
    """The reference and what the window is beside it; else why there is none."""
    try:
        reference = usual(settings)
        limits = Limits(readings=settings.drift_readings, level=settings.drift_level)
        return reference, check(features, reference, timedelta(hours=hours), limits, end), None
    except (FileNotFoundError, ValueError) as error:
        return None, None, str(error)


def _distributions(
    rows: Sequence[RecordedReading], reference: Reference | None, report: DriftReport | None
) -> list[dict[str, Any]]:
    """Of each feature its shares then and now; what drifted comes first."""
    unit = reference.unit if reference else "page"
    now = Sample.of([row.features for row in rows if row.features.unit == unit], range(len(rows)))
    tested = {feature.name: feature for feature in report.features} if report else {}
    found = [
        {"name": name, "what": what, **_tested(tested.get(name)), **_shares(name, reference, now)}
        for name, what in {**NUMBERS, **NAMES}.items()
    ]
    return sorted(found, key=lambda feature: (not feature["drifted"], -(feature["index"] or 0)))


def _tested(feature: FeatureDrift | None) -> dict[str, Any]:
    if feature is None:
        return {"p_value": None, "index": None, "drifted": False}
    return {"p_value": feature.p_value, "index": feature.index, "drifted": feature.drifted}


def _shares(name: str, reference: Reference | None, now: Sample) -> dict[str, Any]:
    """Bins of a number, or kinds of a name, with the shares of both; medians, or the commonest."""
    if name in NAMES:
        sides = [_column(reference.sample if reference else None, name), now.names[name]]
        kept = [side[side != ""] for side in sides]
        kinds = sorted({str(kind) for side in kept for kind in side})
        shares = [[float((side == kind).mean()) if len(side) else 0.0 for kind in kinds] for side in kept]
        usual_kind = [kinds[int(np.argmax(share))] if len(side) else None
                      for share, side in zip(shares, kept, strict=True)]  # fmt: skip
        return {"kinds": kinds, "then": shares[0], "now": shares[1], "usual": usual_kind, "values": len(kept[1])}
    sides = [_column(reference.sample if reference else None, name), now.numbers[name]]
    kept = [side[np.isfinite(side)] for side in sides]
    whole = np.concatenate(kept)
    if not len(whole):
        return {"low": None, "high": None, "then": [], "now": [], "usual": [None, None], "values": 0}
    low, high = (float(value) for value in np.quantile(whole, [0.005, 0.995]))
    high = high if high > low else low + (abs(low) or 1.0)
    shares = [_binned(side, low, high) for side in kept]
    middle = [float(np.median(side)) if len(side) else None for side in kept]
    return {"low": low, "high": high, "then": shares[0], "now": shares[1], "usual": middle, "values": len(kept[1])}


def _binned(values: NDArray[np.float64], low: float, high: float) -> list[float]:
    """Shares in bins from low to high; what lies beyond is in the outer ones."""
    counts = np.histogram(values.clip(low, high), bins=_BINS, range=(low, high))[0]
    shares: list[float] = (counts / max(1, len(values))).round(5).tolist()
    return shares


def _column(sample: Sample | None, name: str) -> NDArray:
    if sample is None:
        return np.array([], np.str_ if name in NAMES else np.float64)
    return sample.names[name] if name in sample.names else sample.numbers.get(name, np.array([], np.float64))


def _alerts(features: FeatureStore, deliveries: DeliveryStore) -> list[dict[str, Any]]:
    checks = features.checks(_ALERTS, alerts_only=True)
    sent = deliveries.of([check.id for check in checks])
    return [
        {
            "created": check.created.isoformat(),
            "kind": check.alert,
            "text": check.text,
            "end": check.report.end.isoformat(),
            "hours": (check.report.end - check.report.start).total_seconds() / 3600,
            "sent": [
                {"to": one.target, "state": one.state, "attempts": one.attempts, "error": one.error}
                for one in sent.get(check.id, [])
            ],
        }
        for check in checks
    ]


def _traffic(
    rows: Sequence[RecordedReading], feedback: Database, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Readings, milliseconds and corrections in equal parts of the window, the oldest first."""
    step = (end - start) / _BINS
    parts: list[list[float]] = [[] for _ in range(_BINS)]
    for row in rows:
        parts[min(_BINS - 1, int((row.features.created - start) / step))].append(row.features.milliseconds)
    corrections = [0] * _BINS
    inside = (CorrectionRow.created >= start) & (CorrectionRow.created <= end)
    with feedback.transaction() as session:
        for made in session.scalars(select(CorrectionRow.created).where(inside)):
            corrections[min(_BINS - 1, int((made - start) / step))] += 1
    return [
        {"start": (start + k * step).isoformat(), "readings": len(part), "corrections": corrections[k], **_times(part)}
        for k, part in enumerate(parts)
    ]


def _times(milliseconds: Sequence[float]) -> dict[str, float | None]:
    known = [value for value in milliseconds if np.isfinite(value)]
    middle, slow = np.quantile(known, [0.5, 0.95]).tolist() if known else (None, None)
    return {"median": middle, "slow": slow}


def _readings(rows: Sequence[RecordedReading], feedback: Database, owner: str | None) -> list[dict[str, Any]]:
    """The latest readings, newest first; `id` only of those that were kept with consent, and for this key."""
    latest = list(rows[: -_READINGS - 1 : -1])
    allowed = ReadingRow.id.in_({row.document for row in latest}) & ReadingRow.consent.is_(True)
    if owner is not None:
        allowed &= ReadingRow.owner == owner
    with feedback.transaction() as session:
        kept = set(session.scalars(select(ReadingRow.id).where(allowed))) if latest else set()
    return [
        {
            "created": row.features.created.isoformat(),
            "id": row.document if row.document in kept else None,
            "page": row.page,
            "unit": row.features.unit,
            "models": dict(row.features.models),
            "features": row.features.values(),
        }
        for row in latest
    ]
