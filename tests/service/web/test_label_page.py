"""The page of the labelling queue, in a real browser on the real server: by keyboard, by two people, with bad luck."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from tests.service.running import RunningServer
from tests.service.web.actions import eventually, until
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.page import Line, Page

BOXES = [(116, 92, 687, 164), (131, 242, 468, 301), (123, 386, 1156, 442), (117, 461, 1062, 513)]
TEXTS = ["Baker Street, 4 March 1891", "My dear Watson,", "you may remember the affair", "documents. I have gone"]


class LabelServer(RunningServer):
    """`text-recognizer label serve` for a folder of pages."""

    def __init__(self, home: Path, folder: Path, *options: str) -> None:
        super().__init__(home)
        self.folder, self.options = folder, options

    def start(self) -> LabelServer:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "text_recognizer.cli.main", "label", "serve", str(self.folder)]
            command += ["--port", str(self.port), *self.options]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self.wait_until_ready()
        return self

    @property
    def file(self) -> Path:
        return self.folder / "labeling" / "labels.jsonl"

    def labels(self) -> list[dict]:
        return [json.loads(row) for row in self.file.read_text(encoding="utf-8").splitlines()]

    def call(self, path: str, **body) -> httpx.Response:
        return httpx.post(f"{self.url}/v1/queue/{path}", json=body, timeout=30)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    home = tmp_path_factory.mktemp("label")
    folder = home / "pages"
    folder.mkdir()
    with Image.open(SAMPLES / "letter.jpg") as letter:
        letter.save(folder / "letter.jpg")
        letter.crop((80, 60, 720, 190)).save(folder / "small.png")  # which the model is to read
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    lines = [
        Line(text, ((a, b), (c, b), (c, d), (a, d)), 0.3 + 0.1 * number, ((a, d - 16), (c, d - 16)))
        for number, (text, (a, b, c, d)) in enumerate(zip(TEXTS, BOXES, strict=True))
    ]
    LabelingFolder(folder).store_reading("letter.jpg", Page(tuple(lines), 1240, 1278))
    with LabelServer(home, folder, "--annotator", "Ada") as server:
        yield server


@pytest.fixture
def queue(running):
    """The server, nothing labelled, nobody with a line in hand."""
    running.file.unlink(missing_ok=True)
    for who in ("Ada", "Ben"):
        answer = running.call("next", annotator=who, order="page", page="letter.jpg").json()["line"]
        running.call("release", annotator=who, page=answer["page"], line=answer["line"])
    return running


@pytest.fixture
def people(browser, queue):
    """Tabs of annotators, each in a browser of their own, at the lines of the letter; none may have an error."""
    contexts, errors = [], []

    def come(name, page="letter.jpg"):
        clipboard = ["clipboard-read", "clipboard-write"]
        context = browser.new_context(viewport={"width": 1280, "height": 860}, permissions=clipboard)
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(60_000)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("console", lambda note: errors.append(note.text) if is_error(note) else None)
        tab.goto(queue.url)
        tab.wait_for_selector("#name-dialog[open]")
        assert tab.input_value("#name") == "Ada"  # as the command line says
        tab.fill("#name", name)
        tab.keyboard.press("Enter")
        tab.wait_for_selector("body[data-ready]")
        # The line that is there may be of this page already: it is shown anew all the same.
        tab.evaluate("document.querySelector('#where').textContent = ''")
        tab.select_option("#page", page)
        until(tab, f"document.querySelector('#where').textContent.startsWith('{page}')")
        return tab

    yield come
    for context in contexts:
        context.close()
    assert errors == []


def is_error(note) -> bool:
    return note.type == "error" and not note.text.startswith("Failed to load resource")


def shows(tab, text):
    """Wait until a line is shown whose text begins so."""
    until(tab, f"document.querySelector('#text').value.startsWith({json.dumps(text)})")


def test_lines_are_labelled_by_keyboard_and_safe_before_the_next_is_shown(people, queue):
    tab = people("Ada")
    shows(tab, TEXTS[0])
    assert "30 % sure" in tab.inner_text("#sure")
    tab.keyboard.press("End")
    tab.keyboard.type(" 漢")
    assert "漢 is not known" in tab.inner_text("#hint")
    for number, key in enumerate(("Enter", "Alt+i", "Alt+n")):
        tab.keyboard.press(key)
        shows(tab, TEXTS[number + 1])
        assert len(queue.labels()) == number + 1
    said = queue.labels()
    assert [(label["line"], label["status"], label["annotator"]) for label in said] == [
        ("l0001", "labeled", "Ada"),
        ("l0002", "illegible", "Ada"),
        ("l0003", "no-line", "Ada"),
    ]
    assert said[0]["text"] == f"{TEXTS[0]} 漢"
    assert said[0]["polygon"] == [[116, 92], [687, 92], [687, 164], [116, 164]]
    assert 0 < said[0]["seconds"] < 60
    tab.keyboard.press("PageUp")
    shows(tab, TEXTS[2])
    assert "no line" in tab.inner_text("#own")
    tab.keyboard.press("PageUp")
    tab.keyboard.press("PageUp")
    shows(tab, f"{TEXTS[0]} 漢")
    tab.fill("#text", "  ")
    tab.keyboard.press("Enter")
    until(tab, "document.querySelector('#hint').textContent.startsWith('Write what stands there')")
    tab.fill("#text", "Mended")
    tab.keyboard.press("Enter")
    shows(tab, TEXTS[3])
    tab.keyboard.press("Alt+s")
    tab.wait_for_selector("#idle:visible")
    assert [(label["line"], label["status"]) for label in queue.labels()[3:]] == [
        ("l0001", "labeled"),
        ("l0004", "skipped"),
    ]
    assert "3 of" in tab.inner_text("#counts")
    tab.select_option("#order", "skipped")
    shows(tab, TEXTS[3])


def test_what_the_server_cannot_take_is_kept_and_sent_later(people, queue):
    tab = people("Ada")
    shows(tab, TEXTS[0])
    queue.file.unlink(missing_ok=True)
    queue.file.mkdir()  # whoever runs the tests may write into any file, but not into a folder
    tab.fill("#text", "in spite of all")
    tab.keyboard.press("Enter")
    until(tab, "document.querySelector('#unsent').textContent.includes('kept in this browser')")
    assert "cannot be kept now" in tab.inner_text("#unsent")
    assert tab.input_value("#text") == "in spite of all"
    tab.reload()
    until(tab, "!document.querySelector('#unsent').hidden")
    queue.file.rmdir()
    until(tab, "document.querySelector('#unsent').hidden")
    assert [label["text"] for label in queue.labels()] == ["in spite of all"]
    tab.wait_for_selector("#panel:visible")


def test_boxes_are_changed_by_keys_and_mouse_and_missing_lines_are_drawn(people, queue):
    tab = people("Ada")
    shows(tab, TEXTS[0])
    tab.keyboard.press("Alt+b")
    tab.wait_for_selector("#box-edit:focus")
    for key in ("Shift+ArrowRight", "Alt+ArrowUp", "ArrowDown", "Enter"):
        tab.keyboard.press(key)
    tab.wait_for_selector("#text:focus")
    tab.keyboard.press("Enter")
    shows(tab, TEXTS[1])
    assert queue.labels()[0]["polygon"] == [
        [116, 92],
        [691, 92],
        [691, 168],
        [116, 168],
    ]  # steps of a 20th of its height
    tab.wait_for_timeout(600)  # the viewer moves to the line
    corner = tab.locator(".corner.right.bottom").bounding_box()
    tab.mouse.move(corner["x"] + 8, corner["y"] + 8)
    tab.mouse.down()
    tab.mouse.move(corner["x"] + 48, corner["y"] + 18, steps=4)
    tab.mouse.up()
    until(tab, "document.querySelector('#hint').textContent.startsWith('The box has changed')")
    tab.keyboard.press("Enter")
    shows(tab, TEXTS[2])
    left, top, right, bottom = BOXES[1]
    changed = queue.labels()[1]["polygon"]
    assert changed[0] == [left, top]
    assert changed[2][0] > right + 10
    assert changed[2][1] > bottom + 2
    tab.keyboard.press("Alt+l")
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("Enter")
    until(tab, "document.querySelector('#text').value.startsWith('documents')")  # the model has read the box below
    tab.fill("#text", "a line of mine")
    tab.keyboard.press("Enter")
    shows(tab, TEXTS[2])
    drawn = queue.labels()[2]
    assert drawn["line"].startswith("n")
    assert drawn["text"] == "a line of mine"
    assert len(drawn["baseline"]) == 2
    tab.keyboard.press("Alt+l")
    tab.keyboard.press("Escape")
    shows(tab, TEXTS[2])


def test_two_people_share_the_lines_and_settle_a_dispute(people, queue):
    ada, ben = people("Ada"), people("Ben")
    shows(ada, TEXTS[0])
    shows(ben, TEXTS[1])
    again = [("Ada", "one thing"), ("Ben", "another")]
    for who, text in again:  # both at once
        outline = [[131, 242], [468, 242], [468, 301], [131, 301]]
        one = {"page": "letter.jpg", "line": "l0002", "status": "labeled", "text": text, "polygon": outline}
        assert queue.call("labels", annotator=who, labels=[one]).json() == {"kept": 1, "unknown": ""}
    ada.select_option("#order", "disputed")
    ada.wait_for_selector("#others:visible")
    assert "Ben: another" in ada.inner_text("#others")
    ada.keyboard.press("Alt+2")
    shows(ada, "another")
    ada.keyboard.press("Enter")
    ada.wait_for_selector("#idle:visible")
    assert (queue.labels()[-1]["origin"], queue.labels()[-1]["text"]) == ("adjudication", "another")
    ada.click("#show-progress")
    ada.wait_for_selector("#progress-dialog[open]")
    assert "Ada and Ben" in ada.inner_text("#agreement")
    assert "0 (0.0 %)" in ada.inner_text("#agreement")


def test_a_paste_of_several_lines_becomes_one(people):
    tab = people("Ada")
    shows(tab, TEXTS[0])
    tab.evaluate("navigator.clipboard.writeText('one\\ttwo\\nthree')")
    tab.keyboard.press("Control+a")
    tab.keyboard.press("Control+v")
    shows(tab, "one two three")
    assert "became spaces" in tab.inner_text("#hint")


def test_pages_are_read_in_the_background_and_bad_ones_are_named(people, queue):
    def state():
        pages = httpx.get(f"{queue.url}/v1/queue/pages", timeout=30).json()["pages"]
        return {page["page"]: page for page in pages}

    eventually(lambda: state()["small.png"]["state"] == "read", 60)
    assert state()["broken.png"]["state"] == "failed"
    assert "broken.png" in state()["broken.png"]["error"]
    tab = people("Ada", "small.png")
    shows(tab, "Baker Street")
    assert "1 cannot be read" in tab.inner_text("#reading")


def test_what_makes_no_sense_is_refused_with_a_sentence(queue):
    outline = [[1, 1], [90, 1], [90, 30], [1, 30]]
    good = {"page": "letter.jpg", "line": "l0001", "status": "labeled", "text": "x", "polygon": outline}
    for wrong, status, sentence in [
        ({"text": "a\tb"}, 422, "holds a tab"),
        ({"text": "a\nb"}, 422, "holds a line break"),
        ({"text": " "}, 422, "a labelled line has a text"),
        ({"page": "../secret.png"}, 404, "there is no page"),
        ({"status": "guessed"}, 422, "status"),
        ({"polygon": outline[:2]}, 422, "polygon"),
    ]:
        answer = queue.call("labels", annotator="Ada", labels=[good, good | wrong])
        assert (answer.status_code, sentence in answer.json()["detail"]) == (status, True), answer.text
    assert not queue.file.exists()  # nor was the good one beside them kept
    far = queue.call("read", page="letter.jpg", polygon=[[5000, 5000], [5090, 5000], [5090, 5030]])
    assert far.status_code == 422
    assert httpx.get(f"{queue.url}/v1/queue/page", params={"page": "/etc/passwd"}).status_code == 404
    foreign = httpx.post(
        f"{queue.url}/v1/queue/next", json={"annotator": "x"}, headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    page = httpx.get(queue.url)
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert httpx.get(queue.url, headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_is_for_everybody(people, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    tab = people("Ada")
    tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    tab.set_viewport_size({"width": width, "height": 844})
    shows(tab, TEXTS[0])
    views = {"line": "PageDown", "box": "Alt+b", "help": "F1"}
    for name, key in views.items():
        tab.keyboard.press(key)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
        found = axe.run(tab, options=rules).response["violations"]
        assert [(v["id"], [node["target"] for node in v["nodes"]][:3]) for v in found] == [], name
