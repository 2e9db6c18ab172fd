"""What a bundle that was just written is worth: the scores of its task, written into bundle.json and the card."""

from __future__ import annotations

import json
from pathlib import Path

from text_recognizer.learning import tasks
from text_recognizer.learning.datasets.registry import find
from text_recognizer.learning.export.model_card import write_description


def check_measured(task: str) -> None:
    """Raises FileNotFoundError where data to measure a bundle with are missing: better before the work than after."""
    for name in tasks.find(task).evaluation_sets:
        if absence := find(name)[0].absence(name):
            raise FileNotFoundError(f"{absence}; --no-measure does without what it would be measured with")


def measure_bundle(folder: Path, task: str) -> None:
    """Measure the bundle on val and write the scores into bundle.json and the card."""
    data = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    data["scores"], fitted = tasks.find(task).measured(folder)
    data["settings"] |= fitted
    write_description(folder, data)
