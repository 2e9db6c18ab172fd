"""Labels that a recogniser disputes: those of other lines, those that lack words, and others that contradict the image.

Each line is compared with what is usual for its hand, so that a hand that is hard to read is not accused. Thresholds
were chosen on training splits (`benchmarks/labeling/data_checks.py --choose`).

How well a label goes with an image, as a recogniser sees it (CTC; Graves et al., ICML 2006).

Error rates accuse hard hands: whatever is read badly disagrees with its label. So a label is judged by how likely it is
under the network, compared with the likeliest path: where the network is unsure, a label that it did not read costs
little, and only a label that contradicts what it saw clearly costs much.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.quality.findings import Concern, Finding, count, warning
from text_recognizer.learning.quality.lines import Gray, InspectedLine, Reading
from text_recognizer.recognition.recognizer import open_line_reader
from text_recognizer.recognition.text.ctc import best_paths
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer, ReadWord, line_confidence

_HAND = 5  # lines of one writer that tell what is usual for the hand
_NO_HAND = 3.0  # nats a character: a writer whose labels usually cost more has wrong labels, not a hard hand
_COST = 2.5  # nats a character above what is usual for the hand
_WORST = 26.0  # nats of the worst stretch, likewise
_SURE = 0.5  # confidence of words that a label lacks

#: Frames of the worst stretch: about six characters.
STRETCH = 30

Scores = NDArray[np.float16]


@dataclass(frozen=True)
class Usual:
    """Medians of `Reading.cost` and `Reading.worst` of a hand."""

    cost: float
    worst: float


def usual(lines: Sequence[InspectedLine]) -> dict[str, Usual]:
    """What is usual for the hand of each line that was read, by identifier; where too little is known of its writer,
    for its page, and else for all lines."""
    groups: dict[str, list[Reading]] = defaultdict(list)
    for line in lines:
        if line.reading and np.isfinite(line.reading.cost):
            for key in ("", *_hands(line)):
                groups[key].append(line.reading)
    medians = {key: _medians(readings) for key, readings in groups.items() if not key or len(readings) >= _HAND}
    fit = {key: found for key, found in medians.items() if not key or found.cost < _NO_HAND}
    return {
        line.identifier: next(fit[key] for key in (*_hands(line), "") if key in fit)
        for line in lines
        if line.reading and fit
    }


def _hands(line: InspectedLine) -> list[str]:
    """Keys of the groups that share the line's hand, the best first."""
    return [f"writer {line.writer}"] * bool(line.writer) + [f"page {line.page}"] * bool(line.page)


def _medians(readings: Sequence[Reading]) -> Usual:
    return Usual(
        float(np.median([reading.cost for reading in readings])),
        float(np.median([reading.worst for reading in readings])),
    )


def excess(reading: Reading, hand: Usual) -> float:
    """How improbable a label is, for that hand: above 1 it is disputed."""
    return max((reading.cost - hand.cost) / _COST, (reading.worst - hand.worst) / _WORST)


def disputed(lines: Sequence[InspectedLine]) -> list[tuple[InspectedLine, float]]:
    """The lines whose labels the recogniser disputes, with by how much; the most improbable first."""
    hands = usual(lines)
    found = [(line, excess(line.reading, hands[line.identifier])) for line in lines if line.reading and line.text]
    return sorted(((line, much) for line, much in found if 1 < much < np.inf), key=lambda entry: -entry[1])


def lacking(text: str, reading: Reading) -> list[str]:
    """The words that were surely read and that the label lacks, between words that it has."""
    read = reading.text.split()
    if len(read) != len(reading.words):
        return []
    spans = _agreed_inserts(normalize_text(text).split(), read)
    return [word for span in spans if min(reading.words[span]) > _SURE for word in read[span]]


def _inserted(words: Sequence[str], others: Sequence[str]) -> list[str]:
    return [word for span in _agreed_inserts(words, others) for word in others[span]]


def _agreed_inserts(words: Sequence[str], others: Sequence[str]) -> list[slice]:
    """Where `others` has more words than `words`, between words that are the same in both: beside a word that was read
    otherwise the reading may only have broken that one in two."""
    edits = list(Levenshtein.opcodes(words, others))
    spans = []
    for number, edit in enumerate(edits):
        beside = edits[max(0, number - 1) : number] + edits[number + 1 : number + 2]
        if edit.tag == "insert" and beside and all(other.tag == "equal" for other in beside):
            spans.append(slice(edit.dest_start, edit.dest_end))
    return spans


def dispute_findings(lines: Sequence[InspectedLine], explained: set[str]) -> list[Finding]:
    """Labels that lack words, and other improbable ones. explained: identifiers of which another finding says why."""
    left = [line for line in lines if line.reading and line.identifier not in explained]
    short = {line.identifier: lacking(line.text, line.reading) for line in left if line.reading and line.text}
    lack = sorted((line for line in left if short.get(line.identifier)), key=lambda line: -line.reading.worst)  # type: ignore[union-attr]
    others = [
        line for line, _ in disputed(lines) if line.identifier not in explained and not short.get(line.identifier)
    ]
    findings = []
    if lack:
        findings.append(
            warning(
                "missing-words",
                f"{count(len(lack), 'label')} that may lack words which were surely read.",
                "Compare them with the pictures; write down what stands there, not what should stand there.",
                (Concern(line.identifier, "lacks " + _quoted(short[line.identifier])) for line in lack),
            )
        )
    if others:
        findings.append(
            warning(
                "disputed",
                f"{count(len(others), 'label')} that the recogniser disputes more than is usual for the hand.",
                "Look at them, the most improbable come first; correct the label where it is wrong, and keep hard but "
                "right lines: training needs them.",
                (Concern(line.identifier, _rate(line)) for line in others),
            )
        )
    return findings


def _quoted(words: Sequence[str]) -> str:
    return " ".join(f"“{word}”" for word in words)


def _rate(line: InspectedLine) -> str:
    assert line.reading
    label = normalize_text(line.text)
    edits = Levenshtein.distance(line.reading.text, label)
    share = edits / max(1, len(label))
    unread = _quoted(_inserted(line.reading.text.split(), label.split()))
    rate = f"{share:.0%} of its characters read otherwise, with confidence {line.reading.confidence:.2f}"
    return f"{unread} not seen; {rate}" if unread else rate


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
        # Lines are learned with a space at both ends, see `forced_alignment.align`.
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
