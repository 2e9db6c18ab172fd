"""The loop on real handwriting: a server reads, a user corrects, `improve` learns, and what that brings.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.training.improve [--writer iam-000] [--lines 100] [--rounds 1]

The recogniser `open`, in production, has never seen IAM. It reads lines of a writer of IAM train into a feedback store,
a reading a form; each line is corrected to its true text. Then `improve` does what it does for anybody, with both
suites, in a folder of its own. In each further round as many lines more are corrected, and what was registered is
promoted before. What is measured: the lines of val that `improve` has set apart, other lines of the writer that were
never in the store (test), and 120 lines of Copiste val (the old skill). Other options are fields of the experiment.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import machine
from benchmarks.training.fine_tuning import raw_lines, some_lines, whole_folder_of
from text_recognizer import Page, TextRecognizer
from text_recognizer.cli.improve import FeedbackCorrections
from text_recognizer.cli.promote import tell
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation.suites.gate import in_production
from text_recognizer.learning.experiments.fine_tuning.evaluate import DECODINGS, measure_sets
from text_recognizer.learning.retraining.history import REGISTERED, Improvement
from text_recognizer.learning.retraining.loop import Wishes, improve
from text_recognizer.paths import cache_dir
from text_recognizer.recognition.bundle import SHIPPED
from text_recognizer.recognition.promotion import Decision, register
from text_recognizer.service.feedback import FeedbackStore, NewCorrection, StoredPage, StoredReading

MODEL = "open"


def correct(store: FeedbackStore, writer: str, names: Sequence[str]) -> None:
    """Keep readings of the lines, one for each form that they are of, and correct them."""
    recognizer = TextRecognizer(MODEL)
    forms: dict[str, list[tuple[bytes, Page, str]]] = defaultdict(list)
    folder = whole_folder_of(writer) / "lines"
    texts = {name: text for name, text, _ in raw_lines(writer) if name in names}
    for name in names:
        with Image.open(folder / f"{name}.png") as image:
            (line,) = recognizer.read_lines([np.array(image)])
            page = Page((line,), image.width, image.height)
        forms[name.rsplit("-", 1)[0]].append(((folder / f"{name}.png").read_bytes(), page, texts[name]))
    for form, lines in forms.items():
        reading = f"{form}-{names[0]}"
        pages = tuple(StoredPage(page, data) for data, page, _ in lines)
        store.save_reading(StoredReading(reading, pages, kind="line", consent=True, owner=writer))
        store.add_corrections(
            reading, [NewCorrection(number, 0, text) for number, (_, _, text) in enumerate(lines)], writer
        )


def row(number: int, done: Improvement, minutes: float, tests: dict[str, dict]) -> str:
    """A row of the table."""
    old = next(name for name in done.scores["after"] if name != "own")
    cells = []
    for decoding in DECODINGS:
        val, kept = (
            f"{done.scores[before][name][decoding]['cer']:.2f} -> {done.scores['after'][name][decoding]['cer']:.2f}"
            for name, before in (("own", "production"), (old, "before"))
        )
        test = " -> ".join(f"{found['test'][decoding]['cer']:.2f}" for found in tests.values())
        cells.append(f"{val} | {test} | {kept}")
    lines = [sum(map(len, done.lines[side].values())) for side in ("train", "val")]
    return f"| {number} | {lines[0]} + {lines[1]} | {' | '.join(cells)} | {done.verdict} | {minutes:.1f} |"


def main() -> None:
    """Correct, improve, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writer", default="iam-000")
    parser.add_argument("--lines", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--suite", action="append", help="by default basic and accuracy")
    chosen, options = parser.parse_known_args()
    place = cache_dir() / "improve" / chosen.writer
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    registry: Path = place / "models"
    register(SHIPPED / MODEL, "production", Decision("a benchmark", {}), registry)
    store = FeedbackStore(f"sqlite:///{place / 'feedback.db'}", str(place / "images"))
    whole = whole_folder_of(chosen.writer)
    names = [found[0] for found in some_lines(whole)]
    test = {"test": line_dataset(LineSource("folder", path=str(whole), split="test"))}
    wishes = Wishes(at_least=1, suites=chosen.suite or (), fields=options)
    rows = []
    for number in range(chosen.rounds):
        correct(store, chosen.writer, names[number * chosen.lines : (number + 1) * chosen.lines])
        before, began = in_production("lines", registry), time.monotonic()
        done = improve(FeedbackCorrections(store), place / "improve", registry, wishes, print, lambda v: tell(v, None))
        assert done is not None
        minutes = (time.monotonic() - began) / 60
        candidate = place / "improve" / f"{done.number:04d}" / "improved"
        tests = {when: measure_sets(folder, test) for when, folder in (("before", before), ("after", candidate))}
        rows.append(row(number + 1, done, minutes, tests))
        print(rows[-1], flush=True)
        if done.verdict == REGISTERED:
            register(candidate, "production", Decision("a benchmark", {}), registry)
    print(machine())
    titles = [
        f"{what}, {how}" for how in ("letter by letter", "language model") for what in ("val", "test", "Copiste val")
    ]
    print("| round | train + val | " + " | ".join(titles) + " | verdict | minutes |")
    print("|---" * 10 + "|")
    print("\n".join(rows))
    store.close()


if __name__ == "__main__":
    main()
