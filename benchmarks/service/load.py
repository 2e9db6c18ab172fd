"""What the server bears: many users at once, and ten thousand requests one after the other. Linux only.

    python -m benchmarks.service.load                                  50 users post pages for 180 s
    python -m benchmarks.service.load --seconds 0 --memory 10000       10,000 requests, memory watched
    python -m benchmarks.service.load --quick                          a little of both, in a minute

Starts `text-recognizer serve` with its defaults, on loopback. Each user posts the pages of samples/ in turn, as soon
as the answer to the last one has come, and comes back after Retry-After where the answer is 503. The measure is the
recogniser itself, reading the same files in a plain loop in a process of its own, before and after: where these two
differ, the machine was busy with something else. Exits with 1 where a promise is broken: a request fails, fewer
pages a second than 90 % of the plain loop, or memory that grows by more than 5 % after the first 1,000 requests.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

import httpx
import numpy as np
from PIL import Image

from benchmarks.machine import machine
from benchmarks.service.serving import ROOT, Server, serving

PAGES = sorted((ROOT / "samples").glob("*.jpg"))
SHARE = 0.90  # of the plain loop's pages a second
GROWTH = 0.05  # of memory, after WARM requests
WARM = 1000
PLAIN = """
import sys, time
from text_recognizer import TextRecognizer
recognizer, paths = TextRecognizer(), sys.argv[2:]
for path in paths: lines = recognizer.read(path)
start, pages = time.perf_counter(), 0
while time.perf_counter() - start < float(sys.argv[1]):
    for path in paths: recognizer.read(path)
    pages += len(paths)
print(pages / (time.perf_counter() - start))
"""


@dataclass(frozen=True)
class Upload:
    """A file to post, and what it holds: "page" or "line"."""

    name: str
    data: bytes
    unit: str = "page"


@dataclass
class Outcome:
    """What users saw. seconds: of each answered request, its retries included. memory: requests answered -> MB."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[int, float]] = field(default_factory=list)
    wall: float = 0.0
    client_cores: float = 0.0
    server_cores: float = 0.0

    @property
    def failures(self) -> int:
        """Requests whose answer was neither a reading nor "come back later"."""
        return sum(count for status, count in self.statuses.items() if status not in ("200", "503"))


def plain_pages_a_second(seconds: float) -> float:
    """The recogniser's own rate, in a new process: whole rounds over the pages, after one to warm up."""
    command = [sys.executable, "-c", PLAIN, str(seconds), *map(str, PAGES)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


async def post_all(server: Server, uploads: Iterator[Upload], users: int) -> Outcome:
    """Post everything, `users` requests at a time; each user takes the next upload when the last one is answered."""
    outcome, start = Outcome(), time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_SELF)
    served = server.cpu_seconds()
    limits = httpx.Limits(max_connections=users)
    async with httpx.AsyncClient(base_url=server.address, timeout=300, limits=limits) as client:
        watching = asyncio.create_task(_watch_memory(server, outcome))
        await asyncio.gather(*(_user(client, uploads, outcome) for _ in range(users)))
        watching.cancel()
    outcome.wall = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_SELF)
    outcome.client_cores = (now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime) / outcome.wall
    outcome.server_cores = (server.cpu_seconds() - served) / outcome.wall
    return outcome


async def _user(client: httpx.AsyncClient, uploads: Iterator[Upload], outcome: Outcome) -> None:
    for upload in uploads:
        start = time.perf_counter()
        while True:
            try:
                files, fields = {"file": (upload.name, upload.data)}, {"unit": upload.unit}
                answer = await client.post("/v1/predict", files=files, data=fields)
            except httpx.TransportError as error:
                outcome.statuses[type(error).__name__] += 1
                break
            outcome.statuses[str(answer.status_code)] += 1
            if answer.status_code != 503:
                break
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        outcome.seconds.append(time.perf_counter() - start)


async def _watch_memory(server: Server, outcome: Outcome) -> None:
    while True:
        outcome.memory.append((len(outcome.seconds), server.megabytes()))
        await asyncio.sleep(0.25)


def pages_for(seconds: float) -> Iterator[Upload]:
    """The sample pages, over and over, until the time is up; whole rounds, so that every page comes as often."""
    uploads, end = [Upload(path.name, path.read_bytes()) for path in PAGES], time.monotonic() + seconds
    while time.monotonic() < end:
        yield from uploads


def line_crops(count: int) -> list[Upload]:
    """Lines of the sample pages, cut at random places and scaled at random: no two of them have the same size."""
    from text_recognizer import TextRecognizer

    recognizer, chance = TextRecognizer(), random.Random(0)
    cuts = []
    for path in PAGES:
        image = Image.open(path).convert("L")
        for line in recognizer.read(np.array(image)).lines:
            (left, right), (top, bottom) = ((min(axis), max(axis)) for axis in zip(*line.polygon, strict=True))
            cuts.append(image.crop((int(left), int(top), int(right) + 1, int(bottom) + 1)))
    return [_varied(chance.choice(cuts), chance, number) for number in range(count)]


