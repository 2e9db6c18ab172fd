"""Prefix beam search: the likeliest text by a CTC network and a character language model together.

Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs" (2014),
with the language model asked at every character (Graves and Jaitly, ICML 2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from text_recognizer.recognition.language_model import CharacterLanguageModel


@dataclass(frozen=True)
class Beam:
    """How wide the search is. width: texts that are kept at most. character: probability of a character that is looked
    at. text: share of the likeliest text's probability that a text must have."""

    width: int = 8
    character: float = 2e-3
    text: float = 1e-4


class _Prefix:
    """A beginning of the text.

    number: of its last character. context, factor: of the language model, behind that character and for it. blank,
    ended: probability of all paths that end with a blank, and of those that end with the last character; the language
    model's part is in both, and the likeliest prefix of a frame has 1 in all.
    """

    __slots__ = ("blank", "children", "context", "ended", "factor", "number", "parent")

    def __init__(self, parent: _Prefix | None, number: int, context: int, factor: float) -> None:
        self.parent, self.number, self.context, self.factor = parent, number, context, factor
        self.children: dict[int, _Prefix] = {}
        self.blank = self.ended = 0.0

    def grown(self, number: int, model: CharacterLanguageModel) -> _Prefix:
        """This prefix and one character more, always the same object."""
        child = self.children.get(number)
        if child is None:
            # A space at the beginning, or behind another, ends no word: the language model has no say.
            free = number == model.space and self.number in (0, model.space)
            factor = 1.0 if free else model.factor(self.context, number)
            context = self.context if free else model.extend(self.context, number)
            child = self.children[number] = _Prefix(self, number, context, factor)
        return child


def beam_search(
    probabilities: NDArray[np.float32], model: CharacterLanguageModel, context: int, beam: Beam = Beam()
) -> list[int]:
    """The numbers of the characters of the likeliest text.

    probabilities: (T, K) float32 of the network, rows sum to 1, number 0 the blank, the others those of the model's
    alphabet. context: of the language model, where the text begins.
    """
    root = _Prefix(None, 0, context, 1.0)
    root.blank = 1.0
    beams = [root]
    for row in probabilities:
        seen = np.flatnonzero(row > beam.character).tolist()
        if seen == [0]:  # most frames: nothing but a blank
            for prefix in beams:
                prefix.blank, prefix.ended = prefix.blank + prefix.ended, 0.0
        else:
            characters = [(number, float(row[number])) for number in seen if number]
            beams = _kept(_advanced(beams, characters, float(row[0]), model, beam.text), beam)
    return _characters(max(beams, key=lambda prefix: _whole(prefix, model)))


def _advanced(
    beams: list[_Prefix],
    characters: list[tuple[int, float]],
    blank: float,
    model: CharacterLanguageModel,
    least: float,
) -> list[_Prefix]:
    """All prefixes after one more frame.

    characters: numbers and probabilities. least: probability of a new prefix before the language model is asked.
    """
    before = [(prefix, prefix.blank, prefix.ended) for prefix in beams]
    for prefix in beams:
        prefix.blank = prefix.ended = 0.0
    reached = dict.fromkeys(beams)
    for prefix, after_blank, after_itself in before:
        prefix.blank += (after_blank + after_itself) * blank
        for number, probability in characters:
            source = after_blank + after_itself
            if number == prefix.number:  # once more, it is the same character, unless a blank stood between
                prefix.ended += after_itself * probability
                source = after_blank
            if source * probability >= least:
                longer = prefix.grown(number, model)
                longer.ended += source * probability * longer.factor
                reached[longer] = None
    return list(reached)


def _kept(prefixes: list[_Prefix], beam: Beam) -> list[_Prefix]:
    """The likeliest prefixes, their probabilities as shares of the first one's."""
    prefixes.sort(key=lambda prefix: prefix.blank + prefix.ended, reverse=True)
    best = max(prefixes[0].blank + prefixes[0].ended, 1e-300)
    kept = [prefix for prefix in prefixes[: beam.width] if prefix.blank + prefix.ended >= beam.text * best]
    for prefix in prefixes[max(1, len(kept)) :]:
        prefix.blank = prefix.ended = 0.0
    for prefix in kept:
        prefix.blank /= best
        prefix.ended /= best
    return kept or prefixes[:1]


def _whole(prefix: _Prefix, model: CharacterLanguageModel) -> float:
    """The probability of a prefix as a whole text: a line ends where a word does."""
    word = model.space and prefix.number not in (0, model.space)
    return (prefix.blank + prefix.ended) * (model.factor(prefix.context, model.space) if word else 1.0)


def _characters(prefix: _Prefix | None) -> list[int]:
    found: list[int] = []
    while prefix is not None and prefix.number:
        found.append(prefix.number)
        prefix = prefix.parent
    return found[::-1]
