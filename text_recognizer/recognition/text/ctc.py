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


def placed(
    probabilities: Sequence[NDArray[np.float32]],
    numbers: Sequence[Sequence[int]],
    alone: Sequence[list[DecodedCharacter]],
    blank: int = 0,
) -> list[list[DecodedCharacter]]:
    """The characters of texts that were read otherwise than by `greedy`, where they most likely stand.

    probabilities: of each line (T, K) as for `greedy`. numbers: of its characters. alone: what `greedy` read, which
    stays where the text is the same. A character's probability is the highest that any of its frames gave it.
    """
    found = list(alone)
    other = [k for k, text in enumerate(numbers) if [character.number for character in found[k]] != list(text)]
    scores = [np.log(np.maximum(probabilities[k], 1e-12)) for k in other]
    paths = best_paths(scores, [numbers[k] for k in other], blank)
    for k, spans in zip(other, paths, strict=True):
        found[k] = [
            DecodedCharacter(number, start, end, float(probabilities[k][start:end, number].max()))
            for number, (start, end) in zip(numbers[k], spans, strict=True)
        ]
    return found


def viterbi(
    scores: NDArray[np.float32], labels: Sequence[int] | NDArray[np.int64], blank: int = 0
) -> list[tuple[int, int]]:
    """The frames [start, end) of each label on the best CTC path that spells the labels; see `best_paths`."""
    return best_paths([scores], [labels], blank)[0]


def best_paths(
    scores: Sequence[NDArray[np.float32]], labels: Sequence[Sequence[int] | NDArray[np.int64]], blank: int = 0
) -> list[list[tuple[int, int]]]:
    """For each line the frames [start, end) of each label on the best CTC path that spells its labels.

    The Viterbi algorithm over the extended label sequence of Graves et al. (2006), for all lines at once.

    scores: of each line (T, K), logarithms of probabilities. Raises ValueError where T frames are too few: one a label,
    and one more between two equal ones.
    """
    if not scores:
        return []
    numbers = [np.asarray(line, np.int64) for line in labels]
    ends = np.array([2 * len(line) for line in numbers])  # the last state of each line, a blank
    lengths = np.array([len(rows) for rows in scores])
    shape = len(scores), int(lengths.max()), int(ends.max()) + 1  # lines, frames, states
    emitted = np.full(shape, -np.inf, np.float32)
    # A label may follow the label before it without a blank, unless they are equal.
    may_skip = np.full((shape[0], shape[2]), -np.inf, np.float32)
    for k, (rows, line) in enumerate(zip(scores, numbers, strict=True)):
        repeated = np.flatnonzero(line[1:] == line[:-1])
        if len(rows) < len(line) + len(repeated):
            needed = len(line) + len(repeated)
            raise ValueError(f"{len(line)} characters need {needed} frames, there are {len(rows)}")
        extended = np.full(ends[k] + 1, blank)
        extended[1::2] = line
        emitted[k, : len(rows), : len(extended)] = rows[:, extended]
        may_skip[k, 3 : ends[k] : 2] = 0
        may_skip[k, 2 * repeated + 3] = -np.inf
    steps, best = _steps_back(emitted, may_skip, lengths)
    row = np.arange(shape[0])
    labelled = np.maximum(ends - 1, 0)
    state = np.where((ends == 0) | (best[row, ends] >= best[row, labelled]), ends, labelled)
    path = np.empty(shape[:2], np.int64)
    for frame in range(shape[1] - 1, -1, -1):
        path[:, frame] = state
        state = state - steps[row, frame, state]
    return [_spans(path[k, : lengths[k]], len(line)) for k, line in enumerate(numbers)]


def _steps_back(
    emitted: NDArray[np.float32], may_skip: NDArray[np.float32], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """How many states back the best path to each state was a frame before, (N, T, S), and its score at the end, (N, S).
    Lines of fewer frames (N,) stay in their states behind their ends."""
    count, frames, states = emitted.shape
    best = np.full((count, states), -np.inf, np.float32)
    best[:, :2] = emitted[:, 0, :2] if frames else 0
    steps = np.zeros((count, frames, states), np.int8)
    options = np.full((3, count, states), -np.inf, np.float32)
    for frame in range(1, frames):
        options[0] = best
        options[1, :, 1:] = best[:, :-1]
        options[2, :, 2:] = best[:, :-2] + may_skip[:, 2:]
        goes_on = (frame < lengths)[:, None]
        steps[:, frame] = np.where(goes_on, options.argmax(axis=0), 0)
        best = np.where(goes_on, options.max(axis=0) + emitted[:, frame], best)
    return steps, best


def _spans(path: NDArray[np.int64], labels: int) -> list[tuple[int, int]]:
    """The frames [start, end) of each label on a path of states (T,)."""
    states = 2 * np.arange(labels) + 1
    starts, ends = path.searchsorted(states, side="left"), path.searchsorted(states, side="right")
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
