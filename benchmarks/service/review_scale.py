"""How the review queue takes many readings: taking pages in, handing out a line, saving what is said, counting.

    python -m benchmarks.service.review_scale [--readings 1000 --readings 10000] [--url postgresql://...]

Every reading is a page of ten lines, a third of them doubtful, kept with consent; the first line of each has been
corrected. No features are recorded, so no page is compared with a reference. Three people review by turns, 60 lines;
medians and the slowest. The database is a new SQLite file, or the empty one of a URL.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.machine import machine
from text_recognizer.labeling.labels import Label, now
from text_recognizer.page import Line, Page, Word
from text_recognizer.service.feedback import FeedbackStore, NewCorrection, StoredPage, StoredReading
from text_recognizer.service.review.queue import ReviewQueue
from text_recognizer.service.review.source import ReviewSource
from text_recognizer.service.review.store import ReviewStore

LINES, HANDED_OUT, PEOPLE = 10, 60, ("Ada", "Ben", "Cleo")


def page(draw: random.Random) -> Page:
    """Ten lines of two words, a third of them with a doubtful one."""
    lines = []
    for number in range(LINES):
        top = 10.0 + 40 * number
        box = ((10.0, top), (200.0, top), (200.0, top + 30), (10.0, top + 30))
        sure = draw.uniform(0.2, 0.74) if draw.random() < 1 / 3 else 0.95
        words = (Word("plain", box, 0.99, (0.99,) * 5), Word("word", box, sure, (sure,) * 4))
        lines.append(Line("plain word", box, sure, ((10, top + 22), (200, top + 22)), words))
    return Page(tuple(lines), 300, 420, None, {"lines": "lines"})


def fill(store: FeedbackStore, readings: int) -> None:
    """Keep so many readings."""
    draw, buffer = random.Random(0), io.BytesIO()
    Image.fromarray(np.full((420, 300), 250, np.uint8)).save(buffer, "JPEG")
    for number in range(readings):
        kept = StoredReading(f"r{number:06d}", (StoredPage(page(draw), buffer.getvalue()),), consent=True)
        store.save_reading(kept)
        store.add_corrections(kept.id, [NewCorrection(0, 0, "plain word")], "Dora")


def timed(ask: Callable[[], Any]) -> tuple[Any, float]:
    """What `ask` says, and how many milliseconds it took."""
    start = time.perf_counter()
    answer = ask()
    return answer, 1000 * (time.perf_counter() - start)


def measure(url: str, folder: Path, readings: int) -> str:
    """One row of the table."""
    store, reviews = FeedbackStore(url, str(folder)), ReviewStore(url)
    fill(store, readings)
    queue = ReviewQueue(ReviewSource(reviews, store, None))
    _, first = timed(lambda: queue.next(PEOPLE[0]))
    _, taken = timed(lambda: all(iter(reviews.prepare, False)))
    handed, saved = [], []
    for number in range(HANDED_OUT):
        who = PEOPLE[number % len(PEOPLE)]
        task, took = timed(lambda who=who: queue.next(who))
        handed.append(took)
        label = Label(task.page, task.line.id, who, now(), "labeled", "plain text", task.line.polygon)
        saved.append(timed(lambda label=label: queue.source.add([label]))[1])
        queue.release(who, task.page, task.line.id)
    progress, counted = timed(lambda: reviews.progress(None))
    _, chosen = timed(lambda: reviews.pages(None))
    reviews.close()
    store.close()
    cells = [f"{readings:,}", f"{progress.lines:,}", f"{first:.0f}", f"{taken / readings:.2f}"]
    cells += [f"{statistics.median(times):.1f}, {max(times):.0f}" for times in (handed, saved)]
    return "| " + " | ".join([*cells, f"{counted:.0f}", f"{chosen:.0f}"]) + " |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, action="append", help="1000 and 10000 by default")
    parser.add_argument("--url", help="of an empty database; takes one --readings")
    options = parser.parse_args()
    print(machine())
    titles = ["readings", "lines in the queue", "first line, ms", "taking in, ms a page"]
    titles += ["handing out a line, ms", "saving, ms", "counting, ms", "pages to choose from, ms"]
    print("| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
    for readings in options.readings or [1000, 10000]:
        with tempfile.TemporaryDirectory() as folder:
            url = options.url or f"sqlite:///{folder}/feedback.sqlite"
            print(measure(url, Path(folder) / "images", readings), flush=True)


if __name__ == "__main__":
    main()
