"""Single characters out of lines whose text is known: forced alignment of the CTC logits, and cuts along the paper.

The best path through a line's CTC lattice that spells exactly the known text (`decoding.viterbi`) says in which frames
the recogniser saw each character. Between two of them the line is cut along the least ink (`seams.py`).

Needs ONNX Runtime only, no PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import normalize_line_with_box
from text_recognizer.learning.data.reaches import reach, shipped_reaches
from text_recognizer.learning.data.seams import between, seams
from text_recognizer.recognition.decoding import viterbi
from text_recognizer.recognition.geometry import LineGeometry
from text_recognizer.recognition.lines import LineTextRecognizer

#: Changes with what is cut out of a line; cached characters are cut again.
ALIGNMENT_VERSION = 1

_SUREST = 0.8  # a clear small letter was seen this surely
_SURE_ENOUGH = 0.3  # a clear capital or digit: the recogniser often doubts what they are, seldom where
_SMALLEST = 10  # rows or columns: less is a dot or a piece of a letter
_WIDTHS = 0.5, 1.5  # widths of a clear character, in units of what its letter has in this line


@dataclass(frozen=True)
class AlignedCharacter:
    """A character of the text, the frames [start, end) it was seen in, and the highest probability it had there."""

    character: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class CutCharacter:
    """A character cut out of a line.

    image: uint8 (H, W), ink 255 and paper 0, at the scale of the normalised line, cropped to its ink.
    box: left, top, right, bottom of that ink in pixels of the image that was cut. confidence: the recogniser's, 0..1.
    """

    character: str
    image: NDArray[np.uint8]
    box: tuple[float, float, float, float]
    confidence: float


def cut_characters(image: NDArray[np.uint8], text: str, recognizer: LineTextRecognizer) -> list[CutCharacter]:
    """The characters of a line, spaces left out, in the order of the text.

    image: crop of one line, uint8 (H, W) or (H, W, 3). text: what is written in it. Characters that own no ink are
    left out. Raises ValueError where the text has characters outside the recogniser's alphabet, or more characters
    than the line has room for.
    """
    line = normalize_line_with_box(image, recognizer.geometry.height)
    logits = recognizer.logits([line.image])[0]
    cut = cut_normalized(line.image, text, logits, recognizer.alphabet, recognizer.geometry)
    placed = []
    for character in cut:
        left, top, right, bottom = character.box
        (left, top), (right, bottom) = line.to_crop(np.array([[left, top], [right, bottom]])).tolist()
        placed.append(
            CutCharacter(character.character, character.image, (left, top, right, bottom), character.confidence)
        )
    return placed


def clear(cut: Sequence[CutCharacter]) -> list[CutCharacter]:
    """Those characters of one line that are surely cut right: to learn from, and to be measured on.

    Left out are those that the recogniser doubted, those that are tiny, and those far wider or narrower than their
    letter usually is in this hand: pieces, and letters with a neighbour.
    """
    if not cut:
        return []
    reaches = shipped_reaches()
    ratios = np.array([(c.box[2] - c.box[0]) / sum(reach(reaches, c.character)) for c in cut])
    ratios = ratios / np.median(ratios)
    # Thin letters vary most, as the width of the pen counts fully in theirs.
    return [
        c
        for c, ratio in zip(cut, ratios, strict=True)
        if c.confidence >= (_SUREST if c.character.islower() else _SURE_ENOUGH)
        and max(c.image.shape) >= _SMALLEST
        and _WIDTHS[0] <= ratio <= _WIDTHS[1] * (1.5 if c.character in "iIl1" else 1)
    ]


def cut_normalized(
    line: NDArray[np.uint8], text: str, logits: NDArray[np.float32], alphabet: Alphabet, geometry: LineGeometry
) -> list[CutCharacter]:
    """As `cut_characters`, of a normalised line uint8 (H, W) with its logits (T, K); boxes are in its pixels."""
    aligned = align(logits, normalize_text(text), alphabet)
    if not aligned:
        return []
    paths = seams(line, centers_of(aligned, geometry), reaches_of(aligned))
    # (n + 1, H): where each character begins in each row; the first one at the edge, the last one ends at the other.
    edges = np.concatenate([np.zeros((1, line.shape[0])), paths, np.full((1, line.shape[0]), line.shape[1])]).astype(
        int
    )
    cut = []
    for number, character in enumerate(aligned):
        if character.character == " ":
            continue
        piece = between(line, edges[number], edges[number + 1])
        if piece is not None:
            cut.append(CutCharacter(character.character, *piece, character.confidence))
    return cut


def align(logits: NDArray[np.float32], text: str, alphabet: Alphabet) -> list[AlignedCharacter]:
    """Where each character of the text was seen, spaces included.

    logits: (T, K) of one line. Raises ValueError where the text has characters outside the alphabet or needs more
    frames than there are.
    """
    # Lines are learned with a space at both ends; it takes the margins, so that the outer letters do not.
    padded = f" {text} "
    numbers = np.array(alphabet.encode(padded))
    scores = logits - logits.max(axis=1, keepdims=True)
    scores = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    spans = viterbi(scores, numbers, alphabet.blank)
    confidences = [float(np.exp(scores[a:b, n].max())) for (a, b), n in zip(spans, numbers, strict=True)]
    found = [AlignedCharacter(c, a, b, p) for c, (a, b), p in zip(padded, spans, confidences, strict=True)]
    return found if text else []


def centers_of(aligned: Sequence[AlignedCharacter], geometry: LineGeometry) -> NDArray[np.float64]:
    """The columns (n,) of the normalised line at which characters were seen."""
    return np.array([geometry.column((character.start + character.end) / 2) for character in aligned])


def reaches_of(aligned: Sequence[AlignedCharacter]) -> NDArray[np.float64]:
    """How far (n, 2) characters reach to the left and right of their centers, in columns, at least 1."""
    shipped = shipped_reaches()
    return np.maximum(1.0, np.array([reach(shipped, character.character) for character in aligned]))
