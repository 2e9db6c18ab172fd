"""Character and word error rates of a whole corpus: the sum of edits over the sum of reference units.

Precision, recall and F1 of whatever is to be found.

Error rates of a line recogniser on a line dataset.

Error rates of a paragraph recogniser. A newline counts as a space: where a line ends is no error of reading.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.table import Table

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.paragraphs import ParagraphDataset
from text_recognizer.learning.datasets.sources import ParagraphSource, paragraph_dataset
from text_recognizer.recognition.layout.detector import LineDetector
from text_recognizer.recognition.text.attention_recognizer import AttentionLineRecognizer
from text_recognizer.recognition.text.line_recognizer import DecodedLine, LineTextRecognizer
from text_recognizer.recognition.text.paragraph_recognizer import ParagraphTextRecognizer

#: The paragraph sources that models are measured on.
PARAGRAPH_SETS = ("iam-paragraphs-val",)


@dataclass(frozen=True)
class ErrorRates:
    """Edits and reference lengths; `cer` and `wer` are shares, 0 for none (they can exceed 1)."""

    character_edits: int
    characters: int
    word_edits: int
    words: int
    lines: int

    @property
    def cer(self) -> float:
        """Character error rate."""
        return self.character_edits / max(1, self.characters)

    @property
    def wer(self) -> float:
        """Word error rate; words are what spaces separate."""
        return self.word_edits / max(1, self.words)


def error_rates(predictions: Sequence[str], references: Sequence[str]) -> ErrorRates:
    """Corpus error rates after NFC and collapsing of spaces. Raises ValueError for lists of different length."""
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references")
    pairs = [(normalize_text(p), normalize_text(r)) for p, r in zip(predictions, references, strict=True)]
    return ErrorRates(
        sum(Levenshtein.distance(p, r) for p, r in pairs),
        sum(len(r) for _, r in pairs),
        sum(Levenshtein.distance(p.split(), r.split()) for p, r in pairs),
        sum(len(r.split()) for _, r in pairs),
        len(pairs),
    )


@dataclass
class Matches:
    """Sums. found: of what was expected, with a prediction each; predicted, expected: in all."""

    found: int = 0
    predicted: int = 0
    expected: int = 0

    @property
    def precision(self) -> float:
        """Share of the predictions that are right."""
        return self.found / max(1, self.predicted)

    @property
    def recall(self) -> float:
        """Share of what was expected that was found."""
        return self.found / max(1, self.expected)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.found / max(1, self.predicted + self.expected)


def read_dataset(recognizer: LineTextRecognizer | AttentionLineRecognizer, dataset: LineDataset) -> list[str]:
    """Readings of a dataset of normalised lines, in its order; greedy, unless the recogniser has a language model."""
    if isinstance(recognizer, AttentionLineRecognizer):
        read = recognizer.characters([dataset[index][0] for index in range(len(dataset))])
        return [normalize_text(recognizer.reader.tokens.decode(line.numbers.tolist())) for line in read]
    logits = recognizer.logits([dataset[index][0] for index in range(len(dataset))])
    return decoded_texts(recognizer, recognizer.decode(logits))


def decoded_texts(recognizer: LineTextRecognizer, lines: Sequence[DecodedLine]) -> list[str]:
    """The texts of decoded lines."""
    return [normalize_text(" ".join(recognizer.word_texts(line))) for line in lines]


def measure_lines(
    recognizer: LineTextRecognizer | AttentionLineRecognizer, dataset: LineDataset
) -> tuple[ErrorRates, list[str]]:
    """Error rates on a dataset, and the readings."""
    texts = read_dataset(recognizer, dataset)
    return error_rates(texts, [label.text for label in dataset.labels]), texts


def without(dataset: LineDataset, texts: list[str], leave_out: Callable[[str], bool]) -> ErrorRates:
    """Error rates of readings, lines left out whose true text `leave_out` says so."""
    kept = [(text, label.text) for text, label in zip(texts, dataset.labels, strict=True) if not leave_out(label.text)]
    return error_rates([text for text, _ in kept], [reference for _, reference in kept])


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
