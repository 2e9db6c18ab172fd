"""Make the picture of the web page: the real server, a real browser, a sample read and two words corrected.

python docs/make_screenshot.py [--url http://127.0.0.1:8000]    # where `text-recognizer serve` runs
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "samples" / "copiste-1.jpg"
CORRECTIONS = {"ume": "une", "Nornige": "Norvège"}


def main() -> None:
    """Write docs/pictures/web.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 820})
        page.goto(parser.parse_args().url)
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
        page.wait_for_timeout(1500)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(128)
        picture.save(HERE / "pictures" / "web.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
