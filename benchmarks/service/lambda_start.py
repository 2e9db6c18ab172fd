"""How the AWS Lambda function starts: unzipped size, cold start and peak memory, on two cores.

    python -m benchmarks.service.lambda_start --tree build/lambda/tree --python python3.13

The tree is what deploy/lambda/build_zip.py made; nothing else is on Python's path. Without --tree, the installed
package is measured. A cold start is a new process that imports the handler, which loads the models, and reads one
image; times are medians of several processes, memory is the largest. Files are in the system's cache, which on Lambda
the first start of a new version does not find. Exits with 1 where a limit is passed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.machine import machine

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "samples" / "letter.jpg"
LINE_BOX = (100, 360, 1180, 460)  # of the third line of the page, in pixels
CORES = 2
LIMITS = {"unzipped size": (250 * 2**20 / 1e6, "MB"), "cold start": (2.0, "s"), "peak memory": (1000.0, "MB")}
RUNS = 5
CHILD = """
import time; start = time.perf_counter()
import sys
if sys.argv[1]: sys.path.insert(0, sys.argv[1])
from text_recognizer.service.aws_lambda import handler
loaded = time.perf_counter()
import base64, json, resource
event = {"image": base64.b64encode(open(sys.argv[2], "rb").read()).decode(), "unit": sys.argv[3]}
asked = time.perf_counter()
answer = handler(event, None)
first = time.perf_counter()
handler(event, None)
second = time.perf_counter()
assert answer["pred"], answer
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps([loaded - start, first - asked, first - start, second - first, peak]))
"""


def cold_start(python: str, tree: Path | None, image: Path, unit: str) -> list[float]:
    """Seconds of import and models, first answer, both, and second answer; peak memory in MB: in a new process."""
    alone = ["-I", "-S", "-B"] if tree else []
    command = [python, *alone, "-c", CHILD, str(tree or ""), str(image), unit]
    environment = os.environ | {"TEXT_RECOGNIZER_IMAGE_URL": "off"}
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    return json.loads(output.splitlines()[-1])


def measure(python: str, tree: Path | None, image: Path, unit: str) -> list[float]:
    """Medians of several cold starts, and the largest memory."""
    columns = list(zip(*(cold_start(python, tree, image, unit) for _ in range(RUNS)), strict=True))
    return [*(statistics.median(column) for column in columns[:-1]), max(columns[-1])]


def main() -> None:
    """Print the table, and fail where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, help="the unzipped function")
    parser.add_argument("--python", default=sys.executable, help="the Python that the tree was built for")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # children inherit it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    print(machine())
    figures: dict[str, float] = {}
    if options.tree:
        files = (path for path in options.tree.rglob("*") if path.is_file())
        figures["unzipped size"] = sum(path.stat().st_size for path in files) / 1e6
    tree = options.tree.resolve() if options.tree else None
    with tempfile.TemporaryDirectory() as folder:
        line = Path(folder) / "line.png"
        Image.open(PAGE).crop(LINE_BOX).save(line)
        by_unit = {unit: measure(options.python, tree, image, unit) for unit, image in (("line", line), ("page", PAGE))}
    print(
        "| | import and models | first answer | cold start | second answer | peak memory |\n|---|---|---|---|---|---|"
    )
    for unit, (loading, first, both, second, peak) in by_unit.items():
        print(f"| a {unit} | {loading:.2f} s | {first:.2f} s | {both:.2f} s | {second:.2f} s | {peak:.0f} MB |")
    figures["cold start"] = max(values[2] for values in by_unit.values())
    figures["peak memory"] = max(values[4] for values in by_unit.values())
    for name, value in figures.items():
        limit, measure_unit = LIMITS[name]
        print(f"{name}: {value:.4g} {measure_unit}, {'under' if value < limit else 'OVER'} {limit:.4g}")
    sys.exit(any(value >= LIMITS[name][0] for name, value in figures.items()))


if __name__ == "__main__":
    main()
