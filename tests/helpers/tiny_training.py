"""Trainings of a second for tests: a few lines drawn with fonts, a network of a few channels, in this process."""

from __future__ import annotations

from pathlib import Path

from text_recognizer.learning.experiments.config import Experiment, load_experiment

ROOT = Path(__file__).resolve().parents[2]
LINES = ROOT / "experiments" / "lines.yaml"
TINY = [
    "--network.fields={stem: 4, channels: [4, 6, 8], blocks: [1, 1, 1], hidden: 8, layers: 1}",
    "--data.train=[{name: iam-train}]",
    "--data.val=[{name: iam-val}]",
    "--columns=3000",
    "--workers=0",
    "--precision=32-true",
    "--epochs=1",
]


def tiny(*overrides: str, tracker: str = "none") -> Experiment:
    """The tiny experiment with some fields changed."""
    return load_experiment(LINES, [*TINY, f"--tracker={tracker}", *overrides])
