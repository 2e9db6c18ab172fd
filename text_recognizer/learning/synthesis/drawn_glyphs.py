"""Letters and signs that handwriting fonts lack, drawn with strokes as wide as the font's.

Few handwriting fonts have the letters of Polish, Czech and Turkish, and none has arrows or signs of mathematics. A
letter with a mark is set as its base letter with the mark drawn on it; a sign is drawn as a hand would write it.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from text_recognizer.alphabet import CHARACTERS
from text_recognizer.learning.synthesis.lines import Typeface, font_of_size
from text_recognizer.learning.synthesis.pen_strokes import smoothed

Stroke = Sequence[tuple[float, float]]
Mask = NDArray[np.uint8]
_Line = tuple[NDArray[np.float64], int]  # points of a stroke (N, 2) in pixels, and how thick it is


def _circle(x: float, y: float, radius: float) -> Stroke:
    angles = np.linspace(0.5 * np.pi, 2.6 * np.pi, 9)
    return [(x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles]


#: Marks above a letter, in heights of a capital, y upwards from just above the letter, x from its middle.
_ABOVE: Mapping[str, Sequence[Stroke]] = {
    "\u0300": [[(-0.1, 0.2), (0.1, 0.02)]],
    "\u0301": [[(0.12, 0.22), (-0.06, 0.02)]],
    "\u0302": [[(-0.15, 0.02), (0, 0.18), (0.15, 0.02)]],
    "\u0303": [[(-0.18, 0.06), (-0.08, 0.15), (0.07, 0.06), (0.18, 0.15)]],
    "\u0306": [[(-0.15, 0.2), (-0.08, 0.07), (0.08, 0.07), (0.15, 0.2)]],
    "\u0307": [[(0, 0.1)]],
    "\u0308": [[(-0.1, 0.1)], [(0.1, 0.1)]],
    "\u030a": [_circle(0, 0.13, 0.1)],
    "\u030c": [[(-0.15, 0.2), (0, 0.04), (0.15, 0.2)]],
}
#: Marks below, y downwards being negative, from the foot of the letter; the ogonek hangs at its right end.
_BELOW: Mapping[str, Sequence[Stroke]] = {
    "\u0327": [[(0, 0.02), (-0.02, -0.08), (0.1, -0.13), (0.05, -0.23), (-0.1, -0.2)]],
    "\u0328": [[(0.02, 0.02), (-0.09, -0.1), (-0.04, -0.2), (0.1, -0.18)]],
}
_OGONEK = "\u0328"
_STROKE = "\u0338"  # through the letter, of ł
_THROUGH: Stroke = [(-0.17, -0.06), (0.17, 0.1)]

#: Signs: strokes in heights of a capital, x from the left, y upwards from the baseline.
_SIGNS: Mapping[str, Sequence[Stroke]] = {
    "→": [[(0, 0.37), (0.75, 0.37)], [(0.52, 0.58), (0.76, 0.37), (0.52, 0.16)]],
    "←": [[(0.75, 0.37), (0, 0.37)], [(0.24, 0.58), (0, 0.37), (0.24, 0.16)]],
    "↑": [[(0.22, 0), (0.22, 0.95)], [(0, 0.7), (0.22, 0.97), (0.44, 0.7)]],
    "↓": [[(0.22, 0.95), (0.22, 0)], [(0, 0.26), (0.22, 0), (0.44, 0.26)]],
    "✓": [[(0, 0.38), (0.2, 0.04), (0.3, 0.3), (0.62, 0.98)]],
    "√": [[(0, 0.42), (0.1, 0.48), (0.24, 0.02), (0.42, 0.96), (0.9, 0.96)]],
    "π": [[(0, 0.55), (0.1, 0.64), (0.64, 0.62)], [(0.22, 0.62), (0.2, 0.3), (0.1, 0)],
          [(0.48, 0.62), (0.44, 0.2), (0.5, 0.02), (0.62, 0.08)]],
    "∞": [[(0.4, 0.32), (0.22, 0.5), (0.04, 0.42), (0.04, 0.22), (0.22, 0.14), (0.4, 0.32), (0.58, 0.5), (0.76, 0.42),
           (0.76, 0.22), (0.58, 0.14), (0.4, 0.32)]],
    "≈": [[(0, 0.46), (0.14, 0.56), (0.36, 0.44), (0.5, 0.54)], [(0, 0.24), (0.14, 0.34), (0.36, 0.22), (0.5, 0.32)]],
    "≠": [[(0, 0.46), (0.5, 0.46)], [(0, 0.24), (0.5, 0.24)], [(0.38, 0.68), (0.12, 0.02)]],
    "≤": [[(0.5, 0.68), (0.02, 0.43), (0.5, 0.2)], [(0.02, 0.04), (0.5, 0.04)]],
    "≥": [[(0.02, 0.68), (0.5, 0.43), (0.02, 0.2)], [(0.02, 0.04), (0.5, 0.04)]],
    "₹": [[(0.02, 0.95), (0.58, 0.95)], [(0.02, 0.7), (0.58, 0.7)],
          [(0.05, 0.95), (0.34, 0.93), (0.4, 0.7), (0.3, 0.5), (0.04, 0.46), (0.46, 0)]],
    "₺": [[(0.2, 0.97), (0.2, 0.05), (0.42, 0.04), (0.6, 0.36)], [(0.02, 0.5), (0.44, 0.74)],
          [(0.02, 0.3), (0.44, 0.54)]],
    "‰": [_circle(0.13, 0.8, 0.13), [(0.56, 0.97), (0.1, 0)], _circle(0.46, 0.14, 0.13), _circle(0.8, 0.14, 0.13)],
    "№": [[(0, 0), (0.04, 0.95), (0.44, 0.03), (0.48, 0.97)], _circle(0.72, 0.5, 0.15), [(0.58, 0.2), (0.88, 0.2)]],
    "†": [[(0.2, 0.97), (0.2, -0.05)], [(0, 0.66), (0.4, 0.66)]],
    "¬": [[(0, 0.42), (0.5, 0.42), (0.5, 0.18)]],
    "•": [_circle(0.12, 0.36, 0.06), [(0.12, 0.36)]],
}  # fmt: skip


def _parts(character: str) -> tuple[str, str]:
    """The base letter and the mark that a letter is composed of; ("", "") where it is not."""
    if character in "łŁ":
        return ("l" if character == "ł" else "L"), _STROKE
    base, mark = (*unicodedata.normalize("NFD", character), "", "")[:2]
    known = mark in _ABOVE or mark in _BELOW
    return (base, mark) if known else ("", "")


_COMPOSED = {character: parts for character in CHARACTERS if (parts := _parts(character))[0]}


def settable(face: Typeface) -> frozenset[str]:
    """The characters that a handwriting face has, or that are drawn beside what it has."""
    composed = {character for character, (base, _) in _COMPOSED.items() if base in face.characters}
    return face.characters | composed | _SIGNS.keys()


@dataclass(frozen=True)
class _Hand:
    """A face at a size, with its measures in pixels: heights of a capital and of its ascent, width of its strokes."""

    face: Typeface
    font: ImageFont.FreeTypeFont
    capital: float
    ascent: int
    stroke: float

    def pieces(self, word: str) -> list[str]:
        """A word as runs of letters that are set and single signs that are drawn."""
        found: list[str] = []
        alone = True
        for character in word:
            drawn = self.draws(character)
            if drawn or alone:
                found.append(character)
            else:
                found[-1] += character
            alone = drawn
        return found

    def draws(self, piece: str) -> bool:
        """Whether a piece is a sign that the face lacks."""
        return piece in _SIGNS and piece not in self.face.characters

    def letters(self, piece: str) -> str:
        """What is set of a run of letters: those that the face has, and the base letters of the others."""
        return "".join(c if c in self.face.characters else _COMPOSED[c][0] for c in piece)

    def width(self, piece: str) -> float:
        """Pixels from the left end of a piece to that of the next one."""
        if self.draws(piece):
            return (max(x for stroke in _SIGNS[piece] for x, _ in stroke) + 0.18) * self.capital
        return float(self.font.getlength(self.letters(piece)))


@lru_cache(maxsize=512)
def _hand(face: Typeface, size: int) -> _Hand:
    font = font_of_size(face.path, size)
    ascent, _ = font.getmetrics()
    canvas = Image.new("L", (4 * size, 3 * size), 0)
    ImageDraw.Draw(canvas).text((size // 2, size // 2), "Ilno", fill=255, font=font)
    depth = cv2.distanceTransform((np.asarray(canvas) > 128).astype(np.uint8), cv2.DIST_L2, 5)
    ridge = depth[(depth > 0) & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)))]
    stroke = max(1.5, 2 * float(np.median(ridge)) - 1) if len(ridge) else 2.0
    return _Hand(face, font, max(4.0, ascent - font.getbbox("H")[1]), ascent, stroke)


def set_words(text: str, face: Typeface, size: int, rng: random.Random) -> Mask:
    """Ink mask uint8 (H, W) of a text in a handwriting face, with what the face lacks drawn; words apart unevenly, not
    quite on one line."""
    hand, pad = _hand(face, size), size // 2
    words = [hand.pieces(word) for word in text.split(" ")]
    widths = [sum(map(hand.width, pieces)) for pieces in words]
    space = max(hand.font.getlength(" "), 0.18 * size) * rng.uniform(0.8, 2.0)
    room = int(sum(widths) + 1.4 * space * len(words)) + 2 * pad + size
    canvas = Image.new("L", (room, sum(hand.font.getmetrics()) + 2 * pad), 0)
    draw, drawn, x = ImageDraw.Draw(canvas), list[_Line](), float(pad)
    for pieces, width in zip(words, widths, strict=True):
        top, left = pad + rng.gauss(0, 0.02) * size, x
        for piece in pieces:
            if hand.draws(piece):
                drawn += _sign(piece, (left + 0.08 * hand.capital, top + hand.ascent), hand, rng)
            else:
                draw.text((left, top), hand.letters(piece), fill=255, font=hand.font)
                drawn += _marks(piece, (left, top), hand, rng)
            left += hand.width(piece)
        x += width + space * rng.uniform(0.75, 1.35)
    mask = np.array(canvas)
    for points, thickness in drawn:
        _draw_stroke(mask, points, thickness)
    columns = np.flatnonzero(mask.any(axis=0))
    return mask[:, : columns[-1] + pad] if len(columns) else mask[:, : 2 * pad]


def _sign(sign: str, place: tuple[float, float], hand: _Hand, rng: random.Random) -> Iterator[_Line]:
    """The strokes of a sign; place: its left end and the baseline."""
    scale, lean = hand.capital * rng.uniform(0.85, 1.05), rng.gauss(0, 0.04)
    thickness = max(1, round(min(0.85 * hand.stroke, 0.1 * hand.capital)))
    for stroke in _SIGNS[sign]:
        yield _placed([(x + lean * y, y) for x, y in stroke], place, scale, rng), thickness


def _marks(piece: str, place: tuple[float, float], hand: _Hand, rng: random.Random) -> Iterator[_Line]:
    """The marks of the letters of a run that the face lacks; place: left end of the run, and top of its line."""
    scale, thickness = hand.capital * rng.uniform(0.9, 1.15), max(1, round(0.9 * hand.stroke))
    letters = hand.letters(piece)
    for number, (character, base) in enumerate(zip(piece, letters, strict=True)):
        if character == base:
            continue
        mark = _COMPOSED[character][1]
        left, top, right, bottom = hand.font.getbbox(base)
        before = float(hand.font.getlength(letters[:number]))
        middle, width = place[0] + before + (left + right) / 2, right - left
        if mark in _ABOVE:
            strokes, anchor = _ABOVE[mark], (middle, place[1] + top - 0.04 * hand.capital)
        elif mark == _STROKE:
            stem = 0.3 * width if base == "L" else 0.0  # of an L, at its left
            strokes, anchor = [_THROUGH], (middle - stem, place[1] + 0.55 * top + 0.45 * bottom)
        else:
            aside = width / 2 - 0.08 * scale if mark == _OGONEK else 0.0
            strokes, anchor = _BELOW[mark], (middle + aside, place[1] + bottom)
        for stroke in strokes:
            yield _placed(stroke, anchor, scale, rng), thickness


def _placed(stroke: Stroke, place: tuple[float, float], scale: float, rng: random.Random) -> NDArray[np.float64]:
    """A stroke in pixels, each point a little off."""
    moved = [(x + rng.gauss(0, 0.013), y + rng.gauss(0, 0.013)) for x, y in stroke]
    return np.array([(place[0] + scale * x, place[1] - scale * y) for x, y in moved])


def _draw_stroke(mask: Mask, points: NDArray[np.float64], thickness: int) -> None:
    """Draw a smooth stroke through points, in place; a single one is a dot, a little larger."""
    if len(points) == 1:
        center = (round(float(points[0, 0]) * 16), round(float(points[0, 1]) * 16))
        cv2.circle(mask, center, round(0.65 * thickness * 16), 255, -1, cv2.LINE_AA, 4)
        return
    curve, _ = smoothed(points, np.arange(len(points)) == len(points) - 1, 6)
    cv2.polylines(mask, [np.round(curve * 16).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, 4)
