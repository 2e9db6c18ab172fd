"""The page is for everybody: guidelines, widths, keys."""

from __future__ import annotations

import pytest

from tests.conftest import SAMPLES
from tests.service.running import RunningServer
from tests.service.web.actions import LETTER, read, words
from text_recognizer.service.keys import new_key


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_meets_the_accessibility_guidelines(tab, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    tab.set_viewport_size({"width": width, "height": 844})
    views = {"welcome": None, "reading": lambda: read(tab, SAMPLES / "copiste-1.jpg")}
    views["editing"] = lambda: words(tab, 0).first.click()
    views["help"] = lambda: tab.click("#help")
    for name, enter in views.items():
        if enter:
            enter()
        found = axe.run(tab, options=rules).response["violations"]
        problems = [(v["id"], [node["target"] for node in v["nodes"]][:3]) for v in found]
        assert problems == [], name


@pytest.mark.parametrize("width", [1440, 900, 390])
def test_nothing_sticks_out_sideways(tab, width):
    tab.set_viewport_size({"width": width, "height": 800})
    for enter in (lambda: None, lambda: read(tab)):
        enter()
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_server_with_keys_asks_for_one(browser, tmp_path):
    key, entry = new_key("ada")
    with RunningServer(tmp_path, API_KEYS=entry) as server:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(server.url)
        page.wait_for_selector("body[data-ready]")
        page.set_input_files("#files", [str(LETTER)])
        for given in ("wrong", key):  # a wrong one is asked for again
            page.wait_for_selector("#key-dialog[open]")
            page.fill("#key", given)
            page.keyboard.press("Enter")
        page.wait_for_selector("#text li")
        page.close()
