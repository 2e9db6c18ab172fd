"""Part `memory` of cost.py: what a new process that reads one page needs, by the size of the page and its lines."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.cost.cost_lines import Gray, block, page

MEGAPIXELS = (0.5, 1, 2, 4, 8, 16, 32)
SIDES = (1, 2, 4)  # blocks of ten lines beside and below each other
# The highest memory of the process itself: ru_maxrss would also count the process that started it, whose memory a new
# process shares for a moment.
CHILD = """
import sys, time
from pathlib import Path
from text_recognizer import TextRecognizer
recognizer = TextRecognizer()
recognizer.detector
start = time.perf_counter()
lines = len(recognizer.read(sys.argv[1]).lines) if len(sys.argv) > 1 else 0
seconds = time.perf_counter() - start
rows = Path("/proc/self/status").read_text().splitlines()
print(seconds, lines, next(int(row.split()[1]) for row in rows if row.startswith("VmHWM")) * 1024 / 1e6)
"""


def read_in_new_process(image: Gray | None) -> tuple[float, int, float]:
    """Seconds of the first reading, lines found, and the highest memory in MB; None: models are loaded, nothing is
    read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.jpg"
        if image is not None:
            cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
        command = [sys.executable, "-c", CHILD, *([] if image is None else [str(path)])]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(output[0]), int(output[1]), float(output[2])


def resized(gray: Gray, megapixels: float) -> Gray:
    """The page at another size."""
    scale = (megapixels * 1e6 / gray.size) ** 0.5
    smaller = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(gray, None, fx=scale, fy=scale, interpolation=smaller)


def tables(rounds: int, megapixels: tuple[float, ...], sides: tuple[int, ...]) -> list[dict[str, Any]]:
    """The letter at several sizes, then pages of more and more lines of one size."""
    base = min(read_in_new_process(None)[2] for _ in range(rounds))
    gray = page()
    rows: list[list[Any]] = [["none, models loaded", 0, 0.0, base, 0.0]]
    for size in megapixels:
        rows.append([float(size), *_best(resized(gray, size), rounds, base)])
    tens, count = block()
    more: list[list[Any]] = []
    for side in sides:
        tiled = np.tile(tens, (side, side))
        more.append([count * side**2, tiled.size / 1e6, *_best(tiled, rounds, base)])
    measured = ["lines found", "seconds", "peak memory, MB", "MB above the loaded models"]
    return [
        {"title": "samples/letter.jpg at other sizes", "header": ["megapixels", *measured], "rows": rows},
        {
            "title": f"{count} lines of samples/letter.jpg, repeated beside and below each other",
            "header": ["lines", "megapixels", *measured],
            "rows": more,
        },
    ]


def _best(image: Gray, rounds: int, base: float) -> list[float]:
    """Lines found, fewest seconds, highest memory, and how much of it is above the base."""
    runs = [read_in_new_process(image) for _ in range(rounds)]
    peak = max(run[2] for run in runs)
    return [runs[0][1], min(run[0] for run in runs), peak, peak - base]


def measure(quick: bool) -> list[dict[str, Any]]:
    """The tables of this part."""
    return tables(1, MEGAPIXELS[::3], SIDES[:2]) if quick else tables(3, MEGAPIXELS, SIDES)
