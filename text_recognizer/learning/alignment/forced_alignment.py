"""Single characters out of lines whose text is known: forced alignment of the CTC logits, and cuts along the paper.

The best path through a line's CTC lattice that spells exactly the known text (`ctc.viterbi`) says in which frames
the recogniser saw each character. Between two of them the line is cut along the least ink.

Needs ONNX Runtime only, no PyTorch.

Cuts through a line between characters, from top to bottom along the path that crosses the least ink.

A seam, after Avidan and Shamir, "Seam Carving for Content-Aware Image Resizing" (SIGGRAPH 2007), so that slanted
letters are not cut off straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import normalize_line_with_box
from text_recognizer.learning.alignment.character_extents import extent_of, shipped_extents
from text_recognizer.recognition.text.ctc import viterbi
from text_recognizer.recognition.text.line_geometry import LineGeometry
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

#: Changes with what is cut out of a line; cached characters are cut again.
ALIGNMENT_VERSION = 1

_SUREST = 0.8  # a clear small letter was seen this surely
_SURE_ENOUGH = 0.3  # a clear capital or digit: the recogniser often doubts what they are, seldom where
_SMALLEST = 10  # rows or columns: less is a dot or a piece of a letter
_WIDTHS = 0.5, 1.5  # widths of a clear character, in units of what its letter has in this line

_WINDOW = 20  # columns that a cut may stray to either side of where two characters should meet
_STRAY = 0.006  # cost of a column away from there, in units of full ink
_BARRIER = 100.0  # cost of a column beyond the place where a neighbour was seen


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
    extents = shipped_extents()
    ratios = np.array([(c.box[2] - c.box[0]) / sum(extent_of(extents, c.character)) for c in cut])
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
    paths = seams(line, centers_of(aligned, geometry), extents_of(aligned))
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


def extents_of(aligned: Sequence[AlignedCharacter]) -> NDArray[np.float64]:
    """How far (n, 2) characters extend to the left and right of their centers, in columns, at least 1."""
    shipped = shipped_extents()
    return np.maximum(1.0, np.array([extent_of(shipped, character.character) for character in aligned]))


def seams(line: NDArray[np.uint8], centers: NDArray[np.float64], extents: NDArray[np.float64]) -> NDArray[np.int64]:
    """The columns (n - 1, H) at which the cuts between n characters cross each row, along the least ink.

    line: uint8 (H, W), ink 255. centers: (n,) the columns where the characters were seen. extents: (n, 2) how far
    they usually extend from there. A cut lies between the centers beside it, rather where the extents meet than
    elsewhere, and moves by at most a column a row. Cuts may touch, not cross.
    """
    height, width = line.shape
    right, left = extents[:-1, 1], extents[1:, 0]
    # Hands are wide or narrow: extents share the distance in proportion.
    middles = centers[:-1] + (centers[1:] - centers[:-1]) * right / (right + left)
    offsets = np.arange(-_WINDOW, _WINDOW + 1)
    columns = np.round(middles).astype(np.int64)[:, None] + offsets  # (n - 1, C)
    inside = np.pad(line, ((0, 0), (1, 1)))[:, np.clip(columns + 1, 0, width + 1)].astype(np.float32) / 255
    beyond = (columns < centers[:-1, None]) | (columns > centers[1:, None])
    ink = inside + (_STRAY * np.abs(offsets) + _BARRIER * beyond).astype(np.float32)  # (H, n - 1, C)
    total = ink[0]
    came = np.zeros((height, *total.shape), np.int8)
    options = np.full((3, *total.shape), np.inf, np.float32)
    for row in range(1, height):
        options[0] = total  # straight on: the first of the best wins
        options[1, :, 1:] = total[:, :-1]
        options[2, :, :-1] = total[:, 1:]
        came[row] = options.argmin(axis=0)
        total = options.min(axis=0) + ink[row]
    moves = np.array([0, -1, 1])
    cuts = np.arange(len(columns))
    place = total.argmin(axis=1)
    paths = np.empty((len(columns), height), np.int64)
    for row in range(height - 1, -1, -1):
        paths[:, row] = columns[cuts, place]
        place = place + moves[came[row, cuts, place]]
    return np.maximum.accumulate(np.clip(paths, 0, width), axis=0)


def between(
    line: NDArray[np.uint8], left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]] | None:
    """The ink between two cuts, cropped, and its box; None where there is none."""
    first, last = int(left.min()), int(right.max())
    if last <= first:
        return None
    columns = np.arange(first, last)
    piece = np.where((columns >= left[:, None]) & (columns < right[:, None]), line[:, first:last], 0).astype(np.uint8)
    piece = _without_crumbs(piece)
    rows, used = np.flatnonzero(piece.max(axis=1) > 64), np.flatnonzero(piece.max(axis=0) > 64)
    if not len(rows):
        return None
    box = float(first + used[0]), float(rows[0]), float(first + used[-1] + 1), float(rows[-1] + 1)
    return piece[rows[0] : rows[-1] + 1, used[0] : used[-1] + 1], box


def _without_crumbs(piece: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The piece without specks and what neighbours left at its sides: parts far smaller than the largest one.

    A part in the middle columns stays whatever its size: the dot of an i.
    """
    count, parts, stats, centers = cv2.connectedComponentsWithStats((piece > 64).astype(np.uint8), connectivity=8)
    if count <= 2:
        return piece
    areas = stats[1:, cv2.CC_STAT_AREA]
    main = 1 + int(areas.argmax())
    left, width = stats[main, cv2.CC_STAT_LEFT], stats[main, cv2.CC_STAT_WIDTH]
    away = np.maximum(left - centers[1:, 0], centers[1:, 0] - left - width)
    crumbs = (areas < 6) | ((areas < 0.12 * areas.max()) & (away > 0.5 * max(width, 6)))
    return np.where(np.isin(parts, 1 + np.flatnonzero(crumbs)), 0, piece).astype(np.uint8)
