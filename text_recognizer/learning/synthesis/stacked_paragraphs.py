"""Synthetic paragraphs: lines of one hand set below each other, with the spacing, indents and margins of pages.

Line images are cropped to their ink, so a line without descenders ends at its baseline. Where the baseline
lies follows from the characters, and lines of one paragraph are set to one size by the same rule.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import normalize_line
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel
from text_recognizer.learning.datasets.paragraphs import PAGE_WIDTH, ParagraphDataset, ParagraphLabel, cached_paragraphs
from text_recognizer.learning.synthesis.lines import SYNTHETIC_VERSION, SyntheticLines, drawn_from
from text_recognizer.paths import cache_dir

#: Changes with the pictures; prepared ones are made again.
STACK_VERSION = 1

_LOW = frozenset("acemnorsuvwxzıàáâäãåæçèéêëñòóôöõøùúûüœ.,:;-–—_~·«»‹›…•+<>= ")  # not above the x-height
_BELOW = frozenset("gjpqyçÿýQ,;_()[]{}|§@$ßf„‚")  # below the baseline
_RISE, _DROP = 0.8, 0.7  # of the x-height: how far ascenders and descenders reach

Image = NDArray[np.uint8]


class StackedLines:
    """A generator of paragraphs of real lines; `self[i]` is paragraph i of the seed.

    lines: a line dataset. most: lines of a paragraph at most. Each paragraph has lines of one writer,
    in random order; a writer is drawn as often as they have lines.
    """

    def __init__(self, lines: LineDataset, seed: int = 1, most: int = 10) -> None:
        self.lines, self.seed, self.most = lines, seed, most
        self.by_writer: dict[str, list[int]] = defaultdict(list)
        for number, label in enumerate(lines.labels):
            self.by_writer[label.writer].append(number)

    def __getitem__(self, number: int) -> tuple[Image, ParagraphLabel]:
        """Image uint8 (H, W), ink 255, and label."""
        rng = np.random.default_rng([self.seed, number])
        writer = self.lines.labels[rng.integers(len(self.lines))].writer
        own = self.by_writer[writer]
        count = min(len(own), int(rng.integers(2, self.most + 1)))
        chosen = [self.lines[own[at]] for at in rng.permutation(len(own))[:count]]
        text = "\n".join(label.text for _, label in chosen)
        label = ParagraphLabel(f"stacked-{self.seed}-{number}", text, writer, f"stacked-{chosen[0][1].source}")
        return stack(chosen, rng), label

    def paragraphs(self, count: int) -> Iterator[tuple[Image, ParagraphLabel]]:
        """The first `count` paragraphs."""
        return (self[number] for number in range(count))


class StackedSynthetic:
    """A generator of paragraphs in fonts, new lines in one face each; `self[i]` is paragraph i of the seed."""

    def __init__(self, seed: int = 1, most: int = 10, printed_share: float = 0.25) -> None:
        self.seed, self.most, self.printed_share = seed, most, printed_share
        self.lines = SyntheticLines(seed)

    def __getitem__(self, number: int) -> tuple[Image, ParagraphLabel]:
        """Image uint8 (H, W), ink 255, and label."""
        draw, rng = random.Random(f"stacked-{self.seed}-{number}"), np.random.default_rng([self.seed, number, 11])
        face = draw.choice(self.lines.printed if draw.random() < self.printed_share else self.lines.handwriting)
        made = [self.lines.line(1000 * number + at, draw, [face]) for at in range(draw.randint(2, self.most))]
        chosen = [(normalize_line(picture), label) for picture, label in made]
        text = "\n".join(label.text for _, label in chosen)
        label = ParagraphLabel(f"stacked-{self.seed}-{number}", text, chosen[0][1].writer, "stacked-synthetic")
        return stack(chosen, rng), label

    def paragraphs(self, count: int) -> Iterator[tuple[Image, ParagraphLabel]]:
        """The first `count` paragraphs."""
        return (self[number] for number in range(count))


def stack(lines: Sequence[tuple[Image, LineLabel]], rng: np.random.Generator) -> Image:
    """Normalised lines as one paragraph uint8 (H, W), ink 255, as wide as its widest line with margins."""
    x_height = rng.uniform(15, 21)
    pitch = x_height * rng.uniform(3.0, 5.0)
    placed = [line_at_height(image, label.text, x_height) for image, label in lines]
    margin = rng.integers(6, 40, 4)  # left, top, right, bottom
    indents = _indents(len(lines), rng)
    width = max(image.shape[1] + indent for (image, _), indent in zip(placed, indents, strict=True))
    rises = [baseline for _, baseline in placed]
    baselines = margin[1] + max(rises[0], 0) + np.arange(len(lines)) * pitch + rng.normal(0, 0.05 * pitch, len(lines))
    tops = [round(at - rise) for at, rise in zip(baselines.tolist(), rises, strict=True)]
    tops = [top - min(0, *tops) for top in tops]
    height = max(top + image.shape[0] for top, (image, _) in zip(tops, placed, strict=True))
    canvas = np.zeros((height + int(margin[3]), int(margin[0]) + width + int(margin[2])), np.uint8)
    for top, indent, (image, _) in zip(tops, indents, placed, strict=True):
        left = int(margin[0]) + indent
        region = canvas[top : top + image.shape[0], left : left + image.shape[1]]
        np.maximum(region, image, out=region)
    return canvas if canvas.shape[1] <= PAGE_WIDTH else _narrowed(canvas)


def _indents(count: int, rng: np.random.Generator) -> list[int]:
    """Pixels by which each line begins to the right of the margin: a drifting edge, and perhaps a first line set in."""
    drift = rng.normal(0, 1.5) * np.arange(count) + rng.normal(0, 4, count)
    if rng.random() < 0.3:
        drift[0] += rng.uniform(20, 120)
    return [round(value) for value in (drift - drift.min()).tolist()]


def measured_line(image: Image, text: str) -> tuple[float, float]:
    """The x-height of a normalised line in pixels, and the row of its baseline, from which letters reach how far."""
    rise = _RISE if set(text) - _LOW else 0.0
    drop = _DROP if set(text) & _BELOW else 0.0
    if set(text) <= set(" .,:;-–—_~·…•"):  # no letter to measure
        rise = drop = 0.5
    top, bottom = _ink_rows(image)
    x_height = (bottom - top) / (1 + rise + drop)
    return x_height, top + (1 + rise) * x_height


def line_at_height(image: Image, text: str, x_height: float) -> tuple[Image, float]:
    """A line at the size that gives it the x-height, and the row of its baseline."""
    (top, bottom), (found, baseline) = _ink_rows(image), measured_line(image, text)
    ink, scale = image[top:bottom], x_height / found
    size = max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale))
    return cv2.resize(ink, size, interpolation=cv2.INTER_AREA), (baseline - top) * scale


def _ink_rows(image: Image) -> tuple[int, int]:
    """The first row with ink and the one after the last; all rows of a blank line."""
    rows = np.flatnonzero(image.any(axis=1))
    return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, image.shape[0])


def _narrowed(canvas: Image) -> Image:
    """A paragraph that would not fit a page, reduced to a page's width."""
    height = max(1, round(canvas.shape[0] * PAGE_WIDTH / canvas.shape[1]))
    return cv2.resize(canvas, (PAGE_WIDTH, height), interpolation=cv2.INTER_AREA)


def stacked_paragraphs(lines: LineDataset, name: str, seed: int = 1, count: int = 1000) -> ParagraphDataset:
    """`count` paragraphs stacked from the lines, cached; name: of the line dataset, for the key."""
    generator = StackedLines(lines, seed)
    made_of = fingerprint(STACK_VERSION, [(label, int(w)) for label, w in zip(lines.labels, lines.widths, strict=True)])
    key = f"stacked-{name}-{seed}-{count}-{made_of}"
    return cached_paragraphs(cache_dir(), key, generator.paragraphs(count), count)


def synthetic_paragraphs(seed: int = 1, count: int = 1000) -> ParagraphDataset:
    """`count` paragraphs set in fonts, cached."""
    generator = StackedSynthetic(seed)
    fonts = [face.path.name for face in generator.lines.handwriting + generator.lines.printed]
    key = f"stacked-synthetic-{seed}-{count}-{fingerprint(STACK_VERSION, SYNTHETIC_VERSION, fonts, *drawn_from())}"
    return cached_paragraphs(cache_dir(), key, generator.paragraphs(count), count)
