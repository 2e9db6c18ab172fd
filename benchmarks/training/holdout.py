"""Whether what was chosen on val holds for writers who had no say in it: each setting on val and on a second hold-out.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.training.holdout [--model lines] [--model open] [--lines 400]

The second hold-out is what no choice was made on: for `lines` the historical letters set apart of those that it
learned from (until lines 5 it had learned from none of them), for `open` all letters of Hooker (English, 1850 to
1911) and writers of IAM train, of which it has not learned. It only confirms: nothing is chosen on it. The settings:
by how much lines are stretched, how much the language model counts, test-time augmentation.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace

from benchmarks.machine import machine
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation.error_rates import error_rates
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

VAL = ("iam-val", "copiste-val")
HELD_OUT = {"lines": ("hooker-val", "poilus-val"), "open": ("hooker-train", "iam-train")}
STRETCHES = (1.0, 1.06, 1.12)
WEIGHTS = (0.8, 1.0, 1.25)  # times what the language model's bundle says
TTA = (1, 2)


def some_writers(lines: LineDataset, count: int, seed: int = 1) -> LineDataset:
    """All lines of writers drawn by chance, until there are `count`."""
    by_writer: dict[str, list[int]] = {}
    for number, label in enumerate(lines.labels):
        by_writer.setdefault(label.writer, []).append(number)
    writers = sorted(by_writer)
    random.Random(seed).shuffle(writers)
    chosen: list[int] = []
    for writer in writers:
        if len(chosen) < count:
            chosen += by_writer[writer]
    return lines.only(chosen)


def settings_of(reader: LineTextRecognizer, stretch: float, weight: float, tta: int) -> LineTextRecognizer:
    """The reader with other settings; weight: in units of its language model's own."""
    reader.geometry = replace(reader.geometry, stretch=stretch)
    assert reader.language is not None
    reader.language.weight *= weight
    reader.tta = tta
    return reader


def measured(model: str, sets: dict[str, LineDataset], stretch: float, weight: float, tta: int) -> list[str]:
    """CER of each set, letter by letter and with the language model."""
    cells = []
    for lines in sets.values():
        reader = settings_of(LineTextRecognizer(model, language="auto"), stretch, weight, tta)
        logits = reader.logits([lines[index][0] for index in range(len(lines))])
        for use_language in (False, True):
            texts = [" ".join(reader.word_texts(line)) for line in reader.decode(logits, use_language=use_language)]
            rates = error_rates(texts, [label.text for label in lines.labels])
            cells.append(f"{100 * rates.cer:.2f}")
    return [f"{first} / {second}" for first, second in zip(cells[::2], cells[1::2], strict=True)]


def main() -> None:
    """Print a table for each bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices=list(HELD_OUT), help="both by default")
    parser.add_argument("--lines", type=int, default=400, help="of the second hold-out, about")
    options = parser.parse_args()
    print(machine())
    for model in options.model or list(HELD_OUT):
        sets = {name: line_dataset(LineSource(name)) for name in VAL}
        for name in HELD_OUT[model]:
            sets[f"{name}, held out"] = some_writers(line_dataset(LineSource(name)), options.lines)
        reader = LineTextRecognizer(model)
        own = reader.geometry.stretch
        print(f"\n{reader.bundle.identity}: CER %, letter by letter / with the language model\n")
        print("| setting | " + " | ".join(f"{name} ({len(lines)})" for name, lines in sets.items()) + " |")
        print("|---" * (len(sets) + 1) + "|")
        rows = [(f"as shipped (stretch {own}, no test-time augmentation)", own, 1.0, 1)]
        rows += [(f"stretch {stretch}", stretch, 1.0, 1) for stretch in STRETCHES if stretch != own]
        rows += [(f"language model {weight} times", own, weight, 1) for weight in WEIGHTS if weight != 1]
        rows += [(f"test-time augmentation, {tta} views", own, 1.0, tta) for tta in TTA if tta != 1]
        for name, stretch, weight, tta in rows:
            print("| " + " | ".join([name, *measured(model, sets, stretch, weight, tta)]) + " |", flush=True)


if __name__ == "__main__":
    main()
