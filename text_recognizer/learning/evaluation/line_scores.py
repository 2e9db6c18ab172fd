"""What a bundle of lines is worth: its scores on val, and how far its confidence of words can be believed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.evaluation import calibration
from text_recognizer.learning.evaluation.error_rates import decoded_texts
from text_recognizer.learning.evaluation.report import GREEDY, LINE_SETS, SEARCHED, text_scores
from text_recognizer.recognition.text.line_recognizer import OWN_LANGUAGE, LineTextRecognizer


def measured_lines(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores of a line bundle, alone and with its language model, and the weights that make its confidence of words
    believable; a picture shows how far it can be believed."""
    recognizer = LineTextRecognizer(folder, language=OWN_LANGUAGE)
    datasets = {name: line_dataset(LineSource(name)) for name in LINE_SETS}
    logits = {
        name: recognizer.logits([dataset[index][0] for index in range(len(dataset))])
        for name, dataset in datasets.items()
    }
    errors: dict[str, Any] = {}
    believed: dict[str, Any] = {}
    weights: dict[str, Any] = {}
    pictures = []
    for kind, use_language, decoding in (("greedy", False, GREEDY), ("language", True, SEARCHED)):
        outcomes = {}
        for name, dataset in datasets.items():
            lines = recognizer.decode(logits[name], use_language=use_language)
            errors |= text_scores(name, dataset, decoded_texts(recognizer, lines), decoding)
            outcomes[name] = calibration.word_outcomes(recognizer, dataset, lines)
        fitted, found, drawn = calibration.calibrate(outcomes)
        weights[kind] = asdict(fitted)
        believed |= {f"{words}, {decoding}": measures for words, measures in found.items()}
        pictures += list(drawn.values())
    calibration.side_by_side(pictures).save(folder / calibration.RELIABILITY, optimize=True)
    return errors | believed, weights
