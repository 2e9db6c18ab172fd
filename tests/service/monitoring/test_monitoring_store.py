"""Features and checks in real databases, the command line on them, and what becomes of a locked one."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from prometheus_client import Counter, Gauge
from typer.testing import CliRunner

from text_recognizer.cli.main import app
from text_recognizer.recognition.bundle import SHIPPED
from text_recognizer.service.feedback import FeedbackStore
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.monitoring import recorder as recording
from text_recognizer.service.monitoring.alerts import AlertState
from text_recognizer.service.monitoring.check import check, check_in_turn, remember
from text_recognizer.service.monitoring.features import ReadingFeatures, RecordedReading
from text_recognizer.service.monitoring.recorder import FeatureRecorder
from text_recognizer.service.monitoring.reference import load_reference
from text_recognizer.service.monitoring.store import FeatureStore
from text_recognizer.service.settings import Settings

DAY = timedelta(hours=24)


def like_the_reference(count: int, **changes: float) -> list[RecordedReading]:
    """Readings of the last day that look like those of the shipped reference; changes: factors on some features."""
    usual, now = load_reference(SHIPPED / "lines" / "reference.json"), utc_now()
    rng, rows = np.random.default_rng(3), []
    for k, row in enumerate(rng.integers(0, len(usual.sample), count)):
        numbers = {name: float(column[row]) * changes.get(name, 1.0) for name, column in usual.sample.numbers.items()}
        numbers = {name: value * float(rng.normal(1, 0.01)) for name, value in numbers.items()}
        names = {name: str(column[row]) for name, column in usual.sample.names.items()}
        created = now - DAY * (k + 0.5) / count
        rows.append(RecordedReading(uuid.uuid4().hex, 0, ReadingFeatures(created, usual.models, **numbers, **names)))
    return rows


def value(metric: Counter | Gauge) -> float:
    (sample,) = [s for s in metric.collect()[0].samples if not s.name.endswith("_created")]
    return sample.value


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def features(database_url):
    store = FeatureStore(database_url)
    yield store
    store.close()


def test_features_and_checks_come_back_as_they_were_stored(features, database_url, images):
    feedback = FeedbackStore(database_url, str(images))
    feedback.ping()  # its tables are there already, in a database of before
    rows = like_the_reference(60)
    rows[0] = dataclasses.replace(rows[0], features=dataclasses.replace(rows[0].features, slant=float("nan"), tones=""))
    features.add(rows)
    now = utc_now()
    found = features.window(now - DAY, now)
    assert [(r.document, r.features.values()) for r in found] == [(r.document, r.features.values()) for r in rows[::-1]]
    assert found[-1].features.created == rows[0].features.created
    assert len(features.first(10)) == 10
    assert features.after(now) == 0

    report = check(features, load_reference(SHIPPED / "lines" / "reference.json"), DAY, now=now)
    assert report.drift is False
    assert features.state() == AlertState()
    moved = dataclasses.replace(report, drift=True, together=True, area=0.9)
    assert remember(features, moved, now=now).kind == "began"
    assert remember(features, moved, now=now + timedelta(hours=1)) is None
    assert features.state().drifting
    newest, first = features.checks()
    assert (newest.report, newest.alert, first.alert) == (moved, None, "began")
    assert [stored.id for stored in features.checks(alerts_only=True)] == [first.id]

    hour = timedelta(hours=1)
    asked = [now + minutes * timedelta(minutes=1) for minutes in (0, 30, 61, 60.9, 62, -5)]
    turns = [features.take_turn("drift", hour, moment) for moment in asked]
    # The fourth looked at its clock just before the third, the last after the clock was put back.
    assert turns == [True, False, True, False, False, True]
    assert features.purge(0, now + timedelta(days=1)) == 62
    assert feedback.statistics().readings == 0
    feedback.close()


def test_the_command_line_says_drift_with_its_exit_code(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", str(tmp_path))
    run = CliRunner().invoke
    missing = run(app, ["monitor", "check"])
    assert missing.exit_code == 2
    assert "there is no database at" in missing.output
    store = FeatureStore(f"sqlite:///{tmp_path}/feedback.db")
    store.add(like_the_reference(3, brightness=0.5))
    few = run(app, ["monitor", "check"])
    assert few.exit_code == 0
    assert "not enough readings: 3, and 50 are needed" in few.output
    store.add(like_the_reference(80))
    calm = run(app, ["monitor", "check", "--window", "2d", "--json"])
    assert calm.exit_code == 0, calm.output
    assert json.loads(calm.stdout)["drift"] is False
    store.add(like_the_reference(80, brightness=0.5, sharpness=0.4))
    moved = run(app, ["monitor", "check", "--remember"])
    assert moved.exit_code == 3
    assert "drift: brightness" in moved.output or "drift: sharpness" in moved.output
    assert "alert (began)" in moved.output
    assert run(app, ["monitor", "check", "--window", "soon"]).exit_code == 2
    made = run(app, ["monitor", "reference", "lines", "--readings", "100"])
    assert made.exit_code == 0, made.output
    assert load_reference(tmp_path / "reference.json").readings == 100
    alien = run(app, ["monitor", "reference", "open"])
    assert alien.exit_code == 2
    assert "the store has no readings of pages by open" in alien.output

    few = run(app, ["monitor", "reference", "lines", "--unit", "line"])
    assert few.exit_code == 2
    assert "the store has no readings of lines by lines" in few.output
    crops = [
        dataclasses.replace(r, features=dataclasses.replace(r.features, unit="line")) for r in like_the_reference(60)
    ]
    store.add(crops)
    made = run(app, ["monitor", "reference", "lines", "--unit", "line", "--output", str(tmp_path / "crops.json")])
    assert made.exit_code == 0, made.output
    assert load_reference(tmp_path / "crops.json").unit == "line"
    calm = run(app, ["monitor", "check", "--reference", str(tmp_path / "crops.json"), "--json"])
    assert (json.loads(calm.stdout)["drift"], json.loads(calm.stdout)["readings"]) == (False, 60)

    settings = Settings(drift_reference=str(SHIPPED / "lines" / "reference.json"), drift_cool_down_hours=0)
    assert check_in_turn(store, settings).kind == "goes on"  # as the server does it, after what was remembered above
    assert check_in_turn(store, settings) is None  # it has been done a moment ago
    store.close()


def test_features_wait_while_the_database_is_locked(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(recording, "_AGAIN", 0.05)
    store = FeatureStore(f"sqlite:///{tmp_path}/feedback.db?timeout=0.05")
    (kept,) = like_the_reference(1)
    store.add([kept])
    rows, before = like_the_reference(5), value(metrics.FEATURES_LOST.labels("store"))
    recorder = FeatureRecorder(store)
    with sqlite3.connect(tmp_path / "feedback.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        for row in rows:
            recorder.record(row.document, row.page, row.features)
        wait_until(lambda: "wait for the database" in caplog.text)
        assert value(metrics.FEATURES_WAITING) == 5
        other.execute("ROLLBACK")
    wait_until(lambda: value(metrics.FEATURES_WAITING) == 0)
    assert sorted(row.document for row in store.first(10)) == sorted(row.document for row in [kept, *rows])
    assert value(metrics.FEATURES_LOST.labels("store")) == before

    # At its end there is nobody left to wait: what is lost is counted.
    with sqlite3.connect(tmp_path / "feedback.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        for row in rows:
            recorder.record(row.document, row.page, row.features)
        recorder.close()
        other.execute("ROLLBACK")
    assert value(metrics.FEATURES_LOST.labels("store")) == before + 5
    assert value(metrics.FEATURES_WAITING) == 0
    assert caplog.text.count("wait for the database") == 2
