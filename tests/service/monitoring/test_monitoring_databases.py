"""Deliveries, comparisons and turns: the same on SQLite and PostgreSQL, for several processes, away, and full."""

from __future__ import annotations

import base64
import json
import resource
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import cv2
import httpx
import numpy as np
import pytest

from tests.conftest import SAMPLES
from tests.service.feedback.test_feedback import execute
from tests.service.monitoring.test_alerts import Receiver, address, deliveries, drift
from tests.service.monitoring.test_monitoring_store import like_the_reference, wait_until
from tests.service.reading.test_rollout import variant
from tests.service.running import RunningServer
from text_recognizer.service.feedback import FeedbackUnavailable
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.monitoring import recorder as recording
from text_recognizer.service.monitoring.alerts import DeliveryStore
from text_recognizer.service.monitoring.check import check_in_turn, remember
from text_recognizer.service.monitoring.recorder import FeatureRecorder
from text_recognizer.service.monitoring.sending import AlertSender, Targets
from text_recognizer.service.monitoring.store import FeatureStore
from text_recognizer.service.reading.comparisons import Comparison, ComparisonStore
from text_recognizer.service.settings import Settings

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def on_their_way(database_url):
    store = DeliveryStore(database_url)
    yield store
    store.close()


def test_each_alert_goes_to_each_receiver_once(on_their_way, database_url):
    now = utc_now()
    for _ in range(2):
        on_their_way.plan([1, 2], ["mail", "hook"], now)
    on_their_way.plan([], ["mail"], now)
    on_their_way.plan([3], [], now)
    waiting = on_their_way.due(now)
    assert sorted((d.check, d.target, d.state, d.attempts) for d in waiting) == [
        (check, target, "waiting", 0) for check in (1, 2) for target in ("hook", "mail")
    ]
    other = DeliveryStore(database_url)
    claims = [store.claim(waiting[0], now + HOUR) for store in (on_their_way, other, on_their_way)]
    assert claims == [True, False, False]
    other.close()
    assert len(on_their_way.due(now)) == 3, "whoever has it sends it"
    on_their_way.settle(waiting[0], "sent", None, now, now)
    assert on_their_way.claim(waiting[1], now + HOUR)
    assert waiting[1].id in {d.id for d in on_their_way.due(now + 2 * HOUR)}, "who had it has gone"
    assert waiting[1].id in {d.id for d in on_their_way.due(now - DAY)}, "the clock was put back by a day"
    (sent, _), _ = on_their_way.of([1, 2]).values()
    assert (sent.state, sent.attempts, sent.changed) == ("sent", 1, now)
    assert on_their_way.purge(1, now + 2 * DAY) == 4
    assert on_their_way.of([1, 2]) == {}


def test_comparisons_come_back_until_they_are_old(database_url):
    store, now = ComparisonStore(database_url), utc_now()
    new = Comparison(now, "d" * 32, "lines 1 (aa)", "lines 2 (bb)", 3, 2, 90, 4, 0.9, 0.875, 12.5, 25.0)
    old = replace(new, created=now - 3 * DAY, edits=0)
    for comparison in (old, new):
        store.add(comparison)
    assert list(store.since(now - 9 * DAY)) == [old, new]
    assert list(store.since(now - DAY)) == [new]
    assert new.rate == 4 / 90
    assert store.purge(2) == 1
    assert list(store.since(now - 9 * DAY)) == [new]
    store.close()


@pytest.mark.parametrize(
    ("kind", "table", "ask"),
    [
        (FeatureStore, "monitoring_schema", lambda store: store.first(1)),
        (DeliveryStore, "alert_schema", lambda store: store.due(utc_now())),
        (ComparisonStore, "comparison_schema", lambda store: store.since(utc_now())),
    ],
)
def test_tables_of_a_newer_program_are_refused(database_url, kind, table, ask):
    store = kind(database_url)
    ask(store)
    store.close()
    execute(database_url, f"UPDATE {table} SET version = 99")
    with pytest.raises(FeedbackUnavailable, match="version 99, this program knows version 1"):
        ask(kind(database_url))


