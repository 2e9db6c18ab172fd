"""Text is corrected, by keyboard first, and leaves the page with its corrections."""

from __future__ import annotations

import json

from tests.conftest import SAMPLES
from tests.service.web.actions import eventually, kept_text, read, words


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


def test_a_letter_by_mistake_does_not_delete_a_word(tab):
    read(tab)
    text = words(tab, 0).first.inner_text()
    words(tab, 0).first.focus()
    tab.keyboard.type("x")
    tab.keyboard.press("Backspace")
    tab.keyboard.press("Tab")
    assert words(tab, 0).first.inner_text() == text
