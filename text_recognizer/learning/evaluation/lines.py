"""Error rates of a line recogniser on a line dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.data.lines import LineDataset
from text_recognizer.learning.evaluation.error_rates import ErrorRates, error_rates
from text_recognizer.recognition.attention import AttentionLineRecognizer
from text_recognizer.recognition.lines import DecodedLine, LineTextRecognizer


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
