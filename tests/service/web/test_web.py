"""What a person can do on the web page, done by a real browser on the real server."""

from __future__ import annotations

import json
import time

import httpx
import pytest
from conftest import SAMPLES
from PIL import Image

from service.running import RunningServer
from text_recognizer.service.keys import new_key

LETTER = SAMPLES / "letter.jpg"


def read(tab, path=LETTER):
    """Choose a file and wait until its text is there."""
    tab.set_input_files("#files", [str(path)])
    tab.wait_for_selector("#text li")
    until(tab, "document.querySelector('#progress').hidden")


def reading_id(tab):
    """The server's identifier of the open document."""
    return tab.evaluate(
        """() => new Promise((done) => {
            indexedDB.open("text-recognizer").onsuccess = (event) => {
                event.target.result.transaction("documents").objectStore("documents").getAll().onsuccess =
                    (found) => done(found.target.result.at(-1).serverId);
            };
        })"""
    )


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


def test_a_chosen_file_is_read_and_shown_with_its_lines_outlined(tab):
    read(tab)
    assert "My dear Watson" in tab.inner_text("#text")
    outlines = tab.locator(".outlines .line")
    assert outlines.count() == tab.locator("#text li").count() > 8
    assert tab.locator(".openseadragon-canvas canvas").count() == 1


def test_a_sample_is_read_with_one_click(tab):
    tab.click("#samples button >> nth=0")
    tab.wait_for_selector("#text li")
    assert "Watson" in tab.inner_text("#text")


def test_a_dropped_file_is_read(tab):
    data = list(LETTER.read_bytes())
    transfer = tab.evaluate_handle(
        """(data) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(data)], "dropped.jpg", { type: "image/jpeg" }));
            return transfer;
        }""",
        data,
    )
    tab.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    assert tab.is_visible("#dropping")
    tab.dispatch_event("body", "drop", {"dataTransfer": transfer})
    assert not tab.is_visible("#dropping")
    tab.wait_for_selector("#text li")


def test_a_pasted_picture_is_read(tab):
    tab.evaluate(
        """(data) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(data)], "image.png", { type: "image/jpeg" }));
            dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, cancelable: true }));
        }""",
        list(LETTER.read_bytes()),
    )
    tab.wait_for_selector("#text li")


def test_what_is_drawn_is_read(tab):
    tab.click("#choose-draw")
    box = tab.locator("#sheet").bounding_box()
    left, middle = box["x"] + 120, box["y"] + box["height"] / 2
    for x in (left, left + 60):  # the two uprights of an H, a bar, and an I
        tab.mouse.move(x, middle - 45)
        tab.mouse.down()
        tab.mouse.move(x, middle + 45, steps=6)
        tab.mouse.up()
    tab.mouse.move(left, middle)
    tab.mouse.down()
    tab.mouse.move(left + 60, middle, steps=6)
    tab.mouse.up()
    tab.mouse.move(left + 110, middle - 45)
    tab.mouse.down()
    tab.mouse.move(left + 110, middle + 45, steps=6)
    tab.mouse.up()
    tab.click("#sheet-read")
    tab.wait_for_selector("#text li")
    assert "H" in tab.inner_text("#text").upper()


def test_text_and_picture_point_at_each_other(tab):
    read(tab)
    tab.hover("li[data-line='2'] .word >> nth=1")
    assert tab.locator(".outlines g[data-line='2'].on").count() == 1
    assert tab.locator(".outlines g[data-line='2'] .word.on").count() == 1
    tab.wait_for_timeout(600)  # the picture may still be moving into its place
    box = tab.locator(".outlines g[data-line='4'] .line").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert tab.locator("li[data-line='4'].on").count() == 1
    tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(tab, "document.activeElement.closest('li')?.dataset.line === '4'")


def test_a_corrected_word_reaches_the_server(tab, server):
    read(tab)
    words(tab, 1).nth(2).click()
    tab.keyboard.press("Control+a")
    tab.keyboard.type("Holmes,")
    tab.keyboard.press("Enter")
    assert words(tab, 1).nth(2).inner_text() == "Holmes,"
    assert "corrected" in words(tab, 1).nth(2).get_attribute("class")
    eventually(lambda: "My dear Holmes," in (kept_text(tab, server) or ""))


