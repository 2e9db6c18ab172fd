"""What a million and a billion pages take: a simulation fed with the pages of a real run.

    text-recognizer read samples/*.jpg --output /tmp/out --format json --format alto     # or your own pages
    python -m benchmarks.service.scale /tmp/out [--cores 100] [--price 0.0408] [--mtbf 24]

From the manifest of the run come how long pages take on one core and how large their outputs are. Simulated is a pool
of cores that take blocks of pages from a queue: they start, they read, they die now and then (at random, on average
after `--mtbf` hours) and are replaced, and what a dead one had not finished is read again. Printed: hours until the
last page, core hours, cost, pages read twice, time that cores had nothing to do.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RUNS = [(1_000_000, 16), (1_000_000, 128), (1_000_000_000, 4_000), (1_000_000_000, 40_000)]  # pages, cores
STORAGE = 0.023  # US dollars a gigabyte and month, S3 Standard, us-east-1, March 2026
REQUESTS = 0.005 / 1000  # US dollars for writing a file to it
PRICE = 0.0816 / 2  # US dollars a core and hour: m7g.large on demand, us-east-1, June 2026, two cores


@dataclass(frozen=True)
class Pages:
    """Pages of a run: mean and standard deviation of the seconds that one takes on a core, bytes and files written."""

    mean: float
    deviation: float
    bytes: float
    files: float
    count: int


@dataclass(frozen=True)
class Pool:
    """cores, pages a block, seconds until a core reads its first page, hours until one dies, seconds until another is
    there in its place."""

    cores: int
    block: int = 1000
    start: float = 5.0
    mtbf: float = 24.0
    replacement: float = 120.0


@dataclass(frozen=True)
class Outcome:
    """wall, busy, idle: seconds until the end, of all cores at work, of all cores without. again: pages read twice."""

    wall: float
    busy: float
    idle: float
    again: float
    deaths: int


def pages_of(folder: Path) -> Pages:
    """The pages of an output folder, as its manifest says. Raises ValueError where none was read."""
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    read = [row for row in rows if row["status"] == "read"]
    if not read:
        raise ValueError(f"{folder} has no pages that were read")
    seconds = np.array([row["milliseconds"] for row in read]) / 1000
    outputs = [folder / name for name in {name for row in read for name in row["outputs"]}]
    size = sum(path.stat().st_size for path in outputs)
    return Pages(
        float(seconds.mean()), float(seconds.std()), size / len(read), len(outputs) / len(read), len(read)
    )  # fmt: skip


def simulate(pages: Pages, count: int, pool: Pool, seed: int = 1) -> Outcome:
    """Read `count` pages. A block's time is normal, as that of many pages is; a core that dies loses the page it reads.

    Blocks get smaller towards the end, so that no core is left alone with a large one.
    """
    rng = np.random.default_rng(seed)
    free = [(pool.start, number) for number in range(pool.cores)]
    dies = rng.exponential(pool.mtbf * 3600, pool.cores).tolist()
    heapq.heapify(free)
    left, busy, again, deaths, end = float(count), 0.0, 0.0, 0, 0.0
    idle = pool.cores * pool.start
    while left > 0:
        now, core = heapq.heappop(free)
        block = min(pool.block, max(1, math.ceil(left / (4 * pool.cores))), left)
        left -= block
        seconds = max(0.0, rng.normal(block * pages.mean, math.sqrt(block) * pages.deviation))
        if now + seconds <= dies[core]:
            busy, end = busy + seconds, max(end, now + seconds)
            heapq.heappush(free, (now + seconds, core))
            continue
        worked = max(0.0, dies[core] - now)
        # Every page that was written counts; the one in work is read again by whoever takes the rest of the block.
        left += block - min(block - 1, math.floor(block * worked / max(seconds, 1e-9)))
        again, deaths, busy = again + 1, deaths + 1, busy + worked
        back = now + worked + pool.replacement + pool.start
        idle += pool.replacement + pool.start
        dies[core] = back + float(rng.exponential(pool.mtbf * 3600))
        heapq.heappush(free, (back, core))
    idle += sum(max(0.0, end - now) for now, _ in free)
    return Outcome(end, busy, idle, again, deaths)


def row(pages: Pages, count: int, pool: Pool, price: float) -> str:
    """A row of the table."""
    outcome = simulate(pages, count, pool)
    hours = pool.cores * outcome.wall / 3600
    gigabytes = count * pages.bytes / 1e9
    cells = [
        f"{count:,}", f"{pool.cores:,}", f"{outcome.wall / 3600:,.1f}", f"{hours:,.0f}", f"{hours * price:,.0f}",
        f"{100 * outcome.idle / (outcome.idle + outcome.busy):.1f}", f"{outcome.deaths:,}", f"{outcome.again:,.0f}",
        f"{gigabytes:,.0f}", f"{gigabytes * STORAGE:,.0f}", f"{count * pages.files * REQUESTS:,.0f}",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="output of a run with --jobs, one thread a job")
    parser.add_argument("--pages", type=int, help="instead of a million and a billion")
    parser.add_argument("--cores", type=int, default=100, help="with --pages")
    parser.add_argument("--price", type=float, default=PRICE, help="US dollars a core and hour")
    parser.add_argument("--mtbf", type=float, default=24.0, help="hours until a core dies, on average")
    parser.add_argument("--block", type=int, default=1000, help="pages that a core takes at once")
    options = parser.parse_args()
    pages = pages_of(options.folder)
    print(
        f"{pages.count} pages measured: {pages.mean:.3f} s a page on one core (standard deviation "
        f"{pages.deviation:.3f}), {1 / pages.mean:.2f} pages a second, {pages.bytes / 1000:.1f} kB written a page\n"
    )
    print(
        "| pages | cores | hours | core hours | US $ | time without work % | cores lost | pages read twice | GB "
        "| US $ a month | US $ to write |"
    )
    print("|" + "---|" * 11)
    runs = [(options.pages, options.cores)] if options.pages else RUNS
    for count, cores in runs:
        print(row(pages, count, Pool(cores, options.block, mtbf=options.mtbf), options.price), flush=True)


if __name__ == "__main__":
    main()
