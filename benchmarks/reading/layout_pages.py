"""Synthetic pages whose regions are known: columns, headings, notes in the margin, paragraphs of several styles.

Deterministic by seed. Where every line lies and what it belongs to is drawn first, in milliseconds, which is enough to
measure reading order and regions; `LaidPage.image` then sets the text there in handwriting, so that it can be read.
Hands are uneven: margins are ragged and lean, leading and size vary, lines rise and fall, pages lie askew.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.datasets.pages import TracedLine, TracedPage
from text_recognizer.learning.synthesis.lines import Typeface, handwriting_faces, render_words
from text_recognizer.learning.synthesis.pages import lay_on_paper
from text_recognizer.learning.synthesis.text import TextSampler

#: What a page may be: two columns, perhaps with a heading above both; one with notes beside it; one with headings.
LAYOUTS = ("columns", "notes", "headings")
#: How paragraphs are told apart, and how often: by the first line, by paper, by both, by nothing but a last line's end.
_STYLES = {"indent": 0.35, "space": 0.35, "both": 0.1, "hanging": 0.05, "end": 0.15}
_SIZE = 1240, 1754  # A4 at 150 dpi
_WIDTH_OF_LETTER = 0.33  # of the height of the writing


@dataclass(frozen=True)
class LaidLine:
    """A line before the page is turned: its text, where it begins and ends, its baseline's row at both ends, how high
    its writing is, all in pixels, and the number of its region."""

    text: str
    left: float
    right: float
    levels: tuple[float, float]
    height: float
    region: int


@dataclass(frozen=True)
class LaidPage:
    """A page: its lines in reading order, the kinds of its regions, the angle it lies at in degrees, its hand."""

    identifier: str
    lines: tuple[LaidLine, ...]
    kinds: tuple[str, ...]
    angle: float
    face: Typeface
    size: tuple[int, int] = _SIZE

    @property
    def traced(self) -> list[TracedLine]:
        """Baselines and outlines of the lines, in their order."""
        turn = self._turn()
        return [_traced(line, turn) for line in self.lines]

    def image(self) -> TracedPage:
        """The page as a picture with its lines."""
        rng = random.Random(self.identifier)
        noise = np.random.default_rng(rng.randrange(2**32))
        ink = np.zeros(self.size[::-1], np.uint8)
        for line in self.lines:
            _write(ink, line, self.face, rng)
        ink = np.asarray(cv2.warpAffine(ink, self._turn(), self.size, flags=cv2.INTER_LINEAR), np.uint8)
        return TracedPage(self.identifier, lay_on_paper(ink, rng, noise), self.traced)

    def _turn(self) -> NDArray[np.float64]:
        center = self.size[0] / 2, self.size[1] / 2
        return np.asarray(cv2.getRotationMatrix2D(center, self.angle, 1.0), np.float64)


class LayoutPages:
    """A generator of pages of one layout, of `LAYOUTS`; `self[i]` is page number i of the seed."""

    def __init__(self, layout: str, seed: int) -> None:
        if layout not in LAYOUTS:
            raise ValueError(f"a layout is one of {', '.join(LAYOUTS)}, not {layout!r}")
        self.layout, self.seed = layout, seed
        self.text = TextSampler(Alphabet())
        self.faces = handwriting_faces()

    def __getitem__(self, number: int) -> LaidPage:
        rng = random.Random(f"layout-{self.layout}-{self.seed}-{number}")
        hand = _Hand.draw(rng)
        setter = _Setter(self.text, rng, hand)
        getattr(setter, self.layout)()
        name = f"{self.layout}-{self.seed}-{number}"
        face = rng.choice(self.faces)
        return LaidPage(name, tuple(setter.lines), tuple(setter.kinds), rng.gauss(0, 1.0), face)

    def pages(self, count: int) -> Iterator[LaidPage]:
        """The first `count` pages."""
        return (self[number] for number in range(count))


@dataclass(frozen=True)
class _Hand:
    """How a page is written: height of the writing and leading in pixels, what sets paragraphs apart, and how uneven
    it all is, as shares of the height."""

    height: float
    leading: float
    style: str
    indent: float
    space: float
    ragged: float
    lean: float

    @classmethod
    def draw(cls, rng: random.Random) -> _Hand:
        """A hand by chance."""
        height = rng.uniform(34, 58)
        return cls(
            height,
            height * rng.uniform(0.95, 1.6),
            rng.choices(list(_STYLES), list(_STYLES.values()))[0],
            height * rng.uniform(0.9, 2.5),
            rng.uniform(0.35, 1.0),
            rng.uniform(0.05, 0.25),
            rng.gauss(0, 0.02),
        )


@dataclass
class _Setter:
    """Sets regions on a page, one after the other."""

    text: TextSampler
    rng: random.Random
    hand: _Hand
    lines: list[LaidLine] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def columns(self) -> None:
        """Two columns, perhaps with a heading above both and a paragraph below both."""
        left, right = self.rng.uniform(50, 110), _SIZE[0] - self.rng.uniform(50, 110)
        top = self.rng.uniform(110, 220)
        if self.rng.random() < 0.6:
            top = self._heading(left, right, top)
        share = self.rng.uniform(0.42, 0.58)
        gutter = self.hand.height * self.rng.uniform(1.0, 2.5)
        middle = left + (right - left) * share
        foot = self.rng.uniform(0.5, 0.95) * _SIZE[1]
        ends = [
            self._paragraphs(x, y, top + self.rng.uniform(0, 0.8) * self.hand.leading, foot)
            for x, y in ((left, middle - gutter / 2), (middle + gutter / 2, right))
        ]
        below = max(ends) + 0.8 * self.hand.leading
        if below < 0.85 * _SIZE[1] and self.rng.random() < 0.4:
            self._paragraph(left, right, below, self.rng.randint(2, 3))

    def notes(self) -> None:
        """One column with one to three notes in a margin, which are read after it."""
        on_left = self.rng.random() < 0.6
        wide = self.rng.uniform(0.17, 0.26) * _SIZE[0]
        left, right = (wide, _SIZE[0] - 60.0) if on_left else (60.0, _SIZE[0] - wide)
        top = self.rng.uniform(110, 220)
        foot = self._paragraphs(left, right, top, self.rng.uniform(0.6, 0.95) * _SIZE[1])
        gap = self.hand.height * self.rng.uniform(0.5, 1.2)
        edges = (25.0, left - gap) if on_left else (right + gap, _SIZE[0] - 25.0)
        y = top + self.rng.uniform(0, 0.4) * (foot - top)
        while y < foot - 2 * self.hand.leading and (self.kinds[-1] != "marginalia" or self.rng.random() < 0.5):
            y = self._note(*edges, y, foot) + self.rng.uniform(3, 8) * self.hand.leading

    def headings(self) -> None:
        """One column with a heading or two."""
        left, right = self.rng.uniform(60, 180), _SIZE[0] - self.rng.uniform(60, 140)
        y = self._heading(left, right, self.rng.uniform(110, 220))
        for _ in range(self.rng.randint(1, 2)):
            y = self._paragraphs(left, right, y, y + self.rng.uniform(0.25, 0.5) * _SIZE[1])
            if y > 0.65 * _SIZE[1]:
                break
            y = self._heading(left, right, y + self.rng.uniform(0.3, 0.8) * self.hand.leading)
        if self.kinds[-1] == "heading":
            self._paragraphs(left, right, y, 0.95 * _SIZE[1])

    def _paragraphs(self, left: float, right: float, top: float, foot: float) -> float:
        """Paragraphs down to a row of the page; where the next line would stand."""
        y, first = top, True
        while first or y + 1.5 * self.hand.leading < min(foot, 0.96 * _SIZE[1]):
            if not first and self.hand.style in ("space", "both"):
                y += self.hand.space * self.hand.leading
            room = int((min(foot, 0.96 * _SIZE[1]) - y) / self.hand.leading)
            y = self._paragraph(left, right, y, max(1, min(room, self.rng.randint(1, 9))))
            first = False
        return y

    def _paragraph(self, left: float, right: float, y: float, count: int) -> float:
        """A paragraph of so many lines; where the next line would stand."""
        self.kinds.append("paragraph")
        for number in range(count):
            styles = ("hanging",) if number else ("indent", "both")
            inset = self.hand.indent if self.hand.style in styles else 0.0
            share = self.rng.uniform(0.12, 1.0) if number == count - 1 else 1.0
            room = right - left - inset
            self._line(left + inset, y, self._words(max(share * room, 0.1 * room), self.hand.height), self.hand.height)
            y += self.hand.leading * self.rng.gauss(1, 0.035)
        return y

    def _heading(self, left: float, right: float, y: float) -> float:
        """A centred line, larger or not; where the next line would stand."""
        self.kinds.append("heading")
        height = self.hand.height * self.rng.uniform(1.0, 1.5)
        text = self._words(self.rng.uniform(0.2, 0.6) * (right - left), height)
        width = _length(text, height)
        self._line((left + right - width) / 2 + self.rng.gauss(0, 0.02) * width, y, text, height)
        return y + self.hand.leading * (height / self.hand.height * 0.5 + 0.5 + self.rng.uniform(0.2, 0.9))

    def _note(self, left: float, right: float, y: float, foot: float) -> float:
        """A note of a few short lines; where it ends."""
        self.kinds.append("marginalia")
        shrink = self.rng.uniform(0.6, 0.9)
        for _ in range(self.rng.randint(1, 5)):
            if y > foot:
                break
            room = (right - left) * self.rng.uniform(0.6, 1.0)
            self._line(left, y, self._words(room, shrink * self.hand.height), shrink * self.hand.height, right)
            y += shrink * self.hand.leading * self.rng.gauss(1, 0.04)
        return y

    def _line(self, left: float, y: float, text: str, height: float, limit: float = _SIZE[0] - 10.0) -> None:
        left += self.rng.gauss(0, self.hand.ragged) * self.hand.height + self.hand.lean * (y - _SIZE[1] / 2)
        right = min(left + _length(text, height) * self.rng.gauss(1, 0.02), limit)
        rise = self.rng.gauss(0, 0.005) * (right - left)
        height *= self.rng.gauss(1, 0.05)
        self.lines.append(LaidLine(text, left, right, (y - rise / 2, y + rise / 2), height, len(self.kinds) - 1))

    def _words(self, room: float, height: float) -> str:
        """Text that fills a room of so many pixels as a hand would: the last word ends before its end."""
        letters = max(3, int(room / (_WIDTH_OF_LETTER * height)))
        text = ""
        while len(text) < letters + 12:
            text += self.text.sample(self.rng) + " "
        return text[:letters].rsplit(" ", 1)[0].strip() or text[:3].strip() or "a"


def _length(text: str, height: float) -> float:
    return _WIDTH_OF_LETTER * height * len(text)


def _traced(line: LaidLine, turn: NDArray[np.float64]) -> TracedLine:
    base = np.array([[line.left, line.levels[0]], [line.right, line.levels[1]]])
    outline = np.vstack([base - (0, 0.7 * line.height), (base + (0, 0.3 * line.height))[::-1]])
    return TracedLine(_turned(base, turn), _turned(outline, turn), line.text)


def _turned(points: NDArray[np.float64], turn: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ turn[:, :2].T + turn[:, 2])


def _write(ink: NDArray[np.uint8], line: LaidLine, face: Typeface, rng: random.Random) -> None:
    """Set a line into its box; characters that the hand has no glyph for are left out."""
    text = "".join(character for character in line.text if character == " " or character in face.characters) or "a"
    mask = _cropped(render_words(text, face.path, round(line.height), rng, steady=False))
    size = max(2, round(line.right - line.left)), max(2, round(line.height))
    mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)
    top, left = round(np.mean(line.levels) - 0.7 * line.height), round(line.left)
    rows, columns = slice(max(0, top), top + size[1]), slice(max(0, left), left + size[0])
    place = ink[rows, columns]
    np.maximum(place, mask[max(0, -top) :, max(0, -left) :][: place.shape[0], : place.shape[1]], out=place)


def _cropped(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = np.flatnonzero(mask.max(axis=1) > 60), np.flatnonzero(mask.max(axis=0) > 60)
    if not len(rows):
        return np.full((4, 4), 255, np.uint8)
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