def test_doubtful_words_are_gone_through_by_keyboard_alone(tab, server):
    read(tab, SAMPLES / "copiste-1.jpg")
    count = tab.locator("#text .word.doubtful").count()
    assert count > 3
    tab.focus("#text")
    tab.keyboard.press("Tab")
    first = tab.evaluate("document.activeElement.textContent")
    assert "doubtful" in tab.evaluate("document.activeElement.className")
    tab.keyboard.press("Enter")  # accepted
    assert tab.locator("#text .word.doubtful").count() == count - 1
    assert tab.locator("#text .word.accepted").first.inner_text() == first
    assert "doubtful" in tab.evaluate("document.activeElement.className")
    tab.keyboard.type("Zyx")  # written anew by typing
    tab.keyboard.press("Tab")
    assert tab.locator("#text .word.corrected").inner_text() == "Zyx"
    assert tab.locator("#text .word.doubtful").count() == count - 2
    assert "doubtful" in tab.evaluate("document.activeElement.className")
    eventually(lambda: "Zyx" in (kept_text(tab, server) or ""))


def test_a_whole_line_can_be_rewritten_and_the_correction_taken_back(tab, server):
    read(tab)
    before = tab.inner_text("li[data-line='1'] .words").split()
    words(tab, 1).first.focus()
    tab.keyboard.press("Shift+Enter")
    tab.keyboard.press("Control+a")
    tab.keyboard.type("My very dear old Watson,")
    tab.keyboard.press("Enter")
    assert tab.inner_text("li[data-line='1'] .words").split() == "My very dear old Watson,".split()
    assert tab.locator(".outlines g[data-line='1'] .word").count() == 5
    eventually(lambda: "My very dear old Watson," in (kept_text(tab, server) or ""))
    tab.keyboard.press("Control+z")
    assert tab.inner_text("li[data-line='1'] .words").split() == before
    eventually(lambda: "My very" not in kept_text(tab, server))


def test_escape_leaves_a_word_as_it_was(tab):
    read(tab)
    text = words(tab, 0).first.inner_text()
    words(tab, 0).first.click()
    tab.keyboard.type("nonsense")
    tab.keyboard.press("Escape")
    assert words(tab, 0).first.inner_text() == text


def test_the_text_is_copied_and_downloaded_with_its_corrections(tab):
    read(tab)
    words(tab, 1).nth(2).click()
    tab.keyboard.press("Control+a")
    tab.keyboard.type("Holmes,")
    tab.keyboard.press("Enter")
    tab.click("#copy")
    assert "My dear Holmes," in tab.evaluate("navigator.clipboard.readText()")
    for label, name in (("Plain text", "letter.txt"), ("JSON", "letter.json")):
        tab.click("#download")
        with tab.expect_download() as download:
            tab.click(f"#formats button:has-text('{label}')")
        assert download.value.suggested_filename == name
        content = download.value.path().read_text(encoding="utf-8")
        assert "My dear Holmes," in (json.loads(content)["text"] if name.endswith("json") else content)


def test_several_pages_of_a_pdf_appear_one_after_the_other(tab, tmp_path):
    path = tmp_path / "letters.pdf"
    pages = [Image.open(SAMPLES / name).convert("L") for name in ("letter.jpg", "notes-photograph.jpg")]
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=150)
    read(tab, path)
    assert tab.locator("#page-list li").count() == 2
    assert "Watson" in tab.inner_text("#text")
    tab.click("#page-list li:nth-child(2) button")
    until(tab, "document.querySelector('#text').textContent.includes('Saturday')")
    tab.wait_for_selector(".outlines .line")


def test_a_file_that_is_no_picture_is_named_and_the_next_is_read(tab, tmp_path):
    bad = tmp_path / "notes.txt"
    bad.write_text("not a picture")
    tab.set_input_files("#files", [str(bad)])
    tab.wait_for_selector("#page-list li.state-failed")
    assert "nothing that can be read" in tab.inner_text("#text")
    read(tab)
    tab.click("#page-list li.state-failed .link:has-text('Remove')")
    eventually(lambda: tab.locator("#page-list li.state-failed").count() == 0)
    assert "Watson" in tab.inner_text("#text")


def test_a_reload_loses_nothing(tab, server):
    read(tab)
    words(tab, 1).nth(2).click()
    tab.keyboard.press("Control+a")
    tab.keyboard.type("Holmes,")
    tab.keyboard.press("Enter")
    tab.reload()
    tab.wait_for_selector("#text li")
    assert "My dear Holmes," in " ".join(tab.inner_text("li[data-line='1'] .words").split())
    assert "corrected" in words(tab, 1).nth(2).get_attribute("class")
    tab.wait_for_selector(".outlines .line")


def test_corrections_made_while_the_server_is_away_are_sent_later(tab, server):
    read(tab)
    tab.route("**/v1/feedback", lambda route: route.abort())
    words(tab, 1).nth(2).click()
    tab.keyboard.press("Control+a")
    tab.keyboard.type("Moriarty,")
    tab.keyboard.press("Enter")
    until(tab, "document.querySelector('#kept').textContent.includes('to be sent')")
    tab.reload()
    tab.wait_for_selector("#text li")
    tab.unroute("**/v1/feedback")
    eventually(lambda: "My dear Moriarty," in (kept_text(tab, server) or ""), 30)


