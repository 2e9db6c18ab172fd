"""Nothing is lost, and nothing is kept that is not wanted."""

from __future__ import annotations

import httpx

from tests.service.web.actions import LETTER, eventually, kept_text, pdf_of, read, reading_id, until, words


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
