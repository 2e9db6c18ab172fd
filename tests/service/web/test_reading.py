"""Pictures become text, whichever way they come in."""

from __future__ import annotations

from PIL import Image

from tests.conftest import SAMPLES
from tests.service.web.actions import LETTER, eventually, read, until


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
    upright, foot, bar = ((0, -45), (0, 45)), ((0, 45), (45, 45)), ((-30, -45), (30, -45))
    letters = [(0, [upright, foot]), (85, [upright]), (155, [bar, upright]), (255, [bar, upright])]
    letters += [(325, [upright, foot]), (410, [upright, ((0, -45), (45, -45)), ((0, 0), (40, 0)), foot])]
    tab.click("#choose-draw")
    box = tab.locator("#sheet").bounding_box()
    left, middle = box["x"] + 60, box["y"] + box["height"] / 2
    for place, strokes in letters:  # L I T T L E
        for (x, y), (to_x, to_y) in strokes:
            tab.mouse.move(left + place + x, middle + y)
            tab.mouse.down()
            tab.mouse.move(left + place + to_x, middle + to_y, steps=6)
            tab.mouse.up()
    tab.click("#sheet-read")
    tab.wait_for_selector("#text li")
    assert "LE" in tab.inner_text("#text").upper()


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
