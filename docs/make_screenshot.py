"""Make the pictures of the web pages: the real server, a real browser, a sample read and corrected, labelled, reviewed.

python docs/make_screenshot.py [--url http://127.0.0.1:8000]        # where `text-recognizer serve` runs
python docs/make_screenshot.py --queue http://127.0.0.1:8000        # where `text-recognizer label serve` runs,
                                                                    # for a folder with the sample in it
python docs/make_screenshot.py --review http://127.0.0.1:8000       # where `text-recognizer serve` runs, without keys
python docs/make_screenshot.py --monitor http://127.0.0.1:8000      # the same, with readings of the last day
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "samples" / "copiste-1.jpg"
PHOTOGRAPH = HERE.parent / "samples" / "notes-photograph.jpg"
CORRECTIONS = {"ume": "une", "Nornige": "Norvège"}


def main() -> None:
    """Write docs/pictures/web.png, label.png, review.png or monitor.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--queue", help="make the picture of the labelling page")
    parser.add_argument("--review", help="make the picture of the review page")
    parser.add_argument("--monitor", help="make the picture of the monitoring page")
    options = parser.parse_args()
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 820})
        page.set_default_timeout(120_000)
        show = labelled if options.queue else reviewed if options.review else corrected
        if options.monitor:
            page.goto(f"{options.monitor}/monitor")
            show = monitored
        else:
            page.goto(options.queue or options.review or options.url)
        name = show(page)
        page.wait_for_timeout(1500)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128)
        picture.save(HERE / "pictures" / name, optimize=True)
        browser.close()


def corrected(page: Page) -> str:
    """Read the sample and correct two words of it. Returns the name of the picture."""
    page.wait_for_selector("body[data-ready]")
    page.set_input_files("#files", [str(SAMPLE)])
    page.wait_for_selector("#text li")
    page.wait_for_timeout(1500)
    for wrong, right in CORRECTIONS.items():
        word = page.locator(f".word:text-is('{wrong}')")
        if word.count():
            word.first.click()
            page.keyboard.press("Control+a")
            page.keyboard.type(right)
            page.keyboard.press("Enter")
    return "web.png"


def monitored(page: Page) -> str:
    """Show the last day beside the reference. Returns the name of the picture."""
    page.wait_for_selector("body[data-ready]")
    page.set_viewport_size({"width": 1360, "height": 1280})  # down to the first features
    return "monitor.png"


def labelled(page: Page) -> str:
    """Show the sample's first doubtful line. Returns the name of the picture."""
    as_ada(page)
    page.select_option("#page", SAMPLE.name)
    page.locator("#where", has_text=SAMPLE.name).wait_for()
    return "label.png"


def reviewed(page: Page) -> str:
    """Have a photograph read and kept with consent, and show its first line. Returns the name of the picture."""
    image = {"name": PHOTOGRAPH.name, "mimeType": "image/jpeg", "buffer": PHOTOGRAPH.read_bytes()}
    form = {"file": image, "store": "true", "consent": "true"}
    page.request.post(f"{page.url}v1/predict", multipart=form)
    page.goto(f"{page.url}review")
    as_ada(page)
    page.wait_for_selector("#panel:visible")
    return "review.png"


def as_ada(page: Page) -> None:
    """Give the name that is asked for."""
    page.wait_for_selector("#name-dialog[open]")
    page.fill("#name", "Ada")
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-ready]")


if __name__ == "__main__":
    main()
