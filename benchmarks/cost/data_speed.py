"""How fast synthetic lines are made: lines a second in two processes, and lines a second of processor time.

    python -m benchmarks.cost.data_speed

A line is set in a font, distorted and put on paper, which is what the generator does, and then normalised as every line
is that training gets. Without a data folder
(TEXT_RECOGNIZER_DATA) the fonts and the text of the tests serve. Processor time counts the work itself,
whatever else the machine does meanwhile; the clock says what one waits for.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import cProfile
import multiprocessing
import os
import pstats
import time
from pathlib import Path

from benchmarks.machine import machine

ROOT = Path(__file__).resolve().parents[2]


def make(number: int, count: int, normalized: bool = True) -> tuple[float, float, float]:
    """Make lines of a seed; begin and end by the clock, and seconds of processor time. Start-up does not count."""
    import cv2

    from text_recognizer.learning.synthesis.lines import SyntheticLines

    cv2.setNumThreads(1)
    lines = SyntheticLines(number)
    for _ in lines.normalized(20):  # fonts are opened
        pass
    begin, start = time.monotonic(), time.process_time()
    for _ in lines.normalized(count) if normalized else (lines[index] for index in range(count)):
        pass
    return begin, time.monotonic(), time.process_time() - start


def timed(processes: int, count: int, normalized: bool) -> tuple[float, float]:
    """Lines a second by the clock, from the first begin to the last end, and lines a second of processor time."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as pool:
        begins, ends, spent = zip(
            *pool.map(make, range(processes), [count] * processes, [normalized] * processes), strict=True
        )
    return processes * count / (max(ends) - min(begins)), processes * count / sum(spent)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400, help="lines a process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="say where the time goes, in one process")
    options = parser.parse_args()
    os.environ.setdefault("TEXT_RECOGNIZER_DATA", str(ROOT / "tests" / "data"))
    print(machine())
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(make, 1, options.count)
        pstats.Stats(profile).sort_stats("tottime").print_stats(20)
        return
    for what, normalized in (("made", False), ("made and normalised", True)):
        clock, processor = timed(options.processes, options.count, normalized)
        print(f"{what}, {options.processes} processes: {clock:.0f} lines/s, {processor:.0f} lines/s of a core")


if __name__ == "__main__":
    main()