def test_consent_is_given_and_taken_and_removal_deletes_on_the_server(tab, server):
    read(tab)
    tab.check("#consent")
    until(tab, "document.querySelector('#kept').textContent.includes('Corrections are kept')")
    address = f"{server.url}/v1/readings/{reading_id(tab)}"
    eventually(lambda: httpx.get(address).json()["consent"])
    tab.uncheck("#consent")
    eventually(lambda: not httpx.get(address).json()["consent"])
    tab.click("#remove")
    tab.click("#confirm-dialog button:has-text('Keep it')")
    assert httpx.get(address).status_code == 200
    tab.click("#remove")
    tab.click("#confirm-dialog button:has-text('Remove')")
    tab.wait_for_selector("#welcome:not([hidden])")
    eventually(lambda: httpx.get(address).status_code == 404)


def test_the_stop_button_stops_and_the_page_can_be_read_again(tab):
    tab.route("**/v1/batch", lambda route: None)  # an answer that never comes
    tab.set_input_files("#files", [str(LETTER)])
    tab.click("#cancel")
    tab.wait_for_selector("#page-list li.state-failed")
    tab.unroute("**/v1/batch")
    tab.click("#page-list .link:has-text('Try again')")
    tab.wait_for_selector("#text li")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
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


def pdf_of(path, names):
    pages = [Image.open(SAMPLES / name).convert("L") for name in names]
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=150)
    return path


def test_a_reload_in_the_middle_of_a_document_keeps_what_was_corrected(tab, server, tmp_path):
    path = pdf_of(tmp_path / "letters.pdf", ["letter.jpg"] * 4)
    tab.set_input_files("#files", [str(path)])
    words(tab, 1).nth(2).click()
    tab.keyboard.press("Control+a")
    tab.keyboard.type("Holmes,")
    tab.keyboard.press("Enter")
    tab.reload()
    until(tab, "document.querySelectorAll('#page-list img').length === 4 && document.querySelector('#progress').hidden")
    tab.click("#page-list li:nth-child(1) button")
    assert words(tab, 1).nth(2).inner_text() == "Holmes,"
    eventually(lambda: "My dear Holmes," in (kept_text(tab, server) or ""))


def test_an_edit_that_is_open_is_kept_when_another_page_is_shown(tab, tmp_path):
    read(tab, pdf_of(tmp_path / "letters.pdf", ["letter.jpg", "letter.jpg"]))
    words(tab, 1).nth(2).click()
    tab.keyboard.press("Control+a")
    tab.keyboard.type("Holmes,")
    tab.click("#page-list li:nth-child(2) button")
    assert words(tab, 1).nth(2).inner_text() != "Holmes,"
    tab.click("#page-list li:nth-child(1) button")
    assert words(tab, 1).nth(2).inner_text() == "Holmes,"


def test_a_letter_by_mistake_does_not_delete_a_word(tab):
    read(tab)
    text = words(tab, 0).first.inner_text()
    words(tab, 0).first.focus()
    tab.keyboard.type("x")
    tab.keyboard.press("Backspace")
    tab.keyboard.press("Tab")
    assert words(tab, 0).first.inner_text() == text


def test_a_second_tab_says_that_it_keeps_nothing(tab, server):
    read(tab)
    other = tab.context.new_page()
    other.goto(server.url)
    other.wait_for_selector(".alert:has-text('another tab')")
    other.close()


def test_one_correction_that_is_refused_does_not_cost_the_others(tab, server):
    read(tab)

    def refuse(route):
        texts = [correction["text"] for correction in route.request.post_data_json["corrections"]]
        if any("Moriarty" in text for text in texts):
            route.fulfill(status=422, content_type="application/problem+json", body='{"detail": "not him"}')
        else:
            route.continue_()

    tab.context.set_offline(True)
    for line, name in ((1, "Holmes,"), (2, "Moriarty,"), (3, "Lestrade,")):
        words(tab, line).nth(0).click()
        tab.keyboard.press("Control+a")
        tab.keyboard.type(name)
        tab.keyboard.press("Enter")
    tab.route("**/v1/feedback", refuse)
    tab.context.set_offline(False)
    tab.wait_for_selector(".alert:has-text('not him')")
    eventually(lambda: "Holmes," in kept_text(tab, server) and "Lestrade," in kept_text(tab, server))
    assert "Moriarty," in tab.inner_text("#text")
