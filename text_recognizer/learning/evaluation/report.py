"""Scores of bundles, for people and for the bundle's own description."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.table import Table

from text_recognizer.learning.datasets.lines import LineDataset, LineLabel
from text_recognizer.learning.datasets.pages import traced_pages
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation.characters import (
    accuracies,
    confusion_picture,
    measure_characters,
    worst_confusions,
)
from text_recognizer.learning.evaluation.error_rates import ErrorRates, error_rates, read_dataset, without
from text_recognizer.learning.evaluation.pages import (
    PageScores,
    handwriting_block,
    iam_pages,
    is_notice,
    measure_pages,
    photographed,
)
from text_recognizer.learning.synthesis.characters import CLASSES, CharacterSource, character_dataset
from text_recognizer.recognition.recognizer import TextRecognizer, open_line_reader
from text_recognizer.recognition.text.attention_recognizer import AttentionLineRecognizer
from text_recognizer.recognition.text.character_recognizer import CharacterRecognizer
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

#: The line sources that models are measured on.
LINE_SETS = ("iam-val", "copiste-val")
#: How lines were decoded.
GREEDY, SEARCHED = "greedy", "with the language model"
#: The line sources whose characters character models are measured on.
CHARACTER_SETS = ("iam-val",)


def page_scores(recognizer: TextRecognizer, photographs: bool = False) -> dict[str, PageScores]:
    """Scores on the pages of val; photographs: on simulated photographs of them too."""
    forms, copiste = iam_pages("val"), list(traced_pages("copiste", "val"))
    blocks = [handwriting_block(page) for page in forms]
    scores = {
        "IAM val forms, whole": measure_pages(recognizer, forms, block_only=True),
        "IAM val forms, handwriting block": measure_pages(recognizer, blocks),
        "Copiste val pages": measure_pages(recognizer, copiste),
    }
    if photographs:
        for name, pages in (("IAM val forms, handwriting block", blocks), ("Copiste val pages", copiste)):
            views = (photographed(page, seed) for seed, page in enumerate(pages))
            scores[f"{name}, simulated photographs"] = measure_pages(recognizer, views)
    return scores


def _rated(
    recognizer: LineTextRecognizer | AttentionLineRecognizer, name: str
) -> tuple[dict[str, ErrorRates], list[tuple[LineLabel, str]]]:
    """Error rates of a line source (Copiste's also without the notice), and its labels with their readings."""
    dataset = line_dataset(LineSource(name))
    texts = read_dataset(recognizer, dataset)
    return _rates(name, dataset, texts), list(zip(dataset.labels, texts, strict=True))


def _rates(name: str, dataset: LineDataset, texts: list[str]) -> dict[str, ErrorRates]:
    """Error rates of readings of a line source, Copiste's also without the notice."""
    named = {name: error_rates(texts, [label.text for label in dataset.labels])}
    if name.startswith("copiste"):
        named[f"{name} without the notice"] = without(dataset, texts, is_notice)
    return named


def _decoding(recognizer: LineTextRecognizer | AttentionLineRecognizer) -> str:
    return GREEDY if recognizer.language is None else SEARCHED


def line_scores(
    bundle: str | os.PathLike[str], language: str | os.PathLike[str] | None = None
) -> dict[str, dict[str, Any]]:
    """CER and WER of a line bundle on the val sets, alone or with a language model, in percent, for bundle.json."""
    recognizer = open_line_reader(bundle, language=language)
    scores: dict[str, dict[str, Any]] = {}
    for source in LINE_SETS:
        scores |= _in_percent(_rated(recognizer, source)[0], _decoding(recognizer))
    return scores


def text_scores(name: str, dataset: LineDataset, texts: list[str], decoding: str) -> dict[str, dict[str, Any]]:
    """The same of readings of one line source. decoding: `GREEDY` or `SEARCHED`."""
    return _in_percent(_rates(name, dataset, texts), decoding)


def _in_percent(rates: dict[str, ErrorRates], decoding: str) -> dict[str, dict[str, Any]]:
    return {
        f"{name} ({of.lines} lines), {decoding}": {"CER %": round(100 * of.cer, 2), "WER %": round(100 * of.wer, 2)}
        for name, of in rates.items()
    }


def detector_scores(bundle: os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Line detection on the val pages, in percent, for bundle.json; text is read with the shipped recogniser."""
    recognizer = TextRecognizer(detector=bundle)
    return {
        f"{name} ({scores.pages} pages), IoU 0.5": {
            "precision %": round(100 * scores.precision, 2),
            "recall %": round(100 * scores.recall, 2),
            "F1 %": round(100 * scores.f1, 2),
        }
        for name, scores in page_scores(recognizer).items()
    }


def character_scores(bundle: os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Accuracy of a character bundle on the real characters of val, in percent, for bundle.json."""
    recognizer = CharacterRecognizer(bundle)
    scores = {}
    for name in CHARACTER_SETS:
        dataset = character_dataset(CharacterSource(name))
        found = accuracies(measure_characters(recognizer, dataset))
        title = f"characters cut from {name} ({len(dataset)})"
        scores[title] = {f"{measure} %": round(100 * value, 2) for measure, value in found.items()}
    return scores


def print_lines(recognizer: LineTextRecognizer | AttentionLineRecognizer, sources: list[str], worst: int = 0) -> None:
    """Print a table of error rates, and the lines with the most errors."""
    title = f"{_decoding(recognizer)}, {recognizer.bundle.identity}"
    table = Table("lines", "count", "CER %", "WER %", title=title)
    console = Console()
    examples = []
    for source in sources:
        named, readings = _rated(recognizer, source)
        for name, rates in named.items():
            table.add_row(name, str(rates.lines), f"{100 * rates.cer:.2f}", f"{100 * rates.wer:.2f}")
        for label, text in readings:
            examples.append((Levenshtein.distance(text, label.text), label.identifier, label.text, text))
    console.print(table)
    for edits, identifier, reference, text in sorted(examples, reverse=True)[:worst]:
        console.print(f"{edits:3d} {identifier}\n    {reference}\n    {text}", markup=False, highlight=False)


def print_characters(recognizer: CharacterRecognizer, sources: list[str], picture: Path | None = None) -> None:
    """Print a table of accuracies and the most frequent confusions; write the confusion matrix as a picture."""
    table = Table("characters", "count", "accuracy %", "class mean %", "ignoring case %", "ms a character")
    table.title = recognizer.bundle.identity
    counts = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for name in sources:
        dataset = character_dataset(CharacterSource(name))
        start = time.perf_counter()
        found = measure_characters(recognizer, dataset)
        milliseconds = 1000 * (time.perf_counter() - start) / len(dataset)
        values = [f"{100 * value:.2f}" for value in accuracies(found).values()]
        table.add_row(name, str(len(dataset)), *values, f"{milliseconds:.3f}")
        counts += found
    console = Console()
    console.print(table)
    for true, answer, number in worst_confusions(counts):
        console.print(f"{number:5d} times {true} was read as {answer}", markup=False, highlight=False)
    if picture is not None:
        confusion_picture(counts).save(picture)
        console.print(f"wrote {picture}", markup=False, highlight=False)


def print_pages(recognizer: TextRecognizer, photographs: bool = False) -> None:
    """Print a table of line detection and page error rates."""
    table = Table(
        "pages", "count", "with text", "precision %", "recall %", "F1 %", "page CER %", title="lines at IoU 0.5"
    )
    for name, scores in page_scores(recognizer, photographs).items():
        values = (scores.precision, scores.recall, scores.f1, scores.cer)
        table.add_row(name, str(scores.pages), str(scores.pages_with_text), *(f"{100 * value:.2f}" for value in values))
    Console().print(table)