def _varied(line: Image.Image, chance: random.Random, number: int) -> Upload:
    width = max(20, int(line.width * chance.uniform(0.1, 1.0)))
    left = chance.randint(0, max(0, line.width - width))
    scale = chance.uniform(0.7, 1.4)
    cut = line.crop((left, 0, left + width, line.height)).resize((int(width * scale), int(line.height * scale)))
    file = BytesIO()
    cut.save(file, "JPEG", quality=90)
    return Upload(f"line-{number}.jpg", file.getvalue(), "line")


def mixed(requests: int) -> Iterator[Upload]:
    """Line crops, and a page every hundred."""
    crops = line_crops(min(requests, 1000))
    pages = itertools.cycle(Upload(path.name, path.read_bytes()) for path in PAGES)
    return (next(pages) if number % 100 == 99 else crops[number % len(crops)] for number in range(requests))


def load(users: int, seconds: float, plain_seconds: float, short: bool) -> list[str]:
    """Measure pages a second under load; the promises that were broken."""
    before = plain_pages_a_second(plain_seconds)
    with serving() as server:
        asyncio.run(post_all(server, (Upload(path.name, path.read_bytes()) for path in PAGES), len(PAGES)))  # warm up
        outcome = asyncio.run(post_all(server, pages_for(seconds), users))
    after = plain_pages_a_second(plain_seconds)
    plain, rate = (before + after) / 2, outcome.statuses["200"] / outcome.wall
    print(f"plain loop, before and after: {before:.2f} and {after:.2f} pages a second")
    if abs(before - after) > 0.15 * plain:
        print("these differ too much: the machine had other things to do, and the share below means little")
    print(f"{users} users for {outcome.wall:.0f} s: {rate:.2f} pages a second, {rate / plain:.0%} of the plain loop")
    _print_outcome(outcome)
    broken = [f"{outcome.failures} requests failed"] if outcome.failures else []
    if rate < SHARE * plain and not short:
        broken.append(f"{rate / plain:.1%} of the plain loop's pages a second, less than {SHARE:.0%}")
    return broken


def memory(requests: int, users: int) -> list[str]:
    """Measure memory over many requests; the promises that were broken."""
    uploads = mixed(requests)
    with serving() as server:
        outcome = asyncio.run(post_all(server, uploads, users))
        peak = server.megabytes("VmHWM")
    warm = min(WARM, requests // 4)
    part = max(50, requests // 20)
    first = statistics.median(mb for done, mb in outcome.memory if warm <= done < warm + part)
    last = statistics.median(mb for done, mb in outcome.memory if done >= requests - part)
    slope = np.polyfit(*zip(*(point for point in outcome.memory if point[0] >= warm), strict=True), 1)[0]
    print(f"{requests:,} requests of lines and every hundredth of a page, {users} at a time, in {outcome.wall:.0f} s")
    print(
        f"memory after {warm:,} requests {first:.0f} MB, at the end {last:.0f} MB ({last / first - 1:+.1%}),", end=" "
    )
    print(f"slope {1000 * slope:+.2f} MB per 1,000 requests, at the highest {peak:.0f} MB")
    _print_outcome(outcome)
    broken = [f"{outcome.failures} requests failed"] if outcome.failures else []
    return broken + ([f"memory grew by {last / first - 1:.1%}"] if last > (1 + GROWTH) * first else [])


def _print_outcome(outcome: Outcome) -> None:
    seconds = np.percentile(outcome.seconds, (50, 95, 99))
    print("latency p50, p95, p99: " + ", ".join(f"{value:.2f} s" for value in seconds))
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(outcome.statuses.items()))
    print(f"answers {statuses}; failures other than 503: {outcome.failures}")
    print(f"processor cores used: server {outcome.server_cores:.2f}, this client {outcome.client_cores:.3f}")


def main() -> None:
    """Print the figures; exit with 1 where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=50, help="users that post pages at the same time")
    parser.add_argument("--seconds", type=float, default=180, help="how long they do; 0: not at all")
    parser.add_argument("--memory", type=int, default=0, metavar="REQUESTS", help="requests of the memory run")
    parser.add_argument("--plain", type=float, default=30, help="seconds of the plain loop, before and after")
    parser.add_argument("--quick", action="store_true", help="a short run of both; says nothing of the throughput")
    options = parser.parse_args()
    if options.quick:
        options.users, options.seconds, options.memory, options.plain = 8, 10, 400, 5
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the server is stopped too
    print(machine(), flush=True)
    broken = load(options.users, options.seconds, options.plain, options.quick) if options.seconds else []
    broken += memory(options.memory, users=8) if options.memory else []
    if broken:
        raise SystemExit("broken: " + "; ".join(broken))


if __name__ == "__main__":
    main()
