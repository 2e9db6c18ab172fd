"""Alerts on their way to a real receiver on this machine: one that is away at first, one that never comes back."""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from tests.service.running import RunningServer, free_port
from text_recognizer.cli.main import app
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.monitoring.alerts import DeliveryStore
from text_recognizer.service.monitoring.check import remember
from text_recognizer.service.monitoring.drift import DriftReport, FeatureDrift
from text_recognizer.service.monitoring.sending import AlertSender, Patience, Targets, monitor_link
from text_recognizer.service.monitoring.store import FeatureStore
from text_recognizer.service.settings import Settings

pytest.importorskip("apprise", reason="apprise is not installed")
SECRET = "s3cr3t-t0ken"
SLANT = FeatureDrift("slant", 3.0, 21.0, 0.8, 1e-9, 2.5, 80, True)


class Receiver:
    """A webhook on this machine that keeps what it gets, and answers with the statuses given, then with 200."""

    def __init__(self, *statuses: int, port: int = 0) -> None:
        self.bodies: list[dict] = []
        outer, left = self, list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = left.pop(0) if left else 200
                if status == 200:
                    outer.bodies.append(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def address(port: int) -> str:
    return f"json://robot:{SECRET}@127.0.0.1:{port}/hook/{SECRET}"


def drift(drifting: bool) -> DriftReport:
    now = utc_now()
    return DriftReport(now - timedelta(hours=24), now, 80, drifting, (SLANT,) if drifting else ())


@pytest.fixture
def features(database_url):
    store = FeatureStore(database_url)
    yield store
    store.close()


def deliveries(url: str):
    store = DeliveryStore(url)
    try:
        found = store.of(range(100))
    finally:
        store.close()
    return [(d.state, d.attempts, d.error) for number in sorted(found) for d in found[number]]


def test_one_alert_for_a_drift_and_one_when_it_ends_each_with_start_features_and_link(features, database_url, caplog):
    caplog.set_level(logging.INFO)
    with Receiver(503, 500) as hook:  # away at first
        link = monitor_link(Settings(public_url="https://read.example.org/"))
        sender = AlertSender(database_url, Targets([address(hook.port)]), link, Patience(60, attempts=4))
        now = utc_now()
        assert remember(features, drift(True), now=now).kind == "began"
        told = []
        for minutes in (0, 0.5, 1.1, 1.2, 3.2, 3.3, 9):  # attempts at 0, 1 and 3 minutes
            told += [error for _, error in sender.send_due(now + timedelta(minutes=minutes))]
        assert told == ["it answered 503", "it answered 500", None]
        assert deliveries(database_url) == [("sent", 3, None)]
        assert [body["title"] for body in hook.bodies] == ["Text Recognizer: drift began (slant)"]
        text = hook.bodies[0]["message"]
        assert f"{now:%Y-%m-%d %H:%M} UTC" in text
        assert "slant (usually 3, now 21)" in text
        assert "https://read.example.org/monitor" in text

        for hours in (1, 2, 3, 4):  # it lasts, then ends
            remember(features, drift(hours == 1), now=now + timedelta(hours=hours))
            sender.send_due(now + timedelta(hours=hours))
        assert [body["title"] for body in hook.bodies][1:] == ["Text Recognizer: drift ended (slant)"]
        assert "is over" in hook.bodies[1]["message"]
        sender.close()
    assert SECRET not in repr([record.__dict__ for record in caplog.records])


def test_a_receiver_that_stays_away_is_recorded_and_another_gets_its_alert(features, database_url):
    with Receiver() as hook:
        away = address(free_port())
        sender = AlertSender(database_url, Targets([away, address(hook.port)]), "", Patience(1, attempts=3))
        now = utc_now()
        remember(features, drift(True), now=now)
        rounds = [len(sender.send_due(now + timedelta(seconds=s))) for s in (0, 0.5, 1.5, 4, 100, 1000)]
        assert rounds == [2, 0, 1, 1, 0, 0]
        sender.close()
        assert len(hook.bodies) == 1
    (state, attempts, error), other = sorted(deliveries(database_url), key=lambda delivery: delivery[0])
    assert (state, attempts, other) == ("failed", 3, ("sent", 1, None))
    assert error.startswith("it cannot be reached")
    assert Patience().wait(20) == timedelta(hours=1)


def test_addresses_that_are_none_are_refused_without_being_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", str(tmp_path))
    run = CliRunner().invoke
    missing = run(app, ["monitor", "alert", "--test"])
    assert (missing.exit_code, "TEXT_RECOGNIZER_ALERT_URLS" in missing.output) == (2, True)
    monkeypatch.setenv("TEXT_RECOGNIZER_ALERT_URLS", f"json://127.0.0.1, nothing://{SECRET}")
    wrong = run(app, ["monitor", "alert", "--test"])
    assert wrong.exit_code == 2
    assert "number 2 of 2" in wrong.output
    assert SECRET not in wrong.output + repr(Settings())
    with Receiver() as hook:
        monkeypatch.setenv("TEXT_RECOGNIZER_ALERT_URLS", f"{address(hook.port)} {address(free_port())}")
        done = run(app, ["monitor", "alert", "--test"])
        assert done.exit_code == 1
        assert done.output.count("sent") == 1
        assert SECRET not in done.output
        assert hook.bodies[0]["title"] == "Text Recognizer: test"
    mails = Settings(alert_urls="mailtos://ada:pw@example.org?to=a@b.example,c@d.example,json://127.0.0.1")
    assert len(Targets(mails.alert_urls).names) == 2


@pytest.mark.slow
def test_the_server_sends_what_waits_and_works_while_the_receiver_is_away(tmp_path):
    url, port = f"sqlite:///{tmp_path}/feedback.db", free_port()
    features = FeatureStore(url)
    remember(features, drift(True))
    features.close()
    settings = {"ALERT_URLS": address(port), "DRIFT_MINUTES": 0}
    with RunningServer(tmp_path, **settings) as server:  # ready, though nobody is there
        end = time.monotonic() + 20
        while (not deliveries(url) or deliveries(url)[0][2] is None) and time.monotonic() < end:
            time.sleep(0.1)
        assert deliveries(url)[0][:2] == ("waiting", 1)
        assert server.stop() == 0
    with Receiver(port=port) as hook:
        store = DeliveryStore(url)
        (waiting,) = next(iter(store.of([1]).values()))
        store.settle(waiting, "waiting", waiting.error, utc_now(), utc_now())  # as if the time had come
        store.close()
        with RunningServer(tmp_path, **settings) as server:  # what waits survives
            while not hook.bodies and time.monotonic() < end + 20:
                time.sleep(0.1)
    assert [body["title"] for body in hook.bodies] == ["Text Recognizer: drift began (slant)"]
    assert f"{server.url}/monitor" in hook.bodies[0]["message"]
    assert SECRET not in server.log.read_text()
