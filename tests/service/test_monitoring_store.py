"""Features and checks in real databases, the command line on them, and what becomes of a locked one."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
import uuid
from datetime import timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from text_recognizer.cli.main import app
from text_recognizer.recognition.bundle import SHIPPED
from text_recognizer.service.feedback import FeedbackStore, FeedbackUnavailable
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.monitoring.alerts import AlertState
from text_recognizer.service.monitoring.checking import check, check_in_turn, remember
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
    turns = [features.take_turn("drift", hour, now + minutes * timedelta(minutes=1)) for minutes in (0, 30, 61, 62, 5)]
    assert turns == [True, False, True, False, True]  # the last after the clock was put back
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

    settings = Settings(drift_reference=str(SHIPPED / "lines" / "reference.json"), drift_cool_down_hours=0)
    assert check_in_turn(store, settings).kind == "goes on"  # as the server does it, after what was remembered above
    assert check_in_turn(store, settings) is None  # it has been done a moment ago
    store.close()


def test_a_database_that_is_locked_loses_features_and_nothing_else(tmp_path):
    from text_recognizer.service import metrics

    url = f"sqlite:///{tmp_path}/feedback.db?timeout=0.05"
    store = FeatureStore(url)
    (kept,) = like_the_reference(1)
    store.add([kept])
    lost = metrics.FEATURES_LOST.labels("store")
    before = lost._value.get()
    recorder = FeatureRecorder(store)
    with sqlite3.connect(tmp_path / "feedback.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        start = time.perf_counter()
        for row in like_the_reference(5):
            recorder.record(row.document, row.page, row.features)
        assert time.perf_counter() - start < 1
        deadline = time.monotonic() + 20
        while lost._value.get() < before + 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        other.execute("ROLLBACK")
    assert lost._value.get() == before + 5
    recorder.record("later", 0, like_the_reference(1)[0].features)
    recorder.close()
    assert [row.document for row in store.first(10)] == [kept.document, "later"]
    newer = sqlite3.connect(tmp_path / "feedback.db")
    newer.execute("UPDATE monitoring_schema SET version = 99")
    newer.commit()
    with pytest.raises(FeedbackUnavailable, match="tables of version 99"):
        FeatureStore(url).first(1)
