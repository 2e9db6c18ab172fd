"""How sure a reading is: 0 to 1, of words the probability that they are right, as far as that was calibrated.

What a network thinks of its characters is no probability of a right word, and says nothing of what a language model
made of it. Several features are combined by logistic regression (Platt, "Probabilistic Outputs for Support Vector
Machines", 1999), fitted when a bundle is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from text_recognizer.recognition.text.beam_search import Candidate
from text_recognizer.recognition.text.ctc import DecodedCharacter
from text_recognizer.recognition.text.lexicon import WordList

_LEAST = 1e-4  # of what a feature may say against a word, or for it


@dataclass(frozen=True)
class Calibration:
    """Weights of the features, log-odds, of which the first so many count, and what is added. By default a word
    is as sure as its characters."""

    weights: Sequence[float] = (1.0,)
    shift: float = 0.0

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probability that each word is right, (W,). features: (W, F)."""
        odds = features[:, : len(self.weights)] @ np.array(self.weights) + self.shift
        return 1 / (1 + np.exp(-odds))


def character_features(words: Sequence[Sequence[DecodedCharacter]]) -> NDArray[np.float64]:
    """The one feature (W, 1) of words that the network read alone: how sure their characters are."""
    return _log_odds([word_confidence([c.probability for c in word]) for word in words])[:, None]


def search_features(
    words: Sequence[Sequence[DecodedCharacter]],
    greedy: Sequence[DecodedCharacter],
    candidates: Sequence[Candidate],
    known: WordList,
    space: int,
) -> NDArray[np.float64]:
    """The five features (W, 5) of words that were searched for.

    How sure their characters are; how much of what the search kept has the word, by the probability of the texts and
    by its root, which hears the less likely ones too; whether the word is out of vocabulary, and whether the
    network alone (`greedy`) reads it too, 0 or 1.
    """
    rooted = [Candidate(candidate.numbers, float(np.sqrt(candidate.share))) for candidate in candidates]
    alone = set(_words([character.number for character in greedy], space))
    numbers = [tuple(character.number for character in word) for word in words]
    return np.column_stack(
        [
            character_features(words),
            _log_odds(word_shares(candidates, space)),
            _log_odds(word_shares(rooted, space)),
            known.out_of_vocabulary(numbers),
            [word in alone for word in numbers],
        ]
    )


def word_confidence(characters: Sequence[float]) -> float:
    """How sure a word is: the geometric mean of its characters and the weakest of them, in their geometric mean."""
    if not characters:
        return 1.0
    mean = float(np.exp(np.mean(np.log(np.clip(characters, 1e-6, 1.0)))))
    return float(np.sqrt(mean * min(characters)))


def word_shares(candidates: Sequence[Candidate], space: int) -> list[float]:
    """For each word of the first candidate, the share of all candidates that have it in its place, or nearly: as many
    words away at most as they have more or fewer words."""
    words, total = _words(candidates[0].numbers, space), sum(candidate.share for candidate in candidates)
    shares = [0.0] * len(words)
    for candidate in candidates:
        others = _words(candidate.numbers, space)
        away = abs(len(others) - len(words))
        for place, word in enumerate(words):
            if word in others[max(0, place - away) : place + away + 1]:
                shares[place] += candidate.share / total
    return shares


def _log_odds(probabilities: Sequence[float]) -> NDArray[np.float64]:
    kept = np.clip(np.array(probabilities, np.float64), _LEAST, 1 - _LEAST)
    return np.log(kept / (1 - kept))


def _words(numbers: Sequence[int], space: int) -> list[tuple[int, ...]]:
    words: list[list[int]] = [[]]
    for number in numbers:
        if number == space:
            words.append([])
        else:
            words[-1].append(number)
    return [tuple(word) for word in words if word]
