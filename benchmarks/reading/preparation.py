"""What preparing pages does to readings: page CER and F1 of lines with no step, with each step, and with "auto".

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.reading.preparation [--every N] [--picture PATH]

On pages of val as they are, and on what becomes of them in the wild (`preparation_pages.py`, simulated). Lines are read
greedily. A page to which a step does nothing is not read again. Milliseconds of a core are the step's alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.reading.preparation_pages import bordered, lying, skewed, snapshot, spread
from text_recognizer import Page, TextRecognizer
from text_recognizer.images.preparation import STEPS, prepare
from text_recognizer.learning.datasets.pages import TracedPage, is_legible, traced_pages
from text_recognizer.learning.evaluation.pages import PageScores, add_page, handwriting_block, iam_pages, photographed

MODES = ("none", *STEPS, "auto")


def page_sets(every: int) -> Iterator[tuple[str, list[TracedPage]]]:
    """Names and pages of what is measured; every: of the pages of val, one of so many is taken."""
    sets = {
        "IAM": [handwriting_block(page) for page in iam_pages("val")][::every],
        "Copiste": list(traced_pages("copiste", "val"))[::every],
    }
    for name, pages in sets.items():
        yield f"{name}, as scanned", pages
        yield f"{name}, careless photographs", [snapshot(page, seed) for seed, page in enumerate(pages)]
        pairs = list(zip(pages[::2], pages[1::2], strict=False))
        yield f"{name}, spreads", [spread(*pair, seed) for seed, pair in enumerate(pairs)]
        yield f"{name}, black borders", [bordered(page, seed) for seed, page in enumerate(pages)]
        yield f"{name}, lying on the side", [lying(page, 1 + 2 * (k % 2)) for k, page in enumerate(pages)]
        for degrees in (10, 5, 2):
            yield f"{name}, skewed by {degrees}°", [skewed(p, degrees * (-1) ** k) for k, p in enumerate(pages)]
        yield f"{name}, photographs", [photographed(page, seed) for seed, page in enumerate(pages)]


def measure(recognizer: TextRecognizer, pages: list[TracedPage]) -> dict[str, tuple[PageScores, int, float]]:
    """For every mode: scores, pages to which something was done, and the seconds of a core that it took."""
    results = {mode: (PageScores(), 0, 0.0) for mode in MODES}
    for page in pages:
        readings: dict[tuple[str, ...], Page] = {}
        legible = all(is_legible(line.text or "") for line in page.lines)
        for mode, (scores, changed, seconds) in results.items():
            began = time.process_time()
            parts = prepare(page.image, mode)
            seconds += time.process_time() - began
            done = tuple(step for part in parts for step in (*part.steps, "/"))
            if done not in readings:
                readings[done] = recognizer.read(page.image, prepare=mode)
            add_page(scores, readings[done], page, count_text=legible)
            results[mode] = scores, changed + (done != ("/",)), seconds
    return results


def picture(path: Path) -> None:
    """Before and after, for one page of each kind: written as PNG."""
    pages = list(traced_pages("copiste", "val"))
    rows = [
        (snapshot(pages[5], 3).image, ("outline", "light")),
        (skewed(pages[2], -8).image, ("deskew",)),
        (bordered(pages[7], 3).image, ("crop",)),
        (spread(pages[2], pages[5], 1).image, ("split",)),
    ]
    panels = []
    for image, steps in rows:
        shown = [image, *(part.image for part in prepare(image, steps))]
        panels.append(np.hstack([_small(one) for one in shown]))
    halves = [np.hstack(panels[:2]), np.hstack(panels[2:])]
    width = max(half.shape[1] for half in halves)
    sheet = np.vstack([np.pad(h, ((0, 0), (0, width - h.shape[1]), (0, 0)), constant_values=255) for h in halves])
    Image.fromarray(sheet).quantize(96).save(path, optimize=True)


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture 240 pixels high, in colour, with some white around it."""
    color = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
    size = round(240 * color.shape[1] / color.shape[0]), 240
    framed = cv2.copyMakeBorder(cv2.resize(color, size, interpolation=cv2.INTER_AREA), 1, 1, 1, 1, 0, value=(160,) * 3)
    return cv2.copyMakeBorder(framed, 6, 6, 6, 6, cv2.BORDER_CONSTANT, value=(255, 255, 255)).astype(np.uint8)


def main() -> None:
    """Print the table, or write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="take one of so many pages")
    parser.add_argument("--picture", type=Path, help="write before and after as PNG instead")
    options = parser.parse_args()
    if options.picture:
        picture(options.picture)
        return
    cv2.setNumThreads(1)
    recognizer = TextRecognizer(language=None)
    console = Console(width=160)
    console.print(machine())
    for name, pages in page_sets(options.every):
        table = Table(title=f"{name}: {len(pages)} pages", title_justify="left")
        for column in ("steps", "pages changed", "lines found, F1 %", "CER of the page %", "ms a page"):
            table.add_column(column)
        for mode, (scores, changed, seconds) in measure(recognizer, pages).items():
            spent = f"{1000 * seconds / len(pages):.0f}"
            table.add_row(mode, str(changed), f"{100 * scores.f1:.2f}", f"{100 * scores.cer:.2f}", spent)
        console.print(table)


if __name__ == "__main__":
    main()
