"""How accurately the shipped models read: lines, pages, simulated photographs of pages.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.reading.accuracy [--model BUNDLE] [--detector BUNDLE] [--fast]

Lines of val, and of the historical letters that were set apart: greedy decoding, then with the language model, which
pages are read with too; corpus CER and WER on text as it stands, runs of spaces collapsed. Pages: lines at IoU 0.5, and
the CER of the whole text in reading order. What the ground truth leaves out counts neither way: print and signature on
whole IAM forms, the notice printed on Copiste pages. Pages with crossed-out words count for line detection only.
"""

from __future__ import annotations

import argparse

from benchmarks.machine import machine
from text_recognizer import TextRecognizer
from text_recognizer.learning.evaluation.report import LINE_SETS, print_lines, print_pages

HISTORICAL = ("hooker-val", "lathrop-val", "poilus-val")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lines")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--language", default="auto", help="a language model, auto for that of the bundle, or none")
    parser.add_argument("--fast", action="store_true", help="leave out the photographs")
    options = parser.parse_args()
    print(machine())
    for language in dict.fromkeys(("none", options.language)):
        recognizer = TextRecognizer(lines=options.model, detector=options.detector, language=language)
        print_lines(recognizer.line_reader, [*LINE_SETS, *HISTORICAL])
    print_pages(recognizer, photographs=not options.fast)


if __name__ == "__main__":
    main()
