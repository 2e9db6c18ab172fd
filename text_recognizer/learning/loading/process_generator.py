"""A NumPy generator for each process that loads data."""

from __future__ import annotations

import numpy as np
import torch


class ProcessGenerator:
    """Random numbers for augmentation: each process that loads data has its own, which follow from its PyTorch seed.

    Workers get another seed in every epoch, or keep theirs and go on drawing; a run that goes on is seeded anew.
    """

    def __init__(self) -> None:
        self._seed: int | None = None
        self._generator = np.random.default_rng(0)

    def __call__(self) -> np.random.Generator:
        """The generator of this process."""
        seed = torch.initial_seed()
        if seed != self._seed:
            self._seed, self._generator = seed, np.random.default_rng(seed)
        return self._generator
