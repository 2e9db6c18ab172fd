"""How long choosing takes: python -m benchmarks.labeling.active_scale [LINES] (default 100000).

Seconds of processor time.

The lines are made up: eight words of a public text each, doubted at random, 25 lines a page.
"""

from __future__ import annotations

import random
import resource
import sys
import time

from benchmarks.machine import machine
from text_recognizer.labeling.active_learning import Budget, Unlabelled, choose, unlabelled
from text_recognizer.page import Line, Word
from text_recognizer.paths import data_dir


def made_up(count: int) -> list[Unlabelled]:
    """So many lines."""
    rng = random.Random(1)
    text = (data_dir() / "text" / "sherlock_holmes.txt").read_text(encoding="utf-8").split()
    lines = []
    for number in range(count):
        start = rng.randrange(len(text) - 8)
        words = tuple(
            Word(word, (), rng.random() ** 0.3, tuple(rng.random() ** 0.1 for _ in word))
            for word in text[start : start + 8]
        )
        line = Line(" ".join(word.text for word in words), (), 0.5, (), words)
        lines.append(unlabelled(f"p{number // 25}", f"l{number % 25:04d}", line))
    return lines


def main() -> None:
    """Print the seconds for the strategies that take longest."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    start = time.process_time()
    lines = made_up(count)
    print(f"{machine()}; {count:,} lines, prepared in {time.process_time() - start:.0f} s")
    for strategy, budget in (("combined", Budget(200)), ("combined", Budget(characters=8400)), ("errors", Budget(200))):
        start = time.process_time()
        chosen = choose(lines, strategy, budget)
        took = time.process_time() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{strategy}, {budget}: {len(chosen)} lines in {took:.1f} s, at most {memory:.1f} GiB so far", flush=True)


if __name__ == "__main__":
    main()
