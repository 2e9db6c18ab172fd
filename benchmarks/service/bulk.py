"""How many pages a second a job reads: one process with a thread a core, one with one thread, and several processes.

    python -m benchmarks.service.bulk [--copies 10] [--runs 3] [--jobs 2]

Copies of the sample pages are read with `text-recognizer read --output`'s own functions, the ways in turn, so that what
else the machine does strikes all of them. Pages a second are counted once the models are loaded. The machine must be
quiet: the processes take what cores there are.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import statistics
import tempfile
from pathlib import Path

from benchmarks.machine import machine
from text_recognizer.jobs.documents import PageNumbers
from text_recognizer.jobs.run import Job, run_job
from text_recognizer.jobs.worker import Recipe

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def main() -> None:
    """Print a table of the ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=10, help="of each of the sample pages")
    parser.add_argument("--runs", type=int, default=3, help="of each way")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the last way")
    asked = parser.parse_args()
    ways = {
        "one process, a thread a core": (1, None),
        "one process, one thread": (1, 1),
        f"{asked.jobs} processes": (asked.jobs, None),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for picture in sorted(SAMPLES.glob("*.jpg")):
            for number in range(asked.copies):
                (folder / "in").mkdir(exist_ok=True)
                shutil.copy(picture, folder / "in" / f"{picture.stem}-{number}.jpg")
        for _ in range(asked.runs):
            for way, (jobs, threads) in ways.items():
                rates[way].append(_rate(folder, jobs, threads))
                print(f"{way}: {rates[way][-1]:.2f} pages a second", flush=True)
    print(f"\n{machine()}\n\n| | pages a second, median of {asked.runs} | all |\n|---|---|---|")
    for way, found in rates.items():
        print(f"| {way} | {statistics.median(found):.2f} | {', '.join(f'{rate:.2f}' for rate in found)} |")
    *_, several = rates.values()
    for way in list(ways)[:2]:
        ratio = statistics.median(several) / statistics.median(rates[way])
        print(f"\n{asked.jobs} processes read {ratio:.2f} times what {way} reads.")


def _rate(folder: Path, jobs: int, threads: int | None) -> float:
    shutil.rmtree(folder / "out", ignore_errors=True)
    job = Job((str(folder / "in"),), folder / "out", ("txt",), Recipe(threads=threads), PageNumbers(), jobs)
    with contextlib.redirect_stderr(io.StringIO()):
        return run_job(job).rate


if __name__ == "__main__":
    main()
