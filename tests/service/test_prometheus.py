"""The rules and the dashboard on a real Prometheus that scraped the real server."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time

import httpx
import pytest
import yaml
from conftest import ROOT, SAMPLES

from service.running import RunningServer, free_port
from service.test_deploy import DEPLOY, METRIC, dashboard_queries, exposed_names
from service.test_monitoring_store import like_the_reference
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


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """The address of a Prometheus with our rules that asks, every second, a server which reads pages that drifted."""
    if not shutil.which("prometheus"):
        pytest.skip("no Prometheus on this machine: install Debian's package prometheus")
    home = tmp_path_factory.mktemp("prometheus")
    store = FeatureStore(f"sqlite:///{home}/feedback.db")
    store.add(like_the_reference(80, brightness=0.5))
    store.close()
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    port = free_port()
    with RunningServer(home, DRIFT_MINUTES=0.05) as server:  # checks every three seconds
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
            body = {"image": base64.b64encode((SAMPLES / "letter.jpg").read_bytes()).decode(), "store": True}
            end = time.monotonic() + 25
            while time.monotonic() < end:  # traffic, of which there must be several scrapes
                found = httpx.post(f"{server.url}/v1/predict", json=body, timeout=60).json()
                corrections = [{"line": 0, "text": found["page"]["lines"][0]["text"]}]
                httpx.post(f"{server.url}/v1/feedback", json={"id": found["id"], "corrections": corrections})
                httpx.get(f"{server.url}/v1/readings/nothing")
                time.sleep(1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def answer(prometheus: str, path: str, **query: str) -> dict:
    found = httpx.get(f"{prometheus}/api/v1/{path}", params=query, timeout=30).json()
    assert found["status"] == "success", (query, found)
    return found["data"]


@pytest.mark.slow
def test_every_query_of_the_dashboard_has_an_answer(prometheus):
    # What has nothing to count: no features were lost, no alert failed.
    nothing = ("features_lost", 'state!="sent"')
    for title, expression in dashboard_queries():
        query = expression.replace("$__rate_interval", "15s")
        result = answer(prometheus, "query", query=query)["result"]
        assert result or any(part in query for part in nothing), title
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
    assert states["TextRecognizerDown"] == states["TextRecognizerErrors"] == "inactive"
