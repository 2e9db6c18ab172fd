"""The rules and the dashboard on a real Prometheus that scraped the real server."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import time

import httpx
import pytest
import yaml
from PIL import Image

from tests.conftest import ROOT, SAMPLES
from tests.service.monitoring.test_monitoring_databases import shown
from tests.service.monitoring.test_monitoring_store import like_the_reference
from tests.service.monitoring.test_rules_fire import fires
from tests.service.reading.test_rollout import WHY, variant
from tests.service.running import RunningServer, free_port
from tests.service.test_deploy import DEPLOY, METRIC, dashboard_queries, exposed_names
from text_recognizer.recognition.bundle import SHIPPED
from text_recognizer.recognition.promotion import register
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.monitoring.store import FeatureStore

RULES = DEPLOY / "prometheus" / "rules.yml"


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def test_every_metric_of_the_rules_exists():
    for rule in rules():
        names = METRIC.findall(re.sub(r'"[^"]*"', "", rule["expr"]))
        assert names or rule["expr"].startswith("up{"), rule["alert"]
        assert set(names) <= exposed_names(), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


@pytest.mark.parametrize(
    ("alert", "series", "fired"),
    [
        ("TextRecognizerModelFailed", {'text_recognizer_model_failed{part="model"}': "0x3 1x3"}, True),
        ("TextRecognizerModelFailed", {'text_recognizer_model_failed{part="model"}': "0x6"}, False),
        ("TextRecognizerCandidateFails", {'text_recognizer_canary_pages_total{model="failed"}': "0x5 1"}, True),
        ("TextRecognizerCandidateFails", {'text_recognizer_shadow_pages_total{outcome="failed"}': "0x5 1"}, True),
        ("TextRecognizerCandidateFails", {'text_recognizer_shadow_pages_total{outcome="dropped"}': "0+9x6"}, False),
        ("TextRecognizerAlertsNotSent", {'text_recognizer_alerts_total{state="failed"}': "0x5 1"}, True),
        ("TextRecognizerStoreFails", {"text_recognizer_features_waiting": "0x3 7x3"}, True),
        ("TextRecognizerStoreFails", {"text_recognizer_features_waiting": "0 3 0 1 0 2 0"}, False),
    ],
)
def test_one_failure_is_enough_for_an_alert(alert, series, fired, tmp_path):
    """After an hour, in steps of ten minutes."""
    assert fires(tmp_path, alert, series, 60) is fired


def test_what_the_rules_count_begins_at_0():
    shown = metrics.exposition()[0].decode()
    for rule in rules():
        for name, asked in re.findall(r'increase\((\w+)\{\w+=~?"([^"]*)"', rule["expr"]):
            assert all(re.search(rf'^{name}\{{.*="{value}"', shown, re.M) for value in asked.split("|")), rule["alert"]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """The address of a Prometheus with our rules that asks, every second, a server which reads pages that drifted,
    tries a candidate, and cannot load what was promoted."""
    if not shutil.which("prometheus"):
        pytest.skip("no Prometheus on this machine: install Debian's package prometheus")
    home = tmp_path_factory.mktemp("prometheus")
    store = FeatureStore(f"sqlite:///{home}/feedback.db")
    store.add(like_the_reference(80, brightness=0.5))
    store.close()
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    port = free_port()
    candidate = {"CANDIDATE": variant(home / "candidate", "93"), "SHADOW_SHARE": 0.5, "CANARY_SHARE": 0.5}
    following = {"MODEL": "production", "MODEL_SECONDS": 0.5, "DRIFT_REFERENCE": SHIPPED / "lines"}
    with RunningServer(home, DRIFT_MINUTES=0.05, **candidate, **following) as server:  # checks every three seconds
        register(variant(home / "broken", "91", b"no network"), "production", WHY, home / "models")
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(RULES)]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{server.port}"]}]
        config["scrape_configs"][1]["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
        file = home / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={home / 'tsdb'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}"]
        with (home / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            picture = io.BytesIO()
            with Image.open(SAMPLES / "letter.jpg") as letter:
                letter.crop((80, 60, 720, 320)).save(picture, "PNG")
            body = {"image": base64.b64encode(picture.getvalue()).decode(), "store": True}
            begin = time.monotonic()
            while time.monotonic() < begin + 25 or not_yet_read(
                server
            ):  # traffic, of which there must be several scrapes
                assert time.monotonic() < begin + 240
                found = httpx.post(f"{server.url}/v1/predict", json=body, timeout=120).json()
                corrections = [{"line": 0, "text": found["page"]["lines"][0]["text"]}]
                httpx.post(f"{server.url}/v1/feedback", json={"id": found["id"], "corrections": corrections})
                httpx.get(f"{server.url}/v1/readings/nothing")
                time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def not_yet_read(server: RunningServer) -> bool:
    """Whether the candidate has not yet read often enough, as canary and as shadow."""
    parts = 'canary_pages_total{model="candidate"}', 'shadow_pages_total{outcome="compared"}'
    return min(shown(server, f"text_recognizer_{part}") for part in parts) < 3


def answer(prometheus: str, path: str, **query: str) -> dict:
    found = httpx.get(f"{prometheus}/api/v1/{path}", params=query, timeout=30).json()
    assert found["status"] == "success", (query, found)
    return found["data"]


@pytest.mark.slow
def test_every_query_of_the_dashboard_has_an_answer(prometheus):
    for title, expression in dashboard_queries():
        query = expression.replace("$__rate_interval", "60s")
        result = answer(prometheus, "query", query=query)["result"]
        assert result, title
        assert all(series["value"][1] != "NaN" for series in result), title
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "text-recognizer.json").read_text(encoding="utf-8"))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.mark.slow
def test_the_rules_are_sound_and_the_drift_is_noticed(prometheus):
    subprocess.run(["promtool", "check", "rules", RULES], check=True, capture_output=True, cwd=ROOT)
    found = [rule for group in answer(prometheus, "rules")["groups"] for rule in group["rules"]]
    assert {rule["name"]: rule["health"] for rule in found} == {rule["alert"]: "ok" for rule in rules()}
    states = {rule["name"]: rule["state"] for rule in found}
    assert states["TextRecognizerDrift"] == "pending"  # for five minutes, then it fires
    assert states["TextRecognizerModelFailed"] == "pending"
    assert states["TextRecognizerCandidateFails"] == states["TextRecognizerStoreFails"] == "inactive"
    assert states["TextRecognizerDown"] == states["TextRecognizerErrors"] == "inactive"
