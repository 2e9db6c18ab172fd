"""Batches of single characters, rare classes drawn more often than they occur."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from text_recognizer.learning.loading.augmentation import CharacterAugmentation
from text_recognizer.learning.loading.line_batches import shard
from text_recognizer.learning.loading.process_generator import ProcessGenerator
from text_recognizer.learning.synthesis.characters import CLASSES, CharacterDataset


class MixedCharacters(Dataset[tuple[NDArray[np.uint8], int]]):
    """Several character datasets one after the other; augmented where an augmentation is given."""

    def __init__(self, parts: list[CharacterDataset], augmentation: CharacterAugmentation | None = None) -> None:
        self.parts, self.augmentation = parts, augmentation
        self.generator = ProcessGenerator()
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        part = int(np.searchsorted(self.ends, index, side="right"))
        image, number = self.parts[part][index - (self.ends[part - 1] if part else 0)]
        return (self.augmentation(image, self.generator()) if self.augmentation else image), number


class BalancedOrder(Sampler[int]):
    """Characters drawn with replacement from each part, rare classes more often than they occur.

    per_part: characters drawn from each part per epoch. Another order every epoch, the same for the same seed.
    Processes that train together share it out.
    """

    def __init__(self, parts: list[CharacterDataset], per_part: list[int], balance: float, seed: int = 0) -> None:
        self.per_part, self.seed = per_part, seed
        self.epoch, self.done = 0, 0
        self.starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
        self.shares = [_shares(part.labels, balance) for part in parts]

    def start_at(self, epoch: int, done: int = 0) -> None:
        """The epoch whose order `__iter__` gives, and how many of its characters were done before an interruption."""
        self.epoch, self.done = epoch, done

    def __len__(self) -> int:
        return len(range(*shard(sum(self.per_part))))

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        drawn = [
            start + rng.choice(len(shares), count, p=shares)
            for start, shares, count in zip(self.starts, self.shares, self.per_part, strict=True)
        ]
        start, stop, step = shard(sum(self.per_part))
        yield from rng.permutation(np.concatenate(drawn)).tolist()[start:stop:step][self.done :]


def _shares(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """How likely each item is drawn."""
    weights = class_shares(labels, balance)[labels] / np.bincount(labels)[labels]
    return weights / weights.sum()


def collate(items: list[tuple[NDArray[np.uint8], int]]) -> dict[str, Tensor]:
    """image (B, 1, H, W) float32 in [0, 1], number (B,) int64."""
    images = np.stack([image for image, _ in items])[:, None].astype(np.float32) / 255
    return {"image": torch.from_numpy(images), "number": torch.tensor([number for _, number in items])}


def class_shares(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """How often each class (62,) is drawn: by its number to the power of 1 - balance, 0 where it does not occur."""
    counts = np.bincount(labels, minlength=len(CLASSES)).astype(np.float64)
    shares = np.where(counts > 0, np.maximum(counts, 1) ** (1 - balance), 0)
    return shares / shares.sum()
