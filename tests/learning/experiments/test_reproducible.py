"""Training is reproducible: on a CPU the same seed, data and settings give the same weights, bit by bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.helpers.tiny_training import tiny
from text_recognizer.learning.experiments.run import train

TWO_EPOCHS = ("--epochs=2", "--samples=0")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """What a run has learned, its averaged weights included."""
    return torch.load(folder / "last.ckpt", weights_only=False)["state_dict"]


def differing(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> list[str]:
    assert one.keys() == two.keys()
    return [name for name, value in one.items() if not torch.equal(value, two[name])]


@pytest.fixture(scope="module")
def first(line_cache) -> dict[str, torch.Tensor]:
    return weights(train(tiny("--name=first", *TWO_EPOCHS)))


def test_the_same_seed_gives_the_same_weights(first):
    assert differing(first, weights(train(tiny("--name=second", *TWO_EPOCHS)))) == []


def test_another_seed_gives_other_weights(first):
    other = differing(first, weights(train(tiny("--name=other", "--seed=1", *TWO_EPOCHS))))
    assert {name for name, value in first.items() if value.is_floating_point() and value.ndim > 1} <= set(other)


def test_augmentation_in_processes_of_its_own_is_the_same_again(line_cache):
    aside = [weights(train(tiny(f"--name=aside-{number}", "--workers=1", *TWO_EPOCHS))) for number in range(2)]
    assert differing(*aside) == []
