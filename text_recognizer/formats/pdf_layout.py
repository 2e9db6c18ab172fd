"""Where the words of a line stand, as a PDF sets them: a start, a direction, a length and a size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from text_recognizer.page import Line, Polygon, Word

#: How far the font reaches above and below its baseline, in parts of its size; see glyphless.py.
ABOVE, BELOW = 0.65, 0.22
_LEVEL = 0.07  # the sine of 4 degrees: lines that rise less have level words
_LEAST_GAP = 0.2  # of the font's size: programs that extract text take less for a crack within a word


@dataclass(frozen=True)
class SetWord:
    """A word as it is set, in pixels of the page, y down.

    start: the left end of its baseline. direction: of its baseline, a unit vector. length: of its baseline. size: of
    its font. gap: the space between it and the word that follows, 0 for the last of a line.
    """

    text: str
    start: tuple[float, float]
    direction: tuple[float, float]
    length: float
    size: float
    gap: float


def set_words(line: Line) -> list[SetWord]:
    """The words of a line where their ink is.

    All of them reach from the line's lowest to its highest point and follow its baseline, as type would: programs that
    extract text take words that differ in either for different lines. Where a line hardly rises, each word is level at
    its own height, for pdftotext cuts the others into pieces. A line whose words have no places is set whole, within
    its own outline. Raises ValueError where it has no outline either.
    """
    words = _placed(line)
    if not words:
        return []
    origin, turn, curve = _frame(_baseline(line, words))
    boxes = [_word_box((np.array(word.polygon) - origin) @ turn, curve) for word in words]
    above, below = max(box.above for box in boxes), max(box.below for box in boxes)
    size = max(1.0, above + below) / (ABOVE + BELOW)
    boxes = _parted(boxes, _LEAST_GAP * size)
    middles = [origin + turn @ box.point((box.left + box.right) / 2, below - BELOW * size) for box in boxes]
    lengths = [max(1.0, box.right - box.left) for box in boxes]
    directions = _levelled([turn @ box.direction for box in boxes])
    gaps = [max(1.0, _gap(box, after)) for box, after in pairwise(boxes)]
    return [
        SetWord(word.text.strip(), _pair(middle - direction * length / 2), _pair(direction), length, size, gap)
        for word, middle, direction, length, gap in zip(words, middles, directions, lengths, [*gaps, 0.0], strict=True)
    ]


def _placed(line: Line) -> list[Word]:
    """The words of a line that has places for all of them, or else the line as one word; none where it is empty."""
    words = [word for word in line.words if word.text.strip()]
    if not words or not all(word.polygon for word in words):
        words = [Word(line.text, line.polygon, line.confidence)] if line.text.strip() else []
    if not all(word.polygon for word in words):
        raise ValueError(f"the line {line.text!r} has no outline: a PDF needs the places of the words")
    return words


def _parted(boxes: list[_Box], least: float) -> list[_Box]:
    """The boxes of a line with gaps of at least that length, for which words give up some of their ends."""
    parted = list(boxes)
    for number, (box, after) in enumerate(pairwise(boxes)):
        lacking = (least - _gap(box, after)) / 2
        if lacking > 0:
            right = box.right - min(lacking, (box.right - box.left) / 3)
            parted[number] = replace(parted[number], right=right)
            parted[number + 1] = replace(after, left=after.left + min(lacking, (after.right - after.left) / 3))
    return parted


def _baseline(line: Line, words: Sequence[Word]) -> NDArray[np.float64]:
    """The points of the line's baseline, or else the lower edge of its outline. (N, 2), at least two."""
    if len(line.baseline) > 1:
        return np.array(line.baseline, float)
    outline: Polygon = line.polygon or tuple(point for word in words for point in word.polygon)
    if len(outline) == 4:
        return np.array([outline[3], outline[2]], float)
    points = np.array(outline, float)
    (left, _), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return np.array([[left, bottom], [right, bottom]])


def _frame(baseline: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The line's own coordinates, along its baseline and down from it.

    Gives their origin; the matrix whose columns are their axes; the baseline in them, (N, 2), from left to right.
    """
    origin, chord = baseline[0], baseline[-1] - baseline[0]
    length = float(np.hypot(*chord))
    along = chord / length if length else np.array([1.0, 0.0])
    turn = np.array([[along[0], -along[1]], [along[1], along[0]]])
    curve = (baseline - origin) @ turn
    return origin, turn, curve[np.argsort(curve[:, 0], kind="stable")]


@dataclass(frozen=True)
class _Box:
    """A word's box in the line's coordinates: its sides, as distances from a point of the baseline."""

    center: NDArray[np.float64]
    direction: NDArray[np.float64]
    left: float
    right: float
    above: float
    below: float

    def point(self, along: float, down: float) -> NDArray[np.float64]:
        """The point so far along the word's direction and below the baseline."""
        return self.center + along * self.direction + down * np.array([-self.direction[1], self.direction[0]])


def _word_box(points: NDArray[np.float64], curve: NDArray[np.float64]) -> _Box:
    """The box of a word's outline (N, 2) along the curve of its line, both in the line's coordinates."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    middle = (left + right) / 2
    reach = max(right - left, bottom - top, 1.0) / 2  # "I" alone has no direction to speak of
    begin, here, end = np.interp([middle - reach, middle, middle + reach], curve[:, 0], curve[:, 1])
    direction = np.array([2 * reach, end - begin]) / np.hypot(2 * reach, end - begin)
    center = np.array([middle, here])
    along, down = (points - center) @ direction, (points - center) @ np.array([-direction[1], direction[0]])
    return _Box(center, direction, float(along.min()), float(along.max()), float(-down.min()), float(down.max()))


def _gap(box: _Box, after: _Box) -> float:
    """From the end of a word to the beginning of the next, along the first one; negative where they overlap."""
    return float((after.point(after.left, 0) - box.point(box.right, 0)) @ box.direction)


def _levelled(directions: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """The directions of a line's words, or the page's own ones next to them where most of them differ little."""
    if np.median([np.abs(direction).min() for direction in directions]) > _LEVEL:
        return directions
    return [np.where(np.abs(direction) == np.abs(direction).max(), np.sign(direction), 0.0) for direction in directions]


def _pair(vector: NDArray[np.float64]) -> tuple[float, float]:
    return float(vector[0]), float(vector[1])
