"""Character and word error rates of a whole corpus: the sum of edits over the sum of reference units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import normalize_text


@dataclass(frozen=True)
class ErrorRates:
    """Edits and reference lengths; `cer` and `wer` are shares, 0 for none (they can exceed 1)."""

    character_edits: int
    characters: int
    word_edits: int
    words: int
    lines: int

    @property
    def cer(self) -> float:
        """Character error rate."""
        return self.character_edits / max(1, self.characters)

    @property
    def wer(self) -> float:
        """Word error rate; words are what spaces separate."""
        return self.word_edits / max(1, self.words)


def error_rates(predictions: Sequence[str], references: Sequence[str]) -> ErrorRates:
    """Corpus error rates after NFC and collapsing of spaces. Raises ValueError for lists of different length."""
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references")
    pairs = [(normalize_text(p), normalize_text(r)) for p, r in zip(predictions, references, strict=True)]
    return ErrorRates(
        sum(Levenshtein.distance(p, r) for p, r in pairs),
        sum(len(r) for _, r in pairs),
        sum(Levenshtein.distance(p.split(), r.split()) for p, r in pairs),
        sum(len(r.split()) for _, r in pairs),
        len(pairs),
    )
