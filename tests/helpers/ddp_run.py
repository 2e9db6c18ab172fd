"""A training by itself, for the test of several processes: each of them runs this file.

Its network has no batch normalisation, which would see other batches in each process.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from tests.helpers.tiny_training import tiny
from text_recognizer.learning import networks
from text_recognizer.learning.experiments.run import train


@dataclass
class PlainConfig:
    classes: int = 2


@networks.register("plain", PlainConfig)
class Plain(nn.Module):
    columns_per_frame = 4

    def __init__(self, config: PlainConfig) -> None:
        super().__init__()
        self.first, self.head = nn.Conv2d(1, 4, (64, 8), 4, (0, 2)), nn.Linear(4, config.classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, 64, W) -> (B, T, K)."""
        return self.head(self.first(images)[:, :, 0].relu().transpose(1, 2))


def trained(*overrides: str) -> Path:
    """The folder of a run of two epochs."""
    plain = ["--network.name=plain", "--network.fields={}", "--data.augmentation.probability=0", "--ema_decay=0"]
    return train(tiny(*plain, "--epochs=2", "--learning-rate=0.01", *overrides))


if __name__ == "__main__":
    trained(*sys.argv[1:])
