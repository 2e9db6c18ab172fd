"""New lines of real words: those that a writer wrote, cut out of their lines and set in another order.

The shipped recogniser's forced alignment says where the spaces of a line are (`character_positions.py`); a line is cut
there, where a run of columns is empty. A network that learns from the new lines sees known hands write unknown lines,
so that it learns less by heart which word follows which. After the recombination of words by Guyon, "Handwriting
synthesis from handwritten glyphs" (IWFHR 1996), with whole words.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import LINE_HEIGHT, fit_height
from text_recognizer.learning.alignment.character_positions import Columns, line_places
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.synthesis.stacked_paragraphs import measured_line
from text_recognizer.paths import cache_dir

#: Changes with the pictures; prepared ones are made again.
RECOMBINED_VERSION = 1

_X_HEIGHT = 24.0  # pixels of it while a line is put together; at the end it fits the height of lines
_EMPTY = 64  # ink of a column, at most, that belongs to no word: a stroke's edge has that much
_LEAST_GAP = 3  # empty columns between words that are surely two
_HAND = 6  # words that a writer needs
_TRIES = 30  # words looked at for one that often follows

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class CutWord:
    """A word: columns [start, end) of line number `line`, and the columns of paper before it (0 for the first)."""

    text: str
    line: int
    start: int
    end: int
    gap: int


def cut_words(image: Image, text: str, columns: Columns, line: int = 0) -> list[CutWord]:
    """The words of a normalised line uint8 (H, W) that stand apart from their neighbours.

    columns: (n,) the middle of each character of the text. line: its number, for the words.
    """
    ink = image.max(axis=0) > _EMPTY
    used = np.flatnonzero(ink)
    if not len(used) or len(columns) != len(text):
        return []
    starts, gaps = [int(used[0])], [0]
    ends = []
    for space in (at for at, character in enumerate(text) if character == " "):
        first, last = (round(float(columns[at])) for at in (space - 1, space + 1))
        begin, end = _longest_gap(ink, first, last)
        ends.append(begin)
        starts.append(end)
        gaps.append(end - begin)
    ends.append(int(used[-1]) + 1)
    apart = [True, *(gap >= _LEAST_GAP for gap in gaps[1:]), True]  # whether the line may be cut before each word
    words = text.split(" ")
    return [
        CutWord(word, line, start, end, gap)
        for number, (word, start, end, gap) in enumerate(zip(words, starts, ends, gaps, strict=True))
        if apart[number] and apart[number + 1] and end - start >= 2
    ]


def _longest_gap(ink: NDArray[np.bool_], first: int, last: int) -> tuple[int, int]:
    """The longest run of empty columns [begin, end) between two; empty itself, in the middle, where there is none."""
    window = np.pad(~ink[max(0, first) : last + 1], 1).astype(np.int8)
    begins, ends = np.flatnonzero(np.diff(window) == 1), np.flatnonzero(np.diff(window) == -1)
    if not len(begins):
        return (first + last) // 2, (first + last) // 2
    longest = int(np.argmax(ends - begins))
    return max(0, first) + int(begins[longest]), max(0, first) + int(ends[longest])


class RecombinedLines:
    """A generator of lines; `self[i]` is line number i of the seed.

    lines: normalised, with the columns of their characters. texts: of which words follow each other; a word that does
    is preferred where the writer has one.
    """

    def __init__(
        self, lines: LineDataset, columns: Sequence[Columns], seed: int = 1, texts: Sequence[str] = ()
    ) -> None:
        self.lines, self.seed = lines, seed
        self.of_writer: dict[str, list[CutWord]] = defaultdict(list)
        for number, own in enumerate(columns):
            image, label = lines[number]
            self.of_writer[label.writer] += cut_words(image, label.text, own, number)
        self.of_writer = {writer: words for writer, words in self.of_writer.items() if len(words) >= _HAND}
        if not self.of_writer:
            raise ValueError(f"no writer has {_HAND} words that can be cut out of lines")
        self.writers = [writer for writer, words in self.of_writer.items() for _ in range(len(words))]
        self.following = _following(texts, {word.text for words in self.of_writer.values() for word in words})

    def __getitem__(self, number: int) -> tuple[Image, LineLabel]:
        """Image uint8 (64, W), ink 255, and label."""
        rng = random.Random(f"recombined-{self.seed}-{number}")
        writer = rng.choice(self.writers)
        words = self._chosen(self.of_writer[writer], rng)
        text = " ".join(word.text for word in words)
        label = LineLabel(f"recombined-{self.seed}-{number}", text, writer, f"recombined-{self.lines.labels[0].source}")
        return self._set(words, self.of_writer[writer], rng), label

    def samples(self, count: int) -> Iterator[tuple[Image, LineLabel]]:
        """The first `count` lines."""
        return (self[number] for number in range(count))

    def _chosen(self, own: Sequence[CutWord], rng: random.Random) -> list[CutWord]:
        """Words of one writer, each once, of about as many characters as a line has."""
        length = min(75.0, max(12.0, rng.gauss(45, 14)))
        left = list(own)
        rng.shuffle(left)
        chosen = [left.pop()]
        while left and sum(len(word.text) + 1 for word in chosen) < length:
            follows: set[str] = self.following.get(chosen[-1].text, set())
            candidates = range(len(left) - 1, max(-1, len(left) - 1 - _TRIES), -1)
            chosen.append(left.pop(next((at for at in candidates if left[at].text in follows), len(left) - 1)))
        return chosen

    def _set(self, words: Sequence[CutWord], own: Sequence[CutWord], rng: random.Random) -> Image:
        """Words on one baseline, with gaps as wide as the writer's."""
        gaps = [word for word in own if word.gap >= _LEAST_GAP]
        placed, left = [], 0.0
        for word in words:
            picture, above, scale = self._word(word)
            placed.append((round(left), above + rng.gauss(0, 0.04 * _X_HEIGHT), picture))
            space = rng.choice(gaps) if gaps else word
            left += picture.shape[1] + max(0.3 * _X_HEIGHT, space.gap * scale)
        highest = max(above for _, above, _ in placed)
        tops = [round(highest - above) for _, above, _ in placed]
        height = max(top + picture.shape[0] for top, (_, _, picture) in zip(tops, placed, strict=True))
        canvas = np.zeros((height, placed[-1][0] + placed[-1][2].shape[1]), np.uint8)
        for top, (at, _, picture) in zip(tops, placed, strict=True):
            region = canvas[top : top + picture.shape[0], at : at + picture.shape[1]]
            np.maximum(region, picture, out=region)
        rows = np.flatnonzero(canvas.max(axis=1) > _EMPTY)
        density: NDArray[np.float32] = canvas[rows[0] : rows[-1] + 1].astype(np.float32) / np.float32(255)
        return fit_height(density, LINE_HEIGHT)[0]

    def _word(self, word: CutWord) -> tuple[Image, float, float]:
        """A word at the common x-height, the rows of it above the baseline, and how much it was enlarged."""
        image, label = self.lines[word.line]
        x_height, baseline = measured_line(image, label.text)
        scale = _X_HEIGHT / x_height
        picture = image[:, word.start : word.end]
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), baseline * scale, scale


def _following(texts: Sequence[str], known: set[str]) -> dict[str, set[str]]:
    """The words that follow each known word in the texts, of those that are known."""
    following: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        words = text.split()
        for first, second in pairwise(words):
            if first in known and second in known:
                following[first].add(second)
    return dict(following)


def recombined_lines(
    lines: LineDataset, name: str, seed: int = 1, count: int = 10000, texts: Sequence[str] = ()
) -> LineDataset:
    """`count` lines of the words of `lines`, cached; name: of that dataset, for the key."""
    columns = line_places(lines, name)
    made_of = fingerprint(
        RECOMBINED_VERSION,
        [(label, int(w)) for label, w in zip(lines.labels, lines.widths, strict=True)],
        columns,
        texts,
    )
    generator = RecombinedLines(lines, columns, seed, texts)
    key = f"recombined-{name}-{seed}-{count}-{made_of}"
    return cached_lines(cache_dir(), key, generator.samples(count), count)
