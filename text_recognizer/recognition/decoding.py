"""From CTC logits to characters with places and probabilities (Graves et al., ICML 2006)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DecodedCharacter:
    """A character's number, the frames [start, end) it was read from, and its probability."""

    number: int
    start: int
    end: int
    probability: float


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities over the last axis; a temperature above 1 makes them less sure."""
    scaled = logits / temperature
    exponents = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def greedy(probabilities: NDArray[np.float32], blank: int = 0) -> list[DecodedCharacter]:
    """Best-path decoding: the likeliest class of each frame, repeats merged, blanks dropped.

    probabilities: (T, K) float32, rows sum to 1. A character's probability is the highest that any of
    its frames gave it.
    """
    if not len(probabilities):
        return []
    best = probabilities.argmax(axis=1)
    characters: list[DecodedCharacter] = []
    changes = np.flatnonzero(np.diff(best)) + 1
    for start, end in zip(np.r_[0, changes], np.r_[changes, len(best)], strict=True):
        number = int(best[start])
        if number != blank:
            peak = float(probabilities[start:end, number].max())
            characters.append(DecodedCharacter(number, int(start), int(end), peak))
    return characters
