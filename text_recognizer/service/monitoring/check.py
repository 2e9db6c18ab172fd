"""A check for drift: the readings of a while against the reference, its result stored, and the alert that is due."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from text_recognizer.recognition.promotion import reading_bundle
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.logs import event
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.monitoring.alerts import COOL_DOWN, Alert, due
from text_recognizer.service.monitoring.drift import DriftReport, Limits, compare
from text_recognizer.service.monitoring.reference import Reference, find_reference, load_reference
from text_recognizer.service.monitoring.store import FeatureStore
from text_recognizer.service.settings import Settings

_TURN = "drift"
_FUTURE = "times in the future (has a clock jumped?)"
_log = logging.getLogger("text_recognizer.monitoring")


def check(
    store: FeatureStore,
    reference: Reference,
    window: timedelta,
    limits: Limits | None = None,
    now: datetime | None = None,
) -> DriftReport:
    """Compare what was read in a window until now with the reference; nothing is stored."""
    now = now or utc_now()
    report = compare(reference, store.window(now - window, now), now - window, now, limits, now)
    future = store.after(now + timedelta(minutes=5))
    return replace(report, left_out={**report.left_out, _FUTURE: future}) if future else report


def remember(
    store: FeatureStore, report: DriftReport, cool_down: timedelta = COOL_DOWN, now: datetime | None = None
) -> Alert | None:
    """Store what a check found; returns the alert that is due, if one is."""
    now = now or utc_now()
    state, alert = due(store.state(), report, now, cool_down)
    store.save_check(report, state, alert, now)
    return alert


def usual(settings: Settings) -> Reference:
    """The reference that settings name. Raises what `load_reference` raises."""
    return load_reference(find_reference(settings.drift_reference, reading_bundle(settings.model, "lines")))


def check_in_turn(store: FeatureStore, settings: Settings) -> Alert | None:
    """What the server does now and then: one of its processes checks, counts and remembers; the others have nothing
    to do. Raises what `check` raises; the reference is read anew each time, so that a newer one counts."""
    every = timedelta(minutes=settings.drift_minutes)
    if not store.take_turn(_TURN, every * 0.9, utc_now()):
        return None
    reference = usual(settings)
    limits = Limits(readings=settings.drift_readings, level=settings.drift_level)
    report = check(store, reference, timedelta(hours=settings.drift_hours), limits)
    alert = remember(store, report, timedelta(hours=settings.drift_cool_down_hours))
    count(report)
    event(_log, "drift checked", drift=report.drift, readings=report.readings, features=list(report.drifted))
    if alert:
        _log.warning("%s", alert.text)
    return alert


def count(report: DriftReport) -> None:
    """Tell Prometheus."""
    verdict = {None: "none", False: "no drift", True: "drift"}[report.drift]
    metrics.DRIFT_CHECKS.labels(verdict).inc()
    metrics.DRIFT_READINGS.set(report.readings)
    if report.drift is None:
        return
    metrics.DRIFT.set(float(report.drift))
    for feature in report.features:
        metrics.DRIFT_INDEX.labels(feature.name).set(feature.index)
