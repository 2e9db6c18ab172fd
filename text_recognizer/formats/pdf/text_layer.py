"""The invisible text of a PDF page: where its words stand, and what its character codes mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from text_recognizer.page import Line, Page, Polygon, Word

#: What PDF calls the kinds of regions (ISO 32000-1, 14.8.4).
ELEMENTS = {"paragraph": "P", "heading": "H1", "marginalia": "Note"}
_WIDTH = 0.5  # of each character, as a share of the font's size; see make_glyphless_font.py
_END = 0.3  # the size of a space at the end of a line, as a share of that of the line
_CODES = 0xFFFF  # codes have two bytes, and 0 stays free
_ENTRIES = 100  # of a list in a CMap, at most

#: How far the font reaches above and below its baseline, in parts of its size; see make_glyphless_font.py.
ABOVE, BELOW = 0.65, 0.22
_LEVEL = 0.07  # the sine of 4 degrees: lines that rise less have level words
_LEAST_GAP = 0.2  # of the font's size: programs that extract text take less for a crack within a word


class TextLayer:
    """The text of a page in reading order, region by region.

    points: a pixel's size in points (1/72 inch). content: operators, to be put behind a content stream; they use the
    font /F. elements: the names of the structure elements that the marked content 0, 1, ... belongs to. characters:
    those that occur, the first of which has the code 1. Raises ValueError where a line with text has no place.
    """

    def __init__(self, page: Page, points: float) -> None:
        self._points, self._height = points, page.height * points
        self._codes: dict[str, int] = {}
        self.elements: list[str] = []
        self.content = b"".join(self._regions(page))

    @property
    def characters(self) -> list[str]:
        """The characters of the text, in the order of their codes from 1."""
        return list(self._codes)

    def _regions(self, page: Page) -> Iterator[bytes]:
        """A piece of marked content for each region; for all lines together where a page has no regions."""
        parts: list[tuple[str, Sequence[int]]] = [(region.kind, region.lines) for region in page.regions]
        for kind, numbers in parts or [("paragraph", range(len(page.lines)))]:
            lines = [line for line in (set_words(page.lines[number]) for number in numbers) if line]
            if not lines:
                continue
            yield f"/{ELEMENTS[kind]} <</MCID {len(self.elements)}>> BDC\nBT 3 Tr\n".encode()  # 3: paints nothing
            self.elements.append(ELEMENTS[kind])
            for line in lines:
                yield f"/F {_number(line[0].size * self._points)} Tf\n".encode()
                yield from map(self._word, line)
                yield self._end(line[-1].size)
            yield b"ET\nEMC\n"

    def _word(self, word: SetWord) -> bytes:
        """A word, stretched to its length, and a space that reaches to the next one."""
        (x, y), (right, down) = word.start, word.direction
        turn = " ".join(_number(value, 5) for value in (right, -down, down, right))
        place = f"{turn} {_number(x * self._points)} {_number(self._height - y * self._points)} Tm\n"
        shown = place + self._shown(word.text, word.length, word.size)
        if word.gap:
            shown += self._shown(" ", word.gap, word.size)
        return shown.encode()

    def _end(self, size: float) -> bytes:
        """A space at the end of a line, so that the words of a paragraph stay apart for programs that read by tags.

        It is small, for PDFium begins a new line where what follows does not overlap in height with what was before.
        """
        return f"/F {_number(_END * size * self._points)} Tf\n{self._shown(' ', _END * size, _END * size)}".encode()

    def _shown(self, text: str, length: float, size: float) -> str:
        codes = "".join(f"{self._code(character):04X}" for character in text)
        stretch = 100 * length / (len(text) * _WIDTH * size)
        return f"{_number(stretch)} Tz <{codes}> Tj\n"

    def _code(self, character: str) -> int:
        if character not in self._codes and len(self._codes) == _CODES:
            raise ValueError(f"a page of a PDF cannot have more than {_CODES} different characters")
        return self._codes.setdefault(character, len(self._codes) + 1)


def unicode_map(characters: Sequence[str]) -> bytes:
    """The CMap that says which characters the codes 1, 2, ... are (ISO 32000-1, 9.10.3), in UTF-16."""
    rows = [
        f"<{code:04X}> <{character.encode('utf-16-be', 'replace').hex().upper()}>\n"
        for code, character in enumerate(characters, 1)
    ]
    lists = [rows[begin : begin + _ENTRIES] for begin in range(0, len(rows), _ENTRIES)]
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        + "".join(f"{len(some)} beginbfchar\n{''.join(some)}endbfchar\n" for some in lists)
        + "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()


def _number(value: float, digits: int = 3) -> str:
    """A number as PDF writes it: never with an exponent."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


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
