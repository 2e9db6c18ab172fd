"""How fast the shipped models read, and what they need: seconds and megabytes.

    python -m benchmarks.cost.speed

Every figure is the median of several runs. Start-up runs in fresh processes. The lines are 64 x 900
pixels after normalisation; the page is the first ten lines of samples/letter.jpg. The size of the
runtime is measured in a new virtual environment with --install.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import machine
from text_recognizer import TextRecognizer
from text_recognizer.images import LineStrip
from text_recognizer.recognition.layout.detector import LineDetector

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "samples" / "letter.jpg"
COLD = """
import time; start = time.perf_counter()
from text_recognizer import TextRecognizer
imported = time.perf_counter()
recognizer = TextRecognizer()
loaded = time.perf_counter()
import numpy as np
from text_recognizer.images import normalize_line
line = np.full((64, 900), 255, np.uint8)
for x in range(4, 890, 20): line[3:61, x:x + 4] = 0
assert normalize_line(line).shape[1] > 850
recognizer.read_lines([line])
done = time.perf_counter()
print(imported - start, loaded - imported, done - loaded, done - start)
"""
# Not ru_maxrss, in which the memory of the process that started this one counts.
MEMORY = """
import sys
from text_recognizer import TextRecognizer
recognizer = TextRecognizer()
for _ in range(3): recognizer.read(sys.argv[1])
with open("/proc/self/status") as rows:
    print(next(int(row.split()[1]) for row in rows if row.startswith("VmHWM")) / 1000)
"""


def seconds(work: Callable[[], object], runs: int = 7) -> float:
    """Median time of a few runs after one to warm up."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def fresh(code: str, *arguments: str) -> list[float]:
    """Numbers that a program prints in a new process."""
    output = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return [float(value) for value in output.stdout.split()]


def line_images(count: int) -> list[np.ndarray]:
    """Normalised lines of 64 x 900 with strokes on them."""
    rng = np.random.default_rng(0)
    return [(rng.random((64, 900)) > 0.85).astype(np.uint8) * 255 for _ in range(count)]


def real_lines(count: int) -> list[np.ndarray]:
    """Crops of the lines of the sample page, repeated where there are too few."""
    page = np.array(Image.open(PAGE).convert("L"))
    found = LineDetector().detect(page)
    crops = [LineStrip(line.baseline, line.polygon).cut(page) for line in found]
    return [crops[k % len(crops)] for k in range(count)]


def installed_megabytes() -> float:
    """Size of what `pip install .` puts into a new virtual environment, pip itself left out."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        before = _megabytes(Path(folder))
        command = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", ROOT]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return _megabytes(Path(folder)) - before


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="measure the size of an installation too")
    options = parser.parse_args()
    print(machine())
    cold = [statistics.median(values) for values in zip(*(fresh(COLD) for _ in range(5)), strict=True)]
    print(f"import {cold[0]:.2f} s, load {cold[1]:.2f} s, first line {cold[2]:.2f} s, together {cold[3]:.2f} s")
    recognizer = TextRecognizer()
    for batch in (1, 16):
        images = line_images(batch)
        took = seconds(lambda images=images: recognizer.line_reader.logits(images)) / batch
        print(f"a line of 64 x 900, batch {batch}, greedily: {1000 * took:.1f} ms", end=" ")
        texts = real_lines(batch)
        took = seconds(lambda texts=texts: recognizer.line_reader.read(texts, batch_size=16)) / batch
        print(f"(lines of the sample letter with the language model, normalised before: {1000 * took:.1f} ms)")
    page = np.array(Image.open(PAGE).convert("L"))
    lines = recognizer.read(page).lines[:10]
    block = page[: int(max(y for line in lines for _, y in line.polygon)) + 8]
    count = len(recognizer.read(block).lines)
    print(f"a page of {count} lines: {seconds(lambda: recognizer.read(block)):.2f} s", end=" ")
    print(f"(finding the lines: {seconds(lambda: recognizer.detector.detect(block)):.2f} s)")
    print(f"peak memory of a process that reads the page three times: {fresh(MEMORY, str(PAGE))[0]:.0f} MB")
    if options.install:
        print(f"installed runtime with dependencies and weights: {installed_megabytes():.0f} MB")


if __name__ == "__main__":
    main()
