"""How well a label goes with an image, as a recogniser sees it (CTC; Graves et al., ICML 2006).

Error rates accuse hard hands: whatever is read badly disagrees with its label. So a label is judged by how likely it is
under the network, compared with the likeliest path: where the network is unsure, a label that it did not read costs
little, and only a label that contradicts what it saw clearly costs much.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.data.inspection.lines import Gray, Reading
from text_recognizer.recognition.decoding import best_paths
from text_recognizer.recognition.lines import LineTextRecognizer, ReadWord, line_confidence
from text_recognizer.recognition.recognizer import open_line_reader

#: Frames of the worst stretch: about six characters.
STRETCH = 30

Scores = NDArray[np.float16]


@dataclass(frozen=True)
class Seen:
    """What the recogniser makes of an image alone; see `Reading`."""

    text: str
    words: tuple[float, ...]
    confidence: float
    scores: Scores


class LabelJudge:
    """Reads lines with a bundle and says what labels cost.

    language: as of `TextRecognizer`, of the readings; costs are those of the network alone. Raises BundleError for a
    bundle that cannot be used and ValueError for one that reads by attention, which places no characters.
    """

    def __init__(self, bundle: str | os.PathLike[str] = "lines", language: str = "auto") -> None:
        reader = open_line_reader(bundle, language=language)
        if not isinstance(reader, LineTextRecognizer):
            raise ValueError(f"{bundle} reads by attention; checks need a bundle that reads by CTC, for instance lines")
        self.reader = reader
        self.identity = reader.bundle.identity

    def see(self, images: Sequence[Gray]) -> list[Seen]:
        """The readings of normalised lines uint8 (64, W), ink 255."""
        logits = self.reader.logits(images)
        seen = []
        for scores, decoded in zip(logits, self.reader.decode(logits), strict=True):
            texts, sure = self.reader.word_texts(decoded), self.reader.confidences(decoded)
            words = [ReadWord(text, (0, 0, 0, 0), c, ()) for text, c in zip(texts, sure, strict=True)]
            confidence = line_confidence(words)
            seen.append(Seen(normalize_text(" ".join(texts)), tuple(sure), confidence, log_softmax(scores)))
        return seen

    def judge(self, seen: Sequence[Seen], labels: Sequence[str]) -> list[Reading]:
        """What was seen in images, with the costs of a label for each."""
        costs = self.costs([line.scores for line in seen], labels)
        return [
            Reading(line.text, line.words, line.confidence, cost, worst, line.scores)
            for line, (cost, worst) in zip(seen, costs, strict=True)
        ]

    def costs(self, scores: Sequence[Scores], labels: Sequence[str]) -> list[tuple[float, float]]:
        """`Reading.cost` and `Reading.worst` of labels; infinite where a label has more characters than the line has
        room for. Characters outside the alphabet are passed over."""
        alphabet = self.reader.alphabet
        known = ["".join(c for c in normalize_text(label) if c in alphabet) for label in labels]
        # Lines are learned with a space at both ends, see `alignment.align`.
        numbers = [alphabet.encode(f" {text} ") for text in known]
        found = [(np.inf, np.inf)] * len(labels)
        fits = [k for k, line in enumerate(numbers) if _frames_needed(line) <= len(scores[k])]
        rows = [scores[k].astype(np.float32) for k in fits]
        paths = best_paths(rows, [numbers[k] for k in fits], alphabet.blank)
        for k, row, spans in zip(fits, rows, paths, strict=True):
            lost = _lost(row, numbers[k], spans, alphabet.blank)
            sums = np.convolve(lost, np.ones(STRETCH))
            found[k] = float(lost.sum()) / max(1, len(known[k])), float(sums.max())
        return found


def log_softmax(logits: NDArray[np.float32]) -> Scores:
    """Logarithms (T, K) of the probabilities of CTC logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))).astype(np.float16)


def _lost(
    scores: NDArray[np.float32], numbers: Sequence[int], spans: Sequence[tuple[int, int]], blank: int
) -> NDArray[np.float32]:
    """By how much each frame (T,) of the label's path is less likely than the likeliest class of the frame."""
    path = np.full(len(scores), blank)
    for number, (start, end) in zip(numbers, spans, strict=True):
        path[start:end] = number
    return scores.max(axis=1) - scores[np.arange(len(scores)), path]


def _frames_needed(numbers: Sequence[int]) -> int:
    """CTC frames that a label takes: one a character, and one more between two equal ones."""
    return len(numbers) + sum(a == b for a, b in pairwise(numbers))
