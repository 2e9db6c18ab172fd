"""What the tests of the page do again and again."""

from __future__ import annotations

import json
import time

import httpx
from PIL import Image

from tests.conftest import SAMPLES

LETTER = SAMPLES / "letter.jpg"


def read(tab, path=LETTER):
    """Choose a file and wait until its text is there."""
    tab.set_input_files("#files", [str(path)])
    tab.wait_for_selector("#text li")
    until(tab, "document.querySelector('#progress').hidden")


def kept_in_browser(tab):
    """The open documents as the browser has them on disk, without their files."""
    kept = tab.evaluate(
        """() => new Promise((done) => {
            indexedDB.open("text-recognizer").onsuccess = (event) => {
                event.target.result.transaction("documents").objectStore("documents").getAll().onsuccess =
                    (found) => done(JSON.stringify(found.target.result));
            };
        })"""
    )
    return json.loads(kept)


def reading_id(tab):
    """The server's identifier of the open document."""
    return kept_in_browser(tab)[-1]["serverId"]


def kept_text(tab, server):
    """The text of the open document as the server keeps it; None where it does not."""
    answer = httpx.get(f"{server.url}/v1/readings/{reading_id(tab)}")
    return answer.json()["pages"][0]["page"]["text"] if answer.status_code == 200 else None


def until(tab, expression):
    """Wait for a JavaScript expression; Playwright's own way needs eval, which the page's policy forbids."""
    eventually(lambda: tab.evaluate(expression), 60)


def eventually(check, seconds=30):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.1)


def words(tab, line):
    return tab.locator(f"li[data-line='{line}'] .word")


def pdf_of(path, names):
    pages = [Image.open(SAMPLES / name).convert("L") for name in names]
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=150)
    return path
