"""From CTC logits to characters with places and probabilities (Graves et al., ICML 2006)."""

from __future__ import annotations

from collections.abc import Sequence
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


def placed(probabilities: NDArray[np.float32], numbers: Sequence[int], blank: int = 0) -> list[DecodedCharacter]:
    """The characters of a text that was read otherwise than by `greedy`, where they most likely stand.

    probabilities: (T, K) as for `greedy`. numbers: of the characters. A character's probability is the highest that any
    of its frames gave it.
    """
    best = greedy(probabilities, blank)
    if [character.number for character in best] == list(numbers) or not numbers:
        return best if numbers else []
    spans = viterbi(np.log(np.maximum(probabilities, 1e-12)), numbers, blank)
    return [
        DecodedCharacter(number, start, end, float(probabilities[start:end, number].max()))
        for number, (start, end) in zip(numbers, spans, strict=True)
    ]


def viterbi(
    scores: NDArray[np.float32], labels: Sequence[int] | NDArray[np.int64], blank: int = 0
) -> list[tuple[int, int]]:
    """The frames [start, end) of each label on the best CTC path that spells the labels.

    The Viterbi algorithm over the extended label sequence of Graves et al. (2006).

    scores: (T, K) logarithms of probabilities. Raises ValueError where T frames are too few: one a label, and one
    more between two equal ones.
    """
    labels = np.asarray(labels, np.int64)
    frames, states = len(scores), 2 * len(labels) + 1
    repeated = np.flatnonzero(labels[1:] == labels[:-1])
    if frames < len(labels) + len(repeated):
        raise ValueError(f"{len(labels)} characters need {len(labels) + len(repeated)} frames, there are {frames}")
    extended = np.full(states, blank)
    extended[1::2] = labels
    emitted = scores[:, extended]  # (T, S)
    # A label may follow the label before it without a blank, unless they are equal.
    may_skip = np.full(states, -np.inf, np.float32)
    may_skip[3::2] = 0
    may_skip[2 * repeated + 3] = -np.inf
    best = np.full(states, -np.inf, np.float32)
    best[:2] = emitted[0, :2]
    came = np.zeros((frames, states), np.int8)  # how many states back the best path was a frame before
    options = np.full((3, states), -np.inf, np.float32)
    for frame in range(1, frames):
        options[0] = best
        options[1, 1:] = best[:-1]
        options[2, 2:] = best[:-2] + may_skip[2:]
        came[frame] = options.argmax(axis=0)
        best = options.max(axis=0) + emitted[frame]
    state = states - 1 if states == 1 or best[-1] >= best[-2] else states - 2
    path = np.empty(frames, np.int64)
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state -= int(came[frame, state])
    firsts = np.searchsorted(path, 2 * np.arange(len(labels)) + 1, side="left")
    lasts = np.searchsorted(path, 2 * np.arange(len(labels)) + 1, side="right")
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