WORKER = """
import json, sys, threading
from datetime import timedelta
from tests.service.monitoring.test_alerts import drift
from tests.service.monitoring.test_monitoring_store import like_the_reference
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.reading.comparisons import Comparison, ComparisonStore
from text_recognizer.service.monitoring.alerts import DeliveryStore
from text_recognizer.service.monitoring.store import FeatureStore

url, hour = sys.argv[1], timedelta(hours=1)
features, deliveries, comparisons = FeatureStore(url), DeliveryStore(url), ComparisonStore(url)
turns, claimed, now = [], [], utc_now()

def work():
    turns.append(features.take_turn("drift", hour, now))
    features.add(like_the_reference(5))
    comparisons.add(Comparison(now, "d", "a", "b", 1, 1, 1, 0, 1.0, 1.0, 1.0, 1.0))
    deliveries.plan(range(5), ["mail", "hook"], now)
    claimed.extend(d.id for d in deliveries.due(now) if deliveries.claim(d, now + hour))

print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([turns, claimed]))
"""


def test_processes_and_threads_begin_together_on_an_empty_database(database_url):
    command, pipes = [sys.executable, "-c", WORKER, database_url], {"stdin": -1, "stdout": -1, "stderr": -1}
    workers = [subprocess.Popen(command, cwd=SAMPLES.parent, text=True, **pipes) for _ in range(2)]
    for worker in workers:
        assert worker.stdout.readline() == "ready\n", worker.stderr.read()
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    turns, claimed = [], []
    for worker in workers:
        output, errors = worker.communicate(timeout=60)
        assert (worker.returncode, errors) == (0, "")
        taken, ids = json.loads(output)
        turns, claimed = turns + taken, claimed + ids
    assert sorted(turns) == [False] * 5 + [True], "one checks for drift"
    assert len(claimed) == len(set(claimed)) == 10, "each alert is sent once to each receiver"
    features, comparisons = FeatureStore(database_url), ComparisonStore(database_url)
    assert len(features.first(100)) == 2 * 3 * 5
    assert len(comparisons.since(utc_now() - DAY)) == 2 * 3
    features.close()
    comparisons.close()


def test_a_database_that_is_away_for_a_while_loses_nothing(postgres_server, monkeypatch):
    monkeypatch.setattr(recording, "_AGAIN", 0.1)
    url = postgres_server.new_database()
    store, comparisons = FeatureStore(url), ComparisonStore(url)
    recorder = FeatureRecorder(FeatureStore(url))
    remember(store, drift(True))
    store.add(like_the_reference(80, brightness=0.5))
    settings = Settings(drift_cool_down_hours=0)
    with Receiver() as hook:
        sender = AlertSender(url, Targets([address(hook.port)]))
        postgres_server.stop()
        try:
            for row in like_the_reference(5):
                recorder.record(row.document, row.page, row.features)
            for ask in (sender.send_due, lambda: check_in_turn(store, settings), lambda: comparisons.since(utc_now())):
                with pytest.raises(FeedbackUnavailable):
                    ask()
        finally:
            postgres_server.start()
        assert check_in_turn(store, settings).kind in ("goes on", "changed")
        sender.send_due()
        sender.close()
        assert len(hook.bodies) == 2
    recorder.close()
    assert len(store.first(100)) == 85
    for opened in (store, comparisons):
        opened.close()


def small_line() -> dict:
    """The body of a request to read a line."""
    image = np.full((90, 260), 255, np.uint8)
    cv2.putText(image, "The fox", (20, 60), cv2.FONT_HERSHEY_SCRIPT_COMPLEX, 1.6, 0, 2, cv2.LINE_AA)
    return {"image": base64.b64encode(cv2.imencode(".png", image)[1].tobytes()).decode(), "unit": "line"}


