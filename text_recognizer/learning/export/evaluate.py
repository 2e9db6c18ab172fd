"""What a bundle that was just written is worth: its scores on val, and how far its confidence can be believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from text_recognizer.learning.export.model_card import RELIABILITY, write_description


def check_measured(task: str) -> None:
    """Raises FileNotFoundError where data to measure a bundle with are missing: better before the work than after."""
    from text_recognizer.learning.datasets.registry import find
    from text_recognizer.learning.evaluation.error_rates import PARAGRAPH_SETS
    from text_recognizer.learning.evaluation.report import CHARACTER_SETS, LINE_SETS

    others = {"detector": ("iam-forms-val", "copiste-pages-val"), "characters": CHARACTER_SETS}
    for name in others.get(task, PARAGRAPH_SETS if task == "paragraphs" else LINE_SETS):
        if absence := find(name)[0].absence(name):
            raise FileNotFoundError(f"{absence}; --no-measure does without what it would be measured with")


def measure_bundle(folder: Path, task: str) -> None:
    """Measure the bundle on val and write the scores into bundle.json and the card."""
    from text_recognizer.learning.evaluation.error_rates import paragraph_scores
    from text_recognizer.learning.evaluation.report import character_scores, detector_scores, line_scores

    measures: dict[str, Callable[[Path], dict[str, Any]]] = {
        "attention-lines": line_scores,
        "paragraphs": paragraph_scores,
        "detector": detector_scores,
        "characters": character_scores,
    }
    data = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    if task == "lines":
        data["scores"], data["settings"]["calibration"] = _measured_lines(folder)
    else:
        data["scores"] = measures[task](folder)
    write_description(folder, data)


def _measured_lines(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores of a line bundle, alone and with its language model, and the weights that make its confidence of words
    believable; a picture shows how far it can be believed."""
    from text_recognizer.learning.datasets.sources import LineSource, line_dataset
    from text_recognizer.learning.evaluation import calibration
    from text_recognizer.learning.evaluation.error_rates import decoded_texts
    from text_recognizer.learning.evaluation.report import GREEDY, LINE_SETS, SEARCHED, text_scores
    from text_recognizer.recognition.text.line_recognizer import OWN_LANGUAGE, LineTextRecognizer

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
    calibration.side_by_side(pictures).save(folder / RELIABILITY, optimize=True)
    return errors | believed, weights
