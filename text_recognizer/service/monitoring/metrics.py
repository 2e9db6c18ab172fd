"""What the server counts, for Prometheus. Names follow its conventions: base units, `_total` for counters."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from text_recognizer.service.monitoring.features import FEATURE_BUCKETS, NUMBERS

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS = Counter("text_recognizer_requests", "HTTP requests answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "text_recognizer_request_seconds", "From a request's first byte to the answer's last", ["route"], buckets=_SECONDS
)
PAGES = Counter("text_recognizer_pages", "Pages read", ["unit"])
LINES = Counter("text_recognizer_lines", "Lines read")
PAGE_SECONDS = Histogram("text_recognizer_page_seconds", "Time to read a page once its turn came", buckets=_SECONDS)
CONFIDENCE = Histogram(
    "text_recognizer_confidence", "Confidence of pages", buckets=tuple(k / 20 for k in range(1, 20)) + (1.0,)
)
BATCH_LINES = Histogram(
    "text_recognizer_batch_lines", "Lines in a run of the network", buckets=(1, 2, 4, 8, 12, 16, 32)
)
QUEUE_PAGES = Gauge("text_recognizer_queue_pages", "Pages waiting or being read", multiprocess_mode="livesum")
REFUSED = Counter("text_recognizer_refused", "Requests refused", ["reason"])
CORRECTIONS = Counter("text_recognizer_corrections", "Corrected or confirmed lines kept")
MODEL = Gauge(
    "text_recognizer_model_info", "The models in use", ["detector", "lines", "language"], multiprocess_mode="liveall"
)
MODEL_EXPORTED = Gauge(
    "text_recognizer_model_exported_timestamp_seconds",
    "When the models in use were exported; no number where their bundles do not say",
    ["part"],
    multiprocess_mode="livemin",
)
_SHARES = tuple(k / 20 for k in range(1, 20)) + (1.0,)
MODEL_CHANGES = Counter("text_recognizer_model_changes", "Changes to what was promoted", ["part", "outcome"])
MODEL_FAILED = Gauge(
    "text_recognizer_model_failed", "1 where what was promoted cannot be loaded", ["part"], multiprocess_mode="livemax"
)
SHADOW_PAGES = Counter("text_recognizer_shadow_pages", "Pages that a candidate was to read again", ["outcome"])
SHADOW_RATE = Histogram(
    "text_recognizer_shadow_rate",
    "Character error rate between both readings of a page",
    buckets=(0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0),
)
SHADOW_SECONDS = Histogram(
    "text_recognizer_shadow_seconds", "Time to read the lines of a page", ["model"], buckets=_SECONDS
)
SHADOW_CONFIDENCE = Histogram("text_recognizer_shadow_confidence", "Confidence of pages", ["model"], buckets=_SHARES)
CANARY_PAGES = Counter("text_recognizer_canary_pages", "Pages read while there is a candidate", ["model"])
CANARY_SECONDS = Histogram(
    "text_recognizer_canary_seconds", "Time to read a page once its turn came", ["model"], buckets=_SECONDS
)
CANARY_CONFIDENCE = Histogram("text_recognizer_canary_confidence", "Confidence of pages", ["model"], buckets=_SHARES)
FEATURES = {
    name: Histogram(f"text_recognizer_feature_{name}", f"Of pages read: {NUMBERS[name]}", buckets=buckets)
    for name, buckets in FEATURE_BUCKETS.items()
}
FEATURES_SECONDS = Histogram(
    "text_recognizer_features_seconds", "Time to compute the features of a page", buckets=(0.002, 0.005, *_SECONDS[:6])
)
FEATURES_STORED = Counter("text_recognizer_features_stored", "Pages whose features were stored")
FEATURES_LOST = Counter("text_recognizer_features_lost", "Pages whose features were lost", ["reason"])
FEATURES_WAITING = Gauge(
    "text_recognizer_features_waiting", "Pages whose features wait for the database", multiprocess_mode="livesum"
)
ALERTS = Counter("text_recognizer_alerts", "Attempts to send an alert to a receiver", ["state"])
REVIEW_LINES = Gauge("text_recognizer_review_lines", "Lines that wait to be reviewed", multiprocess_mode="mostrecent")
DRIFT_CHECKS = Counter("text_recognizer_drift_checks", "Checks for drift", ["verdict"])
DRIFT = Gauge("text_recognizer_drift", "1 where the last verdict was drift", multiprocess_mode="mostrecent")
DRIFT_READINGS = Gauge(
    "text_recognizer_drift_readings", "Readings that the last check compared", multiprocess_mode="mostrecent"
)
DRIFT_INDEX = Gauge(
    "text_recognizer_drift_index", "Population stability index", ["feature"], multiprocess_mode="mostrecent"
)

# Prometheus takes a counter that it first sees at 1 for one that has not grown: what rules ask about begins at 0.
for _part in ("model", "candidate"):
    for _outcome in ("done", "failed"):
        MODEL_CHANGES.labels(_part, _outcome)
for _counter, _values in {
    REFUSED: ["503"],
    SHADOW_PAGES: ["compared", "dropped", "failed"],
    CANARY_PAGES: ["present", "candidate", "failed"],
    FEATURES_LOST: ["failed", "queue", "store"],
    ALERTS: ["sent", "retried", "failed"],
    DRIFT_CHECKS: ["none", "no drift", "drift", "failed"],
}.items():
    for _value in _values:
        _counter.labels(_value)


def exposition() -> tuple[bytes, str]:
    """All metrics in Prometheus's text format, of all workers where there are several, and its content type."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        _forget_the_dead(Path(folder))
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(), CONTENT_TYPE_LATEST


def _forget_the_dead(folder: Path) -> None:
    """Gauges tell what is now: those of workers that were killed must not be added to the others'."""
    for file in folder.glob("gauge_live*_*.db"):
        process = file.stem.rpartition("_")[2]
        if process.isdecimal() and not _is_alive(int(process)):
            mark_process_dead(int(process), str(folder))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of somebody else
        return True
    return True
