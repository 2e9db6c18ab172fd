"""How far the confidence of words can be believed, and the weights that make it believable.

Expected calibration error: Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), with 15 bins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein
from scipy.optimize import minimize

from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.recognition.text.confidence import Calibration
from text_recognizer.recognition.text.line_recognizer import DecodedLine, LineTextRecognizer

RELIABILITY = "reliability.png"  # the diagram in a bundle's folder

_BINS = 15
_REVIEWED = 0.1  # share of the words that somebody looks at again
_SIDE, _EDGE = 320, 46  # pixels of a diagram, and around it


@dataclass
class WordOutcomes:
    """Words that were read, W of them. features: (W, F) of `confidence.py`. right: (W,) whether it is right. hand:
    (W,) whose line it is in, as a number."""

    features: NDArray[np.float64]
    right: NDArray[np.bool_]
    hand: NDArray[np.int64]

    def chosen(self, which: NDArray[np.bool_]) -> WordOutcomes:
        """Some of them."""
        return WordOutcomes(self.features[which], self.right[which], self.hand[which])


def word_outcomes(recognizer: LineTextRecognizer, dataset: LineDataset, lines: Sequence[DecodedLine]) -> WordOutcomes:
    """Outcomes of a dataset's decoded lines; a word is right where the alignment with the true words finds it whole."""
    hands = {name: number for number, name in enumerate(dict.fromkeys(label.writer for label in dataset.labels))}
    right: list[bool] = []
    hand: list[int] = []
    for label, line in zip(dataset.labels, lines, strict=True):
        right += _right(recognizer.word_texts(line), label.text.split())
        hand += [hands[label.writer]] * len(line.words)
    features = [line.features for line in lines] or [np.zeros((0, 0))]
    return WordOutcomes(np.concatenate(features), np.array(right, bool), np.array(hand))


def _right(read: list[str], true: list[str]) -> list[bool]:
    right = [False] * len(read)
    for operation in Levenshtein.opcodes(read, true):
        if operation.tag == "equal":
            right[operation.src_start : operation.src_end] = [True] * (operation.src_end - operation.src_start)
    return right


def fit_calibration(words: WordOutcomes) -> Calibration:
    """The weights under which the outcomes are likeliest: logistic regression, barely held back."""
    sign = np.where(words.right, 1.0, -1.0)
    inputs = np.column_stack([words.features, np.ones(len(sign))])

    def loss(weights: NDArray[np.float64]) -> float:
        return float(np.logaddexp(0, -sign * (inputs @ weights)).mean() + 1e-4 * (weights**2).sum())

    *weights, shift = (round(float(weight), 4) for weight in minimize(loss, np.zeros(inputs.shape[1])).x)
    return Calibration(weights, shift)


def calibration_error(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Mean distance of confidence and share of right words in 15 bins of equal width, weighted by their words."""
    return float(sum(share * abs(sure - found) for sure, found, share in _bins(confidences, right)))


def errors_reviewed(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """The share of all errors that are among the tenth of the words with the least confidence."""
    least = np.argsort(confidences, kind="stable")[: round(_REVIEWED * len(confidences))]
    return float((~right[least]).sum() / max(1, (~right).sum()))


def _bins(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> list[tuple[float, float, float]]:
    """Mean confidence, share of right words, share of all words of each bin that has any."""
    bins = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    return [
        (float(confidences[inside].mean()), float(right[inside].mean()), float(inside.mean()))
        for inside in (bins == number for number in range(_BINS))
        if inside.any()
    ]


def held_out_confidences(words: WordOutcomes) -> NDArray[np.float64]:
    """(W,) the confidence of each word, with weights fitted to words of other hands: two-fold cross-validation."""
    confidences = np.zeros(len(words.right))
    for fold in (0, 1):
        inside = words.hand % 2 == fold
        confidences[inside] = fit_calibration(words.chosen(~inside))(words.features[inside])
    return confidences


def calibrate(
    found: Mapping[str, WordOutcomes],
) -> tuple[Calibration, dict[str, dict[str, float]], dict[str, Image.Image]]:
    """The calibration of word confidence that suits the outcomes of several sets, its scores and diagrams, by set.

    The scores are held out: of each hand with weights that were fitted to others.
    """
    first = np.cumsum([0, *(words.hand.max(initial=-1) + 1 for words in found.values())])
    together = WordOutcomes(
        np.concatenate([words.features for words in found.values()]),
        np.concatenate([words.right for words in found.values()]),
        np.concatenate([words.hand + start for words, start in zip(found.values(), first, strict=False)]),
    )
    sure = held_out_confidences(together)
    scores, pictures = {}, {}
    ends = np.cumsum([0, *(len(words.right) for words in found.values())])
    for (name, words), start, end in zip(found.items(), ends, ends[1:], strict=False):
        own = sure[start:end]
        scores[f"{name} ({len(own)} words)"] = {
            "expected calibration error %": round(100 * calibration_error(own, words.right), 2),
            "errors among the least sure tenth %": round(100 * errors_reviewed(own, words.right), 1),
            "confidence that a tenth is below": round(float(np.quantile(own, _REVIEWED)), 2),
        }
        pictures[name] = reliability_diagram(own, words.right, name)
    return fit_calibration(together), scores, pictures


def reliability_diagram(confidences: NDArray[np.float64], right: NDArray[np.bool_], title: str) -> Image.Image:
    """How often words are right (upwards) that are read with some confidence (to the right); on the diagonal it is
    believable. The area of a dot is the share of the words."""
    size = _SIDE + 2 * _EDGE
    picture = Image.new("RGB", (size, size), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    low, high = _EDGE, _EDGE + _SIDE
    draw.rectangle((low, low, high, high), outline="gray")
    draw.line((low, high, high, low), fill="gray")
    for part in range(0, 101, 20):
        at = part / 100 * _SIDE
        draw.text((low + at, high + 6), str(part), "black", font, anchor="mt")
        draw.text((low - 6, high - at), str(part), "black", font, anchor="rm")
    draw.text((size / 2, high + 24), "confidence %", "black", font, anchor="mt")
    draw.text((low, low - 8), f"{title}: right words %, {len(right)} words", "black", font, anchor="lb")
    for sure, found, share in _bins(confidences, right):
        radius = 3 + 40 * np.sqrt(share / np.pi)
        x, y = low + sure * _SIDE, high - found * _SIDE
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(70, 120, 210), outline="white")
    return picture


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """Pictures of one height in a row."""
    row = Image.new("RGB", (sum(picture.width for picture in pictures), pictures[0].height), "white")
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width
    return row
