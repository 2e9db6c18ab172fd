"""Part `sustained` of cost.py: thousands of pages one after the other in one process; memory must not grow.

The pages are small, so that many are read in little time: about four lines each, cut from the samples at random places,
scaled and brightened at random, so that no shape and no text comes twice. Memory is looked at after every page.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

PAGES, WARM, EVERY = 2000, 200, 50


def resident_megabytes() -> float:
    """Memory of this process that is in use now, in MB (millions of bytes)."""
    import resource

    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 1e6


def _read(count: int, connection: Any) -> None:
    """What the process does: read pages, and say after each how long it took since the start, its memory, its lines."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    from benchmarks.cost.cost_lines import SAMPLES, page, piece
    from text_recognizer import TextRecognizer

    recognizer, rng = TextRecognizer(), np.random.default_rng(0)
    pages = [page(path) for path in sorted(SAMPLES.glob("*.jpg"))]
    spent = 0.0
    for _ in range(count):
        image = piece(pages, rng)
        start = time.perf_counter()
        lines = len(recognizer.read(image).lines)
        spent += time.perf_counter() - start
        connection.send((spent, resident_megabytes(), lines))


def watched(count: int) -> list[tuple[float, float, int]]:
    """Seconds of reading so far, memory in MB and lines found of each page; of those before Ctrl-C."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_read, args=(count, there), daemon=True)
    child.start()
    there.close()
    found: list[tuple[float, float, int]] = []
    try:
        while len(found) < count:
            found.append(here.recv())
            if len(found) % EVERY == 0:
                spent, memory, _ = found[-1]
                rate = len(found) / spent
                print(f"{len(found)} of {count} pages, {memory:.0f} MB, {rate:.2f} pages/s", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"stopped after {len(found)} pages", file=sys.stderr)
        child.terminate()
    except EOFError as error:
        raise RuntimeError(f"the process that reads ended after {len(found)} pages") from error
    child.join()
    return found


def tables(found: list[tuple[float, float, int]]) -> list[dict[str, Any]]:
    """The course of memory and speed, and a summary."""
    if len(found) < EVERY:
        return []
    spent, memory, lines = (np.array(column, float) for column in zip(*found, strict=True))
    marks = np.arange(EVERY, len(found) + 1, EVERY)
    rates = EVERY / np.diff(np.r_[0.0, spent[marks - 1]])
    course = [[int(at), float(memory[at - 1]), float(rate)] for at, rate in zip(marks, rates, strict=True)]
    warm = WARM if len(found) > WARM + EVERY else len(found) // 4
    slope = np.polyfit(np.arange(warm, len(found)), memory[warm:], 1)[0]
    summary = [
        len(found), float(lines.mean()), float(memory[0]), float(memory[warm]), float(memory[-1]),
        float(memory.max()), float(1000 * slope), len(found) / float(spent[-1]),
    ]  # fmt: skip
    header = ["pages", "lines a page", "MB after the first", f"after {warm}", "after the last", "at the highest"]
    header += [f"slope from page {warm} on, kB a page", "pages/s"]
    shown = {"title": f"Memory in use and pages a second, every {EVERY} pages", "header": ["page", "MB", "pages/s"]}
    return [
        {"title": "Pages of about four lines, one after the other in one process", "header": header, "rows": [summary]},
        {**shown, "rows": course},
    ]


def measure(quick: bool, pages: int = 0) -> list[dict[str, Any]]:
    """The tables of this part. pages: how many are read."""
    return tables(watched(pages or (100 if quick else PAGES)))
