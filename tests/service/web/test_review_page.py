"""The page /review in a real browser on the real server: kept readings are reviewed by keyboard, by several people."""

from __future__ import annotations

import csv
import sqlite3

import httpx
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import SAMPLES
from tests.service.running import RunningServer
from tests.service.web.actions import eventually, until
from text_recognizer.cli.main import app
from text_recognizer.service.keys import new_key

(ADA, ADAS), (BEN, BENS), (EVE, EVES) = new_key("ada"), new_key("ben"), new_key("eve")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Two lines of a doubtful page, and some of a photograph unlike the usual pages: name -> file."""
    folder = tmp_path_factory.mktemp("pages")
    for name, box in (("copiste-2", (0, 640, 2000, 1130)), ("notes-photograph", (0, 300, 1240, 900))):
        with Image.open(SAMPLES / f"{name}.jpg") as image:
            image.crop((*box[:2], min(box[2], image.width), min(box[3], image.height))).save(folder / f"{name}.png")
    return {path.stem: path for path in folder.iterdir()}


def read(server, path, key=None, **options):
    headers = {"X-API-Key": key} if key else {}
    fields = {"store": "true", "consent": "true"} | options
    answer = httpx.post(
        f"{server.url}/v1/predict", files={"file": path.read_bytes()}, data=fields, headers=headers, timeout=120
    )
    assert answer.json()["stored"], answer.text
    return answer.json()


def ask(server, path, key=None, **body):
    headers = {"X-API-Key": key} if key else {}
    send = httpx.post if body else httpx.get
    return send(f"{server.url}/v1/queue/{path}", **({"json": body} if body else {}), headers=headers, timeout=60)


@pytest.fixture(scope="module")
def running(tmp_path_factory, pages):
    """A server without keys that has kept both pages with consent, and one of them once more without."""
    home = tmp_path_factory.mktemp("review")
    with RunningServer(home) as server:
        server.readings = {name: read(server, path) for name, path in pages.items()}
        server.secret = read(server, pages["copiste-2"], consent="false")
        yield server


@pytest.fixture
def people(browser):
    """Tabs at /review, each in a browser of its own; none may have an error."""
    contexts, errors = [], []

    def come(server, name="", key="", **look):
        context = browser.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce", **look)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(60_000)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(f"{server.url}/review")
        if key:
            tab.wait_for_selector("#key-dialog[open]")
            tab.fill("#key", key)
            tab.keyboard.press("Enter")
        else:
            tab.wait_for_selector("#name-dialog[open]")
            tab.fill("#name", name)
            tab.keyboard.press("Enter")
        tab.wait_for_selector("body[data-ready]")
        return tab

    yield come
    for context in contexts:
        context.close()
    assert errors == []


def place(tab):
    return tab.inner_text("#where"), tab.input_value("#text")


def shown_reading(running, tab):
    """The reading of the line that a tab shows."""
    text = tab.input_value("#text")
    return next(r for r in running.readings.values() if text in [line["text"] for line in r["page"]["lines"]])


def test_a_page_is_read_reviewed_by_keyboard_and_exported(running, people, tmp_path, monkeypatch):
    ada, ben = people(running, "Ada"), people(running, "Ben")
    for tab in (ada, ben):
        tab.wait_for_selector("#panel:visible")
    assert shown_reading(running, ada)["id"] != shown_reading(running, ben)["id"]
    shown = {tab: tab.inner_text("#why") for tab in (ada, ben)}
    assert all(reasons.startswith("confidence ") and "least sure of" in reasons for reasons in shown.values())
    assert sum("unlike the usual pages: " in reasons for reasons in shown.values()) == 1
    assert ada.locator("#command-box").count() == ada.locator("#order option[value=disputed]").count() == 0
    until(ada, "document.querySelector('#strip').naturalWidth > 20")
    until(ada, "document.querySelectorAll('#viewer svg .line').length > 1")
    reading = shown_reading(running, ada)
    before, text = place(ada)
    ada.keyboard.press("End")
    ada.keyboard.type(" reviewed")
    ada.keyboard.press("Enter")
    until(ada, f"document.querySelector('#where').textContent !== {before!r}")
    assert text in [line["text"] for line in reading["page"]["lines"]]
    kept = httpx.get(f"{running.url}/v1/readings/{reading['id']}").json()
    assert f"{text} reviewed" in kept["pages"][0]["page"]["text"]
    confirmed = place(ada)
    ada.keyboard.press("Enter")
    until(ada, f"document.querySelector('#where').textContent !== {confirmed[0]!r}")
    assert "by you" in ada.inner_text("#counts")
    ada.keyboard.press("PageUp")
    ada.keyboard.press("PageUp")
    until(ada, f"document.querySelector('#text').value === {f'{text} reviewed'!r}")
    assert "corrected already" in ada.inner_text("#why")

    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", running.environment["TEXT_RECOGNIZER_HOME"])
    done = CliRunner().invoke(app, ["feedback", "export", str(tmp_path / "lines")])
    assert done.exit_code == 0, done.output
    with (tmp_path / "lines" / "lines.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert {row["text"] for row in rows} == {f"{text} reviewed", confirmed[1]}
    assert {row["writer"] for row in rows} == {"Ada"}
    metrics = httpx.get(f"{running.url}/metrics").text
    assert "text_recognizer_review_lines" in metrics
    assert running.secret["id"] not in ask(running, "pages").text


@pytest.mark.parametrize("how", ["deleted", "withdrawn"])
def test_a_reading_that_goes_meanwhile_is_told_and_the_next_comes(running, people, pages, how):
    extra = read(running, pages["notes-photograph"])
    eventually(lambda: extra["id"] in ask(running, "pages").text)
    tab = people(running, f"Gus {how}")
    tab.select_option("#page", f"{extra['id']}/0")
    until(tab, "document.querySelector('#why').textContent.includes('unlike')")
    before = tab.inner_text("#where")
    if how == "deleted":
        httpx.delete(f"{running.url}/v1/readings/{extra['id']}")
    else:
        httpx.patch(f"{running.url}/v1/readings/{extra['id']}", json={"consent": False})
    tab.fill("#text", "not in vain")
    tab.keyboard.press("Enter")
    until(tab, "document.querySelector('#alerts').textContent.includes('Not kept: not in vain')")
    assert "it was deleted, or the consent to its use was withdrawn" in tab.inner_text("#alerts")
    until(
        tab, f"document.querySelector('#where').textContent !== {before!r} || !document.querySelector('#idle').hidden"
    )
    assert tab.input_value("#page") == ""
    assert tab.locator("#unsent").is_hidden()


def test_a_key_reviews_its_own_and_a_reviewer_all(people, pages, tmp_path):
    with RunningServer(tmp_path, API_KEYS=f"{ADAS},{BENS},{EVES}", REVIEWERS="eve") as server:
        mine, other = read(server, pages["copiste-2"], ADA), read(server, pages["notes-photograph"], BEN)
        assert ask(server, "next", annotator="x").status_code == 401
        assert ask(server, "settings", "wrong").status_code == 401
        seen = {}
        for name, key in (("ada", ADA), ("ben", BEN), ("eve", EVE)):
            assert ask(server, "settings", key).json()["annotator"] == name
            eventually(lambda key=key: ask(server, "pages", key).json()["pages"])
            seen[name] = {row["page"].partition("/")[0] for row in ask(server, "pages", key).json()["pages"]}
        assert seen == {"ada": {mine["id"]}, "ben": {other["id"]}, "eve": {mine["id"], other["id"]}}
        for path in (
            f"page?page={other['id']}/0",
            f"lines?page={other['id']}/0",
            f"line?page={other['id']}/0&line=0&annotator=x",
        ):
            assert ask(server, path, ADA).status_code == 404
            assert ask(server, path, EVE).status_code == 200
        tab = people(server, key=EVE)
        tab.wait_for_selector("#panel:visible")
        assert (tab.inner_text("#who-name"), tab.is_disabled("#who")) == ("eve", True)
        until(tab, "document.querySelectorAll('#viewer svg .line').length > 1")  # the picture needs the key, too
        page, _text = place(tab)
        tab.keyboard.press("Enter")
        until(tab, f"document.querySelector('#where').textContent !== {page!r}")
        forged = {
            "page": f"{mine['id']}/0",
            "line": "0",
            "status": "labeled",
            "text": "mine",
            "polygon": [[0, 0], [9, 0], [9, 9]],
        }
        assert ask(server, "labels", ADA, annotator="eve", labels=[forged]).status_code == 200
        by = {
            row["annotator"]: row["lines"] for row in ask(server, "progress?annotator=x", EVE).json()["progress"]["by"]
        }
        assert by == {"eve": 1, "ada": 1}  # whatever name was said
        tab.goto(f"{server.url}/monitor")
        until(tab, "/^Review [(][0-9]+[)]$/.test(document.querySelector('#to-review').textContent)")
        tab.click("#to-review")
        tab.wait_for_selector("body.labelling[data-ready]")


def test_a_reviewer_without_a_key_is_refused_at_the_start(tmp_path):
    with pytest.raises(RuntimeError, match=r"TEXT_RECOGNIZER_REVIEWERS: there is no API key of the name 'nobody'"):
        RunningServer(tmp_path, API_KEYS=ADAS, REVIEWERS="ada,nobody").start()


def test_a_database_that_cannot_be_written_is_503_and_loses_nothing(people, pages, tmp_path):
    database = tmp_path / "feedback.db"
    with RunningServer(tmp_path, FEEDBACK_DATABASE=f"sqlite:///{database}?timeout=1") as server:
        read(server, pages["copiste-2"])
        tab = people(server, "Ada")
        tab.wait_for_selector("#panel:visible")
        before = tab.inner_text("#where")
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answer = ask(server, "next", annotator="Ben")
        assert (answer.status_code, "at the moment" in answer.json()["detail"]) == (503, True)
        assert answer.headers["Retry-After"]
        tab.fill("#text", "kept here")
        tab.keyboard.press("Enter")
        until(tab, "document.querySelector('#unsent').textContent.includes('kept in this browser')")
        other.execute("ROLLBACK")
        other.close()
        until(tab, "document.querySelector('#unsent').hidden")
        until(tab, f"document.querySelector('#where').textContent !== {before!r}")
        assert "1 by you" in tab.inner_text("#counts")


def test_a_server_that_keeps_nothing_says_so(browser, tmp_path):
    with RunningServer(tmp_path, FEEDBACK="false") as server:
        assert ask(server, "settings").status_code == 404
        tab = browser.new_page()
        tab.goto(f"{server.url}/review")
        until(tab, "document.querySelector('#alerts').textContent.includes('keeps no readings')")
        tab.goto(server.url)
        tab.wait_for_selector("body[data-ready]")
        assert tab.locator(".sites a:visible").all_inner_texts() == ["Read"]
        tab.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_is_for_everybody(running, people, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = people(running, f"Hal {width}", color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 844})
    tab.wait_for_selector("#panel:visible")
    for name, key in {"line": "PageDown", "help": "F1"}.items():
        tab.keyboard.press(key)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
        found = axe.run(tab, options=RULES).response["violations"]
        assert [(v["id"], [node["target"] for node in v["nodes"]][:3]) for v in found] == [], name
