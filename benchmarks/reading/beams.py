"""What a wider or a narrower search brings and costs: CER, WER and milliseconds a line, beam by beam.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.reading.beams [--model BUNDLE] [--language BUNDLE] [--source iam-val]

The network runs once; the search alone is measured, on one thread, with 64, 16 and 1 lines at once. The language model
is opened anew for each of them, so that nothing is remembered from one to the next.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation.error_rates import error_rates
from text_recognizer.recognition.text.beam_search import Beam, beam_search
from text_recognizer.recognition.text.ctc import softmax
from text_recognizer.recognition.text.language_model import load_language_model
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

BEAMS = [
    Beam(12, 2e-3, 2e-3, 6, 5e-4),
    Beam(16),
    Beam(24, frame=5e-4),
    Beam(24),
    Beam(24, frame=2e-2),
    Beam(32, character=5e-4, choices=10, text=3e-5),
]
_TIMED = 150  # lines


def searched(
    lines: Sequence[NDArray[np.float32]], reader: LineTextRecognizer, language: str, beam: Beam, at_once: int
) -> tuple[list[str], float]:
    """The texts of lines, and the milliseconds that each took."""
    model = load_language_model(language, reader.alphabet)
    start = time.perf_counter()
    found = []
    for first in range(0, len(lines), at_once):
        part = lines[first : first + at_once]
        found += beam_search(part, model, [" "] * len(part), beam)
    milliseconds = 1000 * (time.perf_counter() - start) / len(lines)
    return [normalize_text(reader.alphabet.decode(candidates[0].numbers)) for candidates in found], milliseconds


def main() -> None:
    """Print a row for each beam."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lines")
    parser.add_argument("--language", default="language")
    parser.add_argument("--source", default="iam-val")
    options = parser.parse_args()
    reader = LineTextRecognizer(options.model)
    dataset = line_dataset(LineSource(options.source))
    logits = reader.logits([dataset[index][0] for index in range(len(dataset))])
    lines = [softmax(scores, reader.temperature) for scores in logits]
    print(f"{machine()}; {options.source}, {len(lines)} lines, {reader.bundle.identity}")
    print("| texts | frame | character | choices | text | CER % | WER % | ms a line: 64 at once | 16 | 1 |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    timed = lines[:: max(1, len(lines) // _TIMED)]
    for beam in BEAMS:
        texts, _ = searched(lines, reader, options.language, beam, 64)
        rates = error_rates(texts, [label.text for label in dataset.labels])
        times = [searched(timed, reader, options.language, beam, at_once)[1] for at_once in (64, 16, 1)]
        row = [beam.width, beam.frame, beam.character, beam.choices, beam.text]
        row += [f"{100 * rate:.2f}" for rate in (rates.cer, rates.wer)] + [f"{spent:.1f}" for spent in times]
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
