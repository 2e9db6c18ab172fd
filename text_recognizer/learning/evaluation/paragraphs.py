"""Error rates of a paragraph recogniser. A newline counts as a space: where a line ends is no error of reading."""

from __future__ import annotations

import os
from typing import Any

from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.table import Table

from text_recognizer.learning.data.paragraphs import ParagraphDataset
from text_recognizer.learning.data.sources import ParagraphSource, paragraph_dataset
from text_recognizer.learning.evaluation.error_rates import ErrorRates, error_rates
from text_recognizer.recognition.detector import LineDetector
from text_recognizer.recognition.paragraphs import ParagraphTextRecognizer

#: The paragraph sources that models are measured on.
PARAGRAPH_SETS = ("iam-paragraphs-val",)


def measure_paragraphs(recognizer: ParagraphTextRecognizer, dataset: ParagraphDataset) -> tuple[ErrorRates, list[str]]:
    """Error rates on a dataset, and the readings."""
    texts = [recognizer.text(dataset[index][0]) for index in range(len(dataset))]
    return error_rates(texts, [label.text for label in dataset.labels]), texts


def paragraph_scores(bundle: os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """CER and WER of a paragraph bundle on the val sets, in percent, for bundle.json."""
    recognizer = ParagraphTextRecognizer(bundle, LineDetector())
    scores = {}
    for name in PARAGRAPH_SETS:
        rates, _ = measure_paragraphs(recognizer, paragraph_dataset(ParagraphSource(name)))
        values = {"CER %": round(100 * rates.cer, 2), "WER %": round(100 * rates.wer, 2)}
        scores[f"{name} ({rates.lines} paragraphs), greedy"] = values
    return scores


def print_paragraphs(recognizer: ParagraphTextRecognizer, sources: list[str], worst: int = 0) -> None:
    """Print a table of error rates, and the paragraphs with the most errors."""
    table = Table("paragraphs", "count", "CER %", "WER %", title=f"greedy, {recognizer.bundle.identity}")
    console, examples = Console(), []
    for name in sources:
        dataset = paragraph_dataset(ParagraphSource(name))
        rates, texts = measure_paragraphs(recognizer, dataset)
        table.add_row(name, str(rates.lines), f"{100 * rates.cer:.2f}", f"{100 * rates.wer:.2f}")
        for label, text in zip(dataset.labels, texts, strict=True):
            examples.append((Levenshtein.distance(text, label.text), label.identifier, label.text, text))
    console.print(table)
    for edits, identifier, reference, text in sorted(examples, reverse=True)[:worst]:
        console.print(f"{edits:3d} {identifier}\n{reference}\n\n{text}\n", markup=False, highlight=False)
