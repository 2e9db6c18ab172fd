"""What a bundle that was just written is worth: its scores on val, and how far its confidence can be believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from text_recognizer.learning.training.card import RELIABILITY, write_description


def measure_bundle(folder: Path, task: str) -> None:
    """Measure the bundle on val and write the scores into bundle.json and the card."""
    from text_recognizer.learning.evaluation.paragraphs import paragraph_scores
    from text_recognizer.learning.evaluation.report import character_scores, detector_scores, line_scores

    measures: dict[str, Callable[[Path], dict[str, Any]]] = {
        "lines": line_scores,
        "attention-lines": line_scores,
        "paragraphs": paragraph_scores,
        "detector": detector_scores,
        "characters": character_scores,
    }
    data = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    data["scores"] = measures[task](folder)
    if task == "lines":
        data["settings"]["calibration"], scores = _calibrated(folder)
        data["scores"] |= scores
    write_description(folder, data)


def _calibrated(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the confidence of words, alone and with the shipped language model, and draw how far it can be believed."""
    from text_recognizer.learning.evaluation import calibration
    from text_recognizer.learning.evaluation.report import LINE_SETS

    weights: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    pictures = []
    for name, language, title in (("greedy", None, "greedy"), ("language", "language", "with the language model")):
        fitted, found, drawn = calibration.calibrate(folder, language, LINE_SETS)
        weights[name] = asdict(fitted)
        scores |= {f"{words}, {title}": measures for words, measures in found.items()}
        pictures += list(drawn.values())
    calibration.side_by_side(pictures).save(folder / RELIABILITY, optimize=True)
    return weights, scores
