"""The page /monitor in a real browser: a drift is seen, heard and followed to its readings."""

from __future__ import annotations

import base64
import dataclasses
import io
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import SAMPLES
from tests.service.monitoring.test_alerts import Receiver, address
from tests.service.monitoring.test_monitoring_store import DAY, like_the_reference
from tests.service.running import RunningServer
from tests.service.web.actions import eventually
from text_recognizer.cli.main import app
from text_recognizer.labeling.agreement import edits
from text_recognizer.recognition.bundle import SHIPPED
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.keys import new_key
from text_recognizer.service.monitoring.check import check, remember
from text_recognizer.service.monitoring.reference import load_reference
from text_recognizer.service.monitoring.store import FeatureStore

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

ALIKE = {"exclude": [["#readings tbody tr:nth-child(n+4)"], ["#features .card:nth-child(n+5):not(:last-child)"]]}


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A server with keys, a page that was kept with consent and corrected, and readings that drifted; and Ada's key."""
    home = tmp_path_factory.mktemp("monitor")
    key, entry = new_key("ada")
    other, entry2 = new_key("ben")
    store = FeatureStore(f"sqlite:///{home}/feedback.db")
    store.add(like_the_reference(80, brightness=0.5, sharpness=0.4))
    before = like_the_reference(60)
    store.add([dataclasses.replace(r, features=dataclasses.replace(r.features, created=r.features.created - 2 * DAY))
               for r in before])  # fmt: skip
    usual = load_reference(SHIPPED / "lines" / "reference.json")
    assert remember(store, check(store, usual, DAY)).kind == "began"
    store.close()
    settings = {"API_KEYS": f"{entry},{entry2}", "DRIFT_MINUTES": 0}
    with Receiver() as hook, RunningServer(home, ALERT_URLS=address(hook.port), **settings) as server:
        picture = io.BytesIO()
        with Image.open(SAMPLES / "letter.jpg") as letter:
            letter.crop((80, 60, 720, 320)).save(picture, "PNG")
        sent = {"image": base64.b64encode(picture.getvalue()).decode(), "store": True, "consent": True}
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{server.url}/v1/predict", json=sent, headers=headers, timeout=60).json()
        lines = answer["page"]["lines"]
        corrections = [{"line": 0, "text": "Quite another text"}, {"line": 1, "text": lines[1]["text"]}]
        body = {"id": answer["id"], "corrections": corrections}
        assert httpx.post(f"{server.url}/v1/feedback", json=body, headers=headers).status_code == 200
        eventually(lambda: hook.bodies)  # the server told of the drift by itself
        assert hook.bodies[0]["title"].startswith("Text Recognizer: drift began (")
        yield server, key, other, lines


def asked(server, key, **query):
    return httpx.get(f"{server.url}/v1/monitor", params=query, headers={"X-API-Key": key}, timeout=30)


def test_what_a_window_says(watched, monkeypatch):
    server, key, other, lines = watched
    assert httpx.get(f"{server.url}/v1/monitor").status_code == 401
    assert asked(server, key, hours=0).status_code == 422
    assert asked(server, key, end="0001-01-01T00:00:00").status_code == 422
    eventually(lambda: asked(server, key).json()["recorded"] == 81)
    found = asked(server, key).json()
    assert found["report"]["drift"] is True
    first = found["features"][0]
    assert first["drifted"]
    assert sum(first["then"]) == pytest.approx(1, abs=0.01)
    assert sum(first["now"]) == pytest.approx(1, abs=0.01)
    assert [part["readings"] for part in found["traffic"]].count(0) < 3
    assert sum(part["corrections"] for part in found["traffic"]) == 2

    wrong = edits(lines[0]["text"], "Quite another text")
    total = len("Quite another text") + len(lines[1]["text"])
    expected = found["expected"]
    assert (expected["lines"], expected["corrected_characters"]) == (2, total)
    assert expected["real"] == pytest.approx(wrong / total)
    assert 0 < expected["expected"] < 1
    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", server.environment["TEXT_RECOGNIZER_HOME"])
    told = CliRunner().invoke(app, ["monitor", "check"]).output
    assert f"of 2 corrected or confirmed lines ({total} characters)" in told
    assert f"{wrong / total:.1%} real" in told

    assert [reading["id"] is not None for reading in found["readings"][:2]] == [True, False]
    assert asked(server, other).json()["readings"][0]["id"] is None  # of another key
    calm = asked(server, key, end=(utc_now() - timedelta(days=2)).isoformat()).json()
    assert (calm["recorded"] > 50, calm["report"]["drift"]) == (True, False)
    own = Path(server.environment["TEXT_RECOGNIZER_HOME"]) / "reference.json"
    own.write_text('{"format_version": 1, "features_ver', encoding="utf-8")  # cut off: the rest is shown all the same
    found = asked(server, key).json()
    own.unlink()
    assert "reference.json cannot be used" in found["problem"]
    assert (found["report"], found["recorded"], len(found["features"])) == (None, 81, 25)
    empty = asked(server, key, end="2001-01-01T00:00:00").json()
    assert (empty["recorded"], empty["report"]["drift"], empty["expected"]["doubt"]) == (0, None, None)


def test_the_page_shows_it_to_everybody(watched, browser):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    server, key, _, lines = watched
    tab = browser.new_page(viewport={"width": 1280, "height": 860})
    tab.set_default_timeout(60_000)
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.emulate_media(reduced_motion="reduce")
    tab.goto(f"{server.url}/monitor")
    for given in ("wrong", key):
        tab.wait_for_selector("#key-dialog[open]")
        tab.fill("#key", given)
        tab.keyboard.press("Enter")
    tab.wait_for_selector("body[data-ready]")
    assert tab.inner_text("#verdict-title").startswith("Drift: ")
    assert tab.locator("#features .card").count() == 25
    assert "usually" in tab.locator("#features svg").first.get_attribute("aria-label")
    assert "Drift began" in tab.inner_text("#alert-list")
    assert tab.inner_text("#alert-list .badge") == "sent"
    assert "character error rate, real" in tab.inner_text("#expected")
    for scheme, width in (("light", 1280), ("dark", 390)):
        tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        tab.set_viewport_size({"width": width, "height": 860})
        found = axe.run(tab, context=ALIKE, options=RULES).response["violations"]
        assert [(v["id"], [node["target"] for node in v["nodes"]][:3]) for v in found] == [], scheme
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.locator("#readings button").first.click()
    tab.wait_for_selector("#reading-dialog[open]")
    assert lines[1]["text"] in tab.inner_text("#reading-text")
    tab.keyboard.press("Escape")
    tab.locator("#alert-list button").first.click()
    eventually(lambda: tab.inner_text("#verdict-text").startswith("80 pages recorded"))
    tab.select_option("#hours", "1")
    eventually(lambda: not tab.inner_text("#verdict-text").startswith("80 pages"))
    tab.close()
    assert errors == []
