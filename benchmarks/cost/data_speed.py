"""How fast lines are drawn: lines a second in two processes, and milliseconds of processor time a line.

    python -m benchmarks.cost.data_speed
    python -m benchmarks.cost.data_speed --dataset iam-ondb

A line is set in a font or drawn of pen strokes, put on paper, which is what the generator does, and normalised as every
line is that training gets. Without a data folder (TEXT_RECOGNIZER_DATA) the fonts and the text of the tests serve.
Processor time counts the work itself, whatever else the machine does meanwhile; the clock says what one waits for.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import cProfile
import multiprocessing
import os
import pstats
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ("synthetic", "iam-ondb", "synthetic-signs", "synthetic-languages")


def generator(dataset: str, seed: int) -> Callable[[int], Any]:
    """Draws line number i of a dataset, normalised."""
    if dataset == "iam-ondb":
        import numpy as np

        from text_recognizer.learning.synthesis.iam_ondb import iam_ondb_lines

        drawn = iam_ondb_lines("train", renderings=0)
        np.random.seed(seed)
        return lambda number: drawn[number * 37 % len(drawn)]  # lines of many writers
    from text_recognizer.images import normalize_line
    from text_recognizer.learning.synthesis.form_lines import FormLines
    from text_recognizer.learning.synthesis.lines import SyntheticLines
    from text_recognizer.learning.synthesis.page_margins import margin_strips

    lines = SyntheticLines(seed) if dataset == "synthetic" else FormLines(dataset, seed, strips=margin_strips())
    return lambda number: normalize_line(lines[number][0])


def make(dataset: str, seed: int, count: int) -> tuple[float, float, float]:
    """Make lines of a seed; begin and end by the clock, and seconds of processor time. Start-up does not count."""
    import cv2

    cv2.setNumThreads(1)
    draw = generator(dataset, seed)
    for number in range(20):  # fonts are opened
        draw(number)
    begin, start = time.monotonic(), time.process_time()
    for number in range(count):
        draw(number)
    return begin, time.monotonic(), time.process_time() - start


def timed(dataset: str, processes: int, count: int) -> tuple[float, float]:
    """Lines a second by the clock, from the first begin to the last end, and milliseconds of processor time a line."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
        begins, ends, spent = zip(
            *pool.map(make, [dataset] * processes, range(processes), [count] * processes), strict=True
        )
    return processes * count / (max(ends) - min(begins)), 1000 * sum(spent) / (processes * count)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=DATASETS, default=DATASETS[0])
    parser.add_argument("--count", type=int, default=400, help="lines a process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="say where the time goes, in one process")
    options = parser.parse_args()
    os.environ.setdefault("TEXT_RECOGNIZER_DATA", str(ROOT / "tests" / "data"))
    print(machine())
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(make, options.dataset, 1, options.count)
        pstats.Stats(profile).sort_stats("tottime").print_stats(20)
        return
    clock, spent = timed(options.dataset, options.processes, options.count)
    print(f"{options.dataset}, {options.processes} processes: {clock:.0f} lines/s, {spent:.1f} ms of a core a line")


if __name__ == "__main__":
    main()
