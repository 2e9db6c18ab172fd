"""What fine-tuning on some lines of a writer brings for the writer's other lines, and what it costs the old skill.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.training.fine_tuning [--writer iam-000] [--lines 20 100 500]
        [--picture SVG]

The recogniser is `open`, which has never seen IAM or the letters of Hooker, so that each of their writers is new to it,
and its rehearsal sets hold none of them. Of a writer's lines some are drawn by chance to test with; of the others the
first ones are given to `fine_tune`, which sets a part of them aside for val, as it does for anybody. A writer who has
fewer than half of the lines that are asked for is left out of that size. The old skill are 120 lines of Copiste val.
Writers on whose lines the settings were chosen are in `TUNED_ON` and in no table.

Results are kept in the cache folder (`fine-tuning.json`): a benchmark that was stopped goes on with what is missing,
and --print only prints. Other options are fields of the experiment, --trainer.threads=1 for instance.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.machine import machine
from benchmarks.training.learning_curve import curve_svg
from text_recognizer.images import cut_line
from text_recognizer.learning.datasets.iam import iam_rows
from text_recognizer.learning.datasets.pages import is_legible, pages
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.experiments.fine_tuning.evaluate import measure_sets
from text_recognizer.learning.experiments.fine_tuning.fine_tune import fine_tune
from text_recognizer.paths import cache_dir, data_dir
from text_recognizer.recognition.bundle import find_bundle

TUNED_ON = ("iam-153",)
WRITERS = ("iam-000", "iam-151", "iam-155", "hooker")
SIZES = (20, 100, 500)
TEST_LINES = 60
MODEL = "open"
RESULTS = "fine-tuning.json"

Result = dict[str, Any]


def raw_lines(writer: str) -> Iterator[tuple[str, str, Image.Image]]:
    """Identifier, text and gray image of each line of a writer: "iam-000", or "hooker"."""
    if writer.startswith("iam-"):
        for row in iam_rows("train"):
            if f"iam-{row['writer']}" == writer:
                with Image.open(data_dir() / "iam" / "lines" / f"{row['line_id']}.webp") as image:
                    yield row["line_id"], row["text"], image.convert("L")
        return
    for page in pages(writer, "train"):
        image = page.image()
        for number, line in enumerate(page.lines):
            if is_legible(line["text"]) and len(line["baseline"]) > 1:
                crop = cut_line(image, np.array(line["baseline"]), np.array(line["polygon"]))
                yield f"{page.identifier}-{number:02d}", line["text"], Image.fromarray(crop)


def whole_folder_of(writer: str) -> Path:
    """A folder of all lines of a writer, drawn in an order by chance: some of split test, the others of train."""
    folder = cache_dir() / "fine-tuning" / writer
    if (folder / "lines.tsv").is_file():
        return folder
    lines = list(raw_lines(writer))
    random.Random(1).shuffle(lines)
    tested = min(TEST_LINES, len(lines) // 3)
    (folder / "lines").mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (identifier, text, image) in enumerate(lines):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        (folder / "lines" / f"{identifier}.png").write_bytes(buffer.getvalue())
        split = "test" if number < tested else "train"
        rows.append([identifier, split, writer, text, hashlib.sha256(buffer.getvalue()).hexdigest(), writer])
    write_table(folder, rows)
    return folder


def write_table(folder: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write the table of a folder of lines."""
    with (folder / "lines.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        table.writerow(["line_id", "split", "writer", "text", "sha256", "source"])
        table.writerows(rows)


def some_lines(whole: Path, count: int | None = None) -> list[list[str]]:
    """The first rows of split train of a folder, at most so many."""
    with (whole / "lines.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [row for row in rows if row[1] == "train"][:count]


def some_of(whole: Path, count: int) -> Path:
    """A folder of the first lines of split train, at most so many."""
    chosen = some_lines(whole, count)
    folder = whole.with_name(f"{whole.name}-{len(chosen)}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "lines").symlink_to(whole / "lines")
    write_table(folder, chosen)
    return folder


def measured(writer: str, size: int, options: Sequence[str]) -> Result:
    """Fine-tune on lines of a writer, read the writer's test lines before and after."""
    whole = whole_folder_of(writer)
    given, lines = some_of(whole, size), len(some_lines(whole, size))
    tests = {"own": line_dataset(LineSource("folder", path=str(whole), split="test"))}
    began = time.monotonic()
    name = f"benchmark-{given.name}"
    tuned = fine_tune(MODEL, [given], cache_dir() / "fine-tuning" / "bundles" / name, name, overrides=options)
    minutes = (time.monotonic() - began) / 60
    before, after = (measure_sets(folder, tests) for folder in (find_bundle(MODEL), tuned.bundle))
    old = next(name for name in tuned.before if name != "own")
    return {
        "writer": writer,
        "lines": lines,
        "minutes": round(minutes, 1),
        "before": before | {"old": tuned.before[old]},
        "after": after | {"old": tuned.after[old]},
    }


def print_tables(results: Sequence[Result]) -> None:
    """A row for each writer and number of lines, then the mean for each number."""
    print("| writer (test lines) | lines given | greedy CER / WER % | with a language model | Copiste val | minutes |")
    print("|---|---|---|---|---|---|")
    for row in sorted(results, key=lambda row: (row["writer"], row["lines"])):
        own = [rates(row, "own", decoding) for decoding in ("greedy", "language")]
        old = " -> ".join(f"{row[when]['old']['greedy']['cer']:.2f}" for when in ("before", "after"))
        writer = f"{row['writer']} ({row['before']['own']['lines']})"
        print(f"| {writer} | {row['lines']} | {own[0]} | {own[1]} | {old} | {row['minutes']} |")
    print("\n| lines given | writers | greedy CER, after : before | with a language model | Copiste val |")
    print("|---|---|---|---|---|")
    for size, rows in grouped(results).items():
        ratios = [
            f"{mean(row['after'][name][how]['cer'] / row['before'][name][how]['cer'] for row in rows):.2f}"
            for name, how in (("own", "greedy"), ("own", "language"), ("old", "greedy"))
        ]
        print(f"| {size} | {len(rows)} | " + " | ".join(ratios) + " |")


def rates(row: Result, name: str, decoding: str) -> str:
    """CER and WER before and after."""
    cells = [row[when][name][decoding] for when in ("before", "after")]
    return " -> ".join(f"{cell['cer']:.2f} / {cell['wer']:.1f}" for cell in cells)


def grouped(results: Sequence[Result]) -> dict[int, list[Result]]:
    """Results by the size that was asked for: the next one that is not below the lines that there were."""
    groups: dict[int, list[Result]] = {}
    for row in results:
        size = next((size for size in SIZES if row["lines"] <= size), SIZES[-1])
        groups.setdefault(size, []).append(row)
    return dict(sorted(groups.items()))


def mean(values: Iterator[float]) -> float:
    """The mean."""
    return float(np.mean(list(values)))


def main() -> None:
    """Measure what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writer", action="append", help=f"by default {', '.join(WRITERS)}")
    parser.add_argument("--lines", type=int, nargs="+", default=SIZES)
    parser.add_argument("--picture", type=Path, help="write the learning curve as an SVG")
    parser.add_argument("--print", action="store_true", help="only what was measured before")
    parser.add_argument("--again", action="store_true", help="measure anew")
    chosen, options = parser.parse_known_args()
    path = cache_dir() / RESULTS
    results: list[Result] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() and not chosen.again else []
    for size in [] if chosen.print else chosen.lines:
        for writer in chosen.writer or WRITERS:
            if size > min(SIZES) and 2 * len(some_lines(whole_folder_of(writer))) < size:
                continue
            if any(row["writer"] == writer and row["asked"] == size for row in results):
                continue
            results.append(measured(writer, size, options) | {"asked": size})
            path.write_text(json.dumps(results, indent=1), encoding="utf-8")
            print(f"{writer}, {size} lines: {rates(results[-1], 'own', 'greedy')}", flush=True)
    print(machine())
    reported = [row for row in results if row["writer"] not in TUNED_ON]
    print_tables(reported)
    if chosen.picture:
        chosen.picture.write_text(curve_svg(reported), encoding="utf-8")


if __name__ == "__main__":
    main()