def shown(server: RunningServer, name: str) -> float:
    rows = httpx.get(f"{server.url}/metrics", timeout=30).text.splitlines()
    return sum(float(row.rpartition(" ")[2]) for row in rows if row.startswith(name))


def test_a_full_disk_costs_no_answer_and_no_alert(tmp_path):
    """A server whose files may grow no further, until there is room again."""
    store = FeatureStore(f"sqlite:///{tmp_path}/feedback.db")
    settings = {"MODEL": "line-windows", "LANGUAGE": "none", "DRIFT_MINUTES": 0.02}
    settings["DRIFT_REFERENCE"] = SAMPLES.parent / "text_recognizer" / "bundles" / "lines" / "reference.json"
    with Receiver() as hook, RunningServer(tmp_path, ALERT_URLS=address(hook.port), **settings) as server:
        no_limit = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1024, no_limit[1]))
        body = small_line()
        failed = shown(server, 'text_recognizer_drift_checks_total{verdict="failed"}')
        for keep in (False, True, True):
            answer = httpx.post(f"{server.url}/v1/predict", json=body | {"store": keep}, timeout=60)
            assert (answer.status_code, answer.json()["stored"]) == (200, False)
        store.add(like_the_reference(80, brightness=0.5, sharpness=0.4))  # this process may
        wait_until(lambda: shown(server, "text_recognizer_features_waiting") >= 3)
        wait_until(lambda: shown(server, 'text_recognizer_drift_checks_total{verdict="failed"}') > failed)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, no_limit)
        wait_until(lambda: shown(server, "text_recognizer_features_waiting") == 0)
        assert shown(server, "text_recognizer_features_lost_total") == 0
        wait_until(lambda: bool(hook.bodies))
        assert server.stop() == 0
    assert [body["title"].partition("(")[0] for body in hook.bodies] == ["Text Recognizer: drift began "]
    assert len(store.first(100)) == 83
    store.close()


@pytest.mark.slow
def test_workers_share_a_postgresql_and_tell_of_a_drift_once(postgres_server, tmp_path):
    url = postgres_server.new_database()
    store, comparisons = FeatureStore(url), ComparisonStore(url)
    store.add(like_the_reference(80, brightness=0.5, sharpness=0.4))
    settings = {"WORKERS": 2, "FEEDBACK_DATABASE": url, "DRIFT_MINUTES": 0.05, "LANGUAGE": "none"}
    settings |= {"CANDIDATE": variant(tmp_path / "candidate", "93"), "SHADOW_SHARE": 1}
    body = small_line()
    with Receiver() as hook, RunningServer(tmp_path, ALERT_URLS=address(hook.port), **settings) as server:
        for _ in range(12):  # a connection each: any worker may take it
            answer = httpx.post(f"{server.url}/v1/predict", json=body, timeout=60)
            assert answer.status_code == 200
        wait_until(lambda: len(store.first(200)) == 92, 60)
        wait_until(lambda: shown(server, "text_recognizer_shadow_pages_total") == 12, 60)
        compared = shown(server, 'text_recognizer_shadow_pages_total{outcome="compared"}')
        wait_until(lambda: bool(hook.bodies), 60)
        wait_until(lambda: shown(server, "text_recognizer_drift_checks_total") >= 3, 60)
        assert shown(server, 'text_recognizer_drift_checks_total{verdict="failed"}') == 0
        assert shown(server, "text_recognizer_features_stored_total") == 12
        found = httpx.get(f"{server.url}/v1/monitor", timeout=30).json()
        assert [alert["kind"] for alert in found["alerts"]] == ["began"]
        assert [one["state"] for one in found["alerts"][0]["sent"]] == ["sent"]
        assert server.stop() == 0
    assert len(hook.bodies) == 1
    assert deliveries(url) == [("sent", 1, None)]
    assert len(comparisons.since(utc_now() - HOUR)) == compared
    for opened in (store, comparisons):
        opened.close()
