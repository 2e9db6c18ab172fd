"""What it costs to read with an old model: every version of a shipped recogniser that git has, on the same lines.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.monitoring.staleness [--model lines] [--every 5]

Letter by letter, so that the language model, which has versions of its own, has no say.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.machine import machine
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation.error_rates import measure_lines
from text_recognizer.recognition.bundle import SHIPPED, BundleError
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

VAL = ("iam-val", "copiste-val")
ROOT = Path(__file__).resolve().parents[2]


def git(*arguments: str) -> bytes:
    """What git says in this repository."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def versions(name: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The day on which each version of a bundle's weights was committed, and the bundle; the oldest first."""
    place = (SHIPPED / name).relative_to(ROOT).as_posix()
    log = git("log", "--reverse", "--format=%h %as", "--", f"{place}/model.onnx").decode()
    for row in log.splitlines():
        commit, day = row.split()
        with tarfile.open(fileobj=io.BytesIO(git("archive", commit, place))) as archive:
            archive.extractall(folder / commit, filter="data")
        yield day, folder / commit / place


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lines")
    parser.add_argument("--every", type=int, default=1, help="only every so many lines of a set")
    options = parser.parse_args()
    sets = {name: line_dataset(LineSource(name)) for name in VAL}
    sets = {name: lines.only(range(0, len(lines), options.every)) for name, lines in sets.items()}
    print(machine())
    print(
        "| version | committed |",
        " | ".join(f"{name} ({len(lines)}), CER / WER %" for name, lines in sets.items()),
        "|",
    )
    print("|---|---|" + "---|" * len(sets))
    with tempfile.TemporaryDirectory() as folder:
        for day, bundle in versions(options.model, Path(folder)):
            try:
                reader = LineTextRecognizer(bundle)
            except BundleError as error:
                print(f"| {error} |")
                continue
            rates = [measure_lines(reader, lines)[0] for lines in sets.values()]
            row = " | ".join(f"{100 * rate.cer:.2f} / {100 * rate.wer:.1f}" for rate in rates)
            print(f"| {reader.bundle.identity} | {day} | {row} |", flush=True)


if __name__ == "__main__":
    main()
