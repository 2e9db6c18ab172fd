"""Synthetic pages: one or two columns of lines on paper, with rules, frames, stains and edges that are no text.

Deterministic by seed, every line known to the pixel; what real page datasets lack (columns, print
beside handwriting, things to leave alone) comes from here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.datasets.pages import TracedLine, TracedPage, trace_box
from text_recognizer.learning.synthesis.lines import (
    Paper,
    Typeface,
    distort,
    handwriting_faces,
    printed_faces,
    render_words,
)
from text_recognizer.learning.synthesis.text import TextSampler


class SyntheticPages:
    """A generator of pages; `self[i]` is page number i of the seed. without: names of text files not to show."""

    def __init__(self, seed: int, without: Sequence[str] = ()) -> None:
        self.seed = seed
        self.text = TextSampler(Alphabet(), without=without)
        self.handwriting = handwriting_faces()
        self.printed = printed_faces() or self.handwriting

    def __getitem__(self, number: int) -> TracedPage:
        """Page number `number` with its lines."""
        rng = random.Random(f"page-{self.seed}-{number}")
        noise = np.random.default_rng([self.seed, number, 7])
        height, width = rng.randint(1200, 1700), rng.randint(950, 1350)
        ink = np.zeros((height, width), np.uint8)
        lines: list[TracedLine] = []
        columns = rng.choices([1, 2], [0.5, 0.5])[0]
        gutter = rng.randint(40, 110)
        margin = rng.randint(50, 130)
        inner = (width - 2 * margin - (columns - 1) * gutter) // columns
        top = rng.randint(40, 160)
        if rng.random() < 0.4:
            top = self._block(ink, lines, rng, (margin, top, width - 2 * margin), rng.randint(1, 2)) + 40
        for column in range(columns):
            left = margin + column * (inner + gutter)
            start = top + rng.choice([0, rng.randint(0, 60)])
            self._block(ink, lines, rng, (left, start, inner), rng.randint(3, 40))
        paper = lay_on_paper(ink, rng, noise)
        return TracedPage(f"synthetic-page-{self.seed}-{number}", paper, lines)

    def pages(self, count: int) -> Iterator[TracedPage]:
        """The first `count` pages."""
        return (self[number] for number in range(count))

    def _block(
        self,
        ink: NDArray[np.uint8],
        lines: list[TracedLine],
        rng: random.Random,
        place: tuple[int, int, int],
        count: int,
    ) -> int:
        """Set up to `count` lines in one hand below each other at (left, top, width); the row after the last."""
        left, y, width = place
        printed = rng.random() < 0.3
        face = rng.choice(self.printed if printed else self.handwriting)
        size = rng.randint(18, 30) if printed else rng.randint(26, 56)
        spacing = rng.uniform(1.1, 1.5) if printed else rng.uniform(0.95, 2.2)
        for _ in range(count):
            mask = self._line(face, size, rng, width, printed)
            if y + mask.shape[0] >= ink.shape[0] - 20:
                break
            indent = rng.randint(0, width // 6) if rng.random() < 0.15 else rng.randint(0, 12)
            x = min(left + indent, max(0, ink.shape[1] - mask.shape[1]))
            region = ink[y : y + mask.shape[0], x : x + mask.shape[1]]
            np.maximum(region, mask[:, : region.shape[1]], out=region)
            lines.append(trace_box((mask > 100).astype(np.float32), [0, 0, mask.shape[1], mask.shape[0]]))
            lines[-1] = TracedLine(lines[-1].baseline + (x, y), lines[-1].polygon + (x, y))
            y += max(int(size * spacing), mask.shape[0] * 2 // 3 if not printed else mask.shape[0])
        return y

    def _line(self, face: Typeface, size: int, rng: random.Random, width: int, steady: bool) -> NDArray[np.uint8]:
        """The ink of one line, cropped to it, at most `width` wide."""
        text = " ".join(self.text.sample(rng) for _ in range(3))
        words = [word for word in text.split() if set(word) <= face.characters][: 1 + width // (size * 2)] or ["a"]
        if rng.random() < 0.2:
            words = words[: rng.randint(1, 3)]
        mask = distort(render_words(" ".join(words), face.path, size, rng, steady), rng, steady)
        rows, columns = np.flatnonzero(mask.max(axis=1) > 60), np.flatnonzero(mask.max(axis=0) > 60)
        if not len(rows):
            return np.full((size // 2, size), 255, np.uint8)
        mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if mask.shape[1] <= width:
            return mask
        gaps = np.flatnonzero(mask[:, : width - size].max(axis=0) == 0)
        return mask[:, : gaps[-1] if len(gaps) and gaps[-1] > width // 2 else width]


def lay_on_paper(ink: NDArray[np.uint8], rng: random.Random, noise: np.random.Generator) -> NDArray[np.uint8]:
    """The ink uint8 (H, W) on uneven paper with things that are no text: the page gray uint8 (H, W)."""
    height, width = ink.shape
    light, dark = rng.randint(180, 250), rng.randint(10, 110)
    coarse = noise.normal(0, rng.uniform(0, 10), (8, 6)).astype(np.float32)
    page: Paper = light + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.4:
        _rules(page, rng, light)
    for _ in range(rng.choice([0, 0, 1, 2])):
        _stain(page, rng)
    if rng.random() < 0.3:
        _frame(page, rng)
    if rng.random() < 0.25:
        _doodle(page, rng)
    if rng.random() < 0.2:
        side = rng.randint(10, 40)
        page[:, :side] = rng.randint(0, 90)
    alpha = ink.astype(np.float32) / 255
    grain = noise.normal(0, rng.uniform(0, 6), (height, width))
    return np.clip(page * (1 - alpha) + dark * alpha + grain, 0, 255).astype(np.uint8)


def _rules(page: Paper, rng: random.Random, light: int) -> None:
    level, pitch = float(light - rng.randint(20, 90)), rng.randint(32, 80)
    for y in range(rng.randint(0, pitch), page.shape[0], pitch):
        cv2.line(page, (0, y), (page.shape[1], y), level, rng.choice([1, 1, 2]))
    if rng.random() < 0.3:
        for x in range(rng.randint(0, pitch), page.shape[1], pitch):
            cv2.line(page, (x, 0), (x, page.shape[0]), level, 1)


def _stain(page: Paper, rng: random.Random) -> None:
    spot = np.zeros(page.shape, np.float32)
    center = rng.randrange(page.shape[1]), rng.randrange(page.shape[0])
    axes = rng.randint(20, 160), rng.randint(20, 160)
    cv2.ellipse(spot, center, axes, rng.uniform(0, 180), 0, 360, float(rng.randint(20, 120)), rng.choice([-1, 6]))
    page -= cv2.blur(spot, (9, 9))


def _frame(page: Paper, rng: random.Random) -> None:
    left, top = rng.randrange(page.shape[1] // 2), rng.randrange(page.shape[0])
    size = rng.randint(100, page.shape[1]), rng.randint(40, 500)
    cv2.rectangle(
        page, (left, top), (left + size[0], top + size[1]), float(rng.randint(20, 140)), rng.choice([1, 2, 3])
    )


def _doodle(page: Paper, rng: random.Random) -> None:
    """A free stroke where nothing is written: at the foot of the page."""
    x, y = rng.randrange(page.shape[1]), page.shape[0] - rng.randint(5, 30)
    points = [(x + rng.randint(-150, 150), y + rng.randint(-15, 15)) for _ in range(rng.randint(3, 8))]
    cv2.polylines(
        page, [np.array(points, np.int32)], False, float(rng.randint(20, 120)), rng.choice([1, 2, 3]), cv2.LINE_AA
    )
