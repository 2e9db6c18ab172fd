"""Batches for attention networks: paragraphs of few lines first, of more and more later, made as they are asked for.

Pieces of paragraphs with the place of every character: lines, runs of lines cut out of forms, stacks of lines.

A piece holds ink, or what a frozen CNN made of it: it is cut and stacked in the same way, only in coarser steps, so
that the CNN, which costs most, sees each line once and not once a paragraph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Sized
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from text_recognizer.learning.alignment.character_positions import with_newline
from text_recognizer.learning.loading.augmentation import LineAugmentation
from text_recognizer.learning.synthesis.stacked_paragraphs import line_at_height
from text_recognizer.recognition.text.attention_networks import END, Tokens

IGNORED = -100  # the target of a token that is padding

Image = NDArray[np.uint8]

_X_HEIGHTS = 15.0, 21.0  # pixels at the scale of paragraphs, as in `stacked_paragraphs.py`
_PITCHES = 60.0, 110.0  # pixels from baseline to baseline, likewise
_ROWS = 16  # a line's height is a multiple of it, and its baseline anywhere within as much
_AIR = 16, 40  # pixels of paper to the left of a line, at least and at most


@dataclass
class AttentionBatch:
    """A batch for an attention network.

    maps: (B, C, H, W) float32, images in [0, 1] (C = 1), or features of a frozen CNN; zero where padded.
    sizes: (B, 2) int64, rows and columns of each map. tokens: (B, T) int64, END and the text. targets: (B, T) int64,
    the text and END, IGNORED where padded. places: (B, T, 2) float32, row and column in pixels of each target; NaN
    where padded. texts: B texts. featured: whether the maps are features.
    """

    maps: Tensor
    sizes: Tensor
    tokens: Tensor
    targets: Tensor
    places: Tensor
    texts: list[str]
    featured: bool


def collate(pieces: Sequence[Piece], tokens: Tokens) -> AttentionBatch:
    """The batch of some pieces."""
    values = [piece.values for piece in pieces]
    sizes = np.array([value.shape[1:] for value in values])
    maps = np.zeros((len(pieces), values[0].shape[0], *sizes.max(axis=0)), np.float32)
    for row, value in enumerate(values):
        maps[row, :, : sizes[row, 0], : sizes[row, 1]] = value
    images = values[0].dtype == np.uint8
    numbers = [tokens.encode(piece.text) for piece in pieces]
    return AttentionBatch(
        torch.from_numpy(maps / 255 if images else maps),
        torch.from_numpy(sizes),
        *token_arrays(numbers, [piece.places for piece in pieces]),
        [piece.text for piece in pieces],
        featured=not images,
    )


def token_arrays(numbers: list[list[int]], places: list[NDArray[np.float32]]) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, targets and places of an `AttentionBatch`, from the numbers (n) and places (n + 1, 2) of each text."""
    longest = max(map(len, numbers)) + 1
    tokens = np.full((len(numbers), longest), END, np.int64)
    targets = np.full((len(numbers), longest), IGNORED, np.int64)
    told = np.full((len(numbers), longest, 2), np.nan, np.float32)
    for row, (own, where) in enumerate(zip(numbers, places, strict=True)):
        tokens[row, 1 : len(own) + 1] = own
        targets[row, : len(own) + 1] = [*own, END]
        told[row, : len(own) + 1] = where
    return torch.from_numpy(tokens), torch.from_numpy(targets), torch.from_numpy(told)


class PieceSource(Protocol):
    """Pieces of one dataset: lines, which are stacked, or whole paragraphs, which are cut."""

    dataset: Sized  # that they are made of
    writers: Sequence[str]  # of each piece
    counts: Sequence[int]  # lines of each piece

    def piece(self, index: int, rng: np.random.Generator) -> Piece:
        """Piece `index`, in one of its variants."""
        ...


class Composer:
    """Draws paragraphs of so many lines from one source. paper, scale: as of `stack_lines`."""

    def __init__(self, source: PieceSource, paper: NDArray, scale: float) -> None:
        self.source, self.paper, self.scale = source, paper, scale
        self.by_writer: dict[str, list[int]] = defaultdict(list)
        for index, writer in enumerate(source.writers):
            self.by_writer[writer].append(index)
        self.stacks = max(source.counts) == 1
        self._counts = np.array(source.counts)

    def draw(self, count: int, rng: np.random.Generator) -> Piece:
        """A paragraph of `count` lines, of fewer where no hand has as many."""
        if not self.stacks:
            large = np.flatnonzero(self._counts >= min(count, self._counts.max()))
            piece = self.source.piece(int(rng.choice(large)), rng)
            count = min(count, piece.lines)
            return cut_lines(piece, int(rng.integers(piece.lines - count + 1)), count)
        own = self.by_writer[self.source.writers[int(rng.integers(len(self.source.writers)))]]
        chosen = rng.permutation(own)[:count]
        return stack_lines([self.source.piece(int(i), rng) for i in chosen], self.paper, self.scale, rng)


class ParagraphBatches(Dataset[AttentionBatch]):
    """Batch number n of a training, the same for the same seed; all paragraphs of a batch have as many lines.

    parts, shares: the datasets that paragraphs are made of, and how often. lines: of a batch in all. steps: batches of
    the training. most: lines of a paragraph at most. growth: share of the training in which their number grows to that.
    `composers`, one a part, must be set before the first batch.
    """

    composers: Sequence[Composer]

    def __init__(
        self,
        parts: Sequence[Sized],
        shares: Sequence[float],
        tokens: Tokens,
        lines: int,
        steps: int,
        most: int,
        growth: float,
        seed: int = 0,
    ) -> None:
        self.parts, self.shares = parts, np.array(shares) / sum(shares)
        self.tokens, self.lines, self.steps = tokens, lines, steps
        self.most, self.growth, self.seed = most, growth, seed

    def __len__(self) -> int:
        return self.steps

    def count(self, number: int, rng: np.random.Generator) -> int:
        """Lines of the paragraphs of batch `number`: up to a limit that grows."""
        progress = min(1.0, (number + 1) / max(1.0, self.growth * self.steps))
        limit = max(1, round(self.most * progress))
        return int(rng.integers(max(1, limit // 3), limit + 1))

    def __getitem__(self, number: int) -> AttentionBatch:
        rng = np.random.default_rng([self.seed, number])
        count = self.count(number, rng)
        size = max(1, self.lines // count)
        composer = self.composers[rng.choice(len(self.composers), p=self.shares)]
        return collate([composer.draw(count, rng) for _ in range(size)], self.tokens)


@dataclass(frozen=True)
class Piece:
    """Some lines of one hand.

    values: (C, H, W): ink uint8 (C = 1), or features float16. stride: rows and columns of pixels that an entry stands
    for. text: lines joined by newlines. places: (n + 1, 2) float32, row and column in pixels of each character,
    newlines included, and of the end.
    """

    values: NDArray
    stride: tuple[int, int]
    text: str
    places: NDArray[np.float32]

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return self.text.count("\n") + 1


def line_piece(
    image: Image,
    text: str,
    columns: NDArray[np.float32],
    scale: float,
    rng: np.random.Generator,
    augmentation: LineAugmentation | None = None,
) -> Piece:
    """A normalised line as a piece with paper around it.

    columns: (n,) of its characters. scale: pixels, in units of those at the scale of paragraphs.
    """
    height, width = image.shape
    if augmentation:  # from a generator of its own: a line stands where it stands without augmentation
        image = augmentation(image, 2 * width, rng.spawn(1)[0])
    x_height = rng.uniform(*_X_HEIGHTS) * scale
    ink, rise = line_at_height(image, text, x_height)
    margin = round(2.0 * x_height / _ROWS) * _ROWS + int(rng.integers(_ROWS))
    baseline, left = margin + x_height, int(rng.integers(*_AIR))
    top = max(0, round(baseline - rise))
    height = -(-max(top + ink.shape[0], round(baseline + x_height)) // _ROWS) * _ROWS
    canvas = np.zeros((1, height, left + ink.shape[1] + _AIR[0]), np.uint8)
    canvas[0, top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    across = left + columns * (ink.shape[1] / width)
    return Piece(canvas, (1, 1), text, with_newline(baseline - x_height / 2, across))


def form_piece(
    image: Image,
    text: str,
    places: NDArray[np.float32],
    scale: float,
    rng: np.random.Generator | None = None,
    augmentation: LineAugmentation | None = None,
) -> Piece:
    """A whole paragraph as a piece. places: (n, 2) of its characters. rng, augmentation: for another variant of it."""
    size = np.array([scale, scale])
    if rng is not None and augmentation is not None:
        size *= rng.uniform(0.88, 1.1) * rng.uniform(0.95, 1.05, 2)
        image = augmentation.ink(image, rng)
    shape = max(1, round(image.shape[1] * size[1])), max(1, round(image.shape[0] * size[0]))
    grown = cv2.resize(image, shape, interpolation=cv2.INTER_AREA if size.max() < 1 else cv2.INTER_LINEAR)
    end = places[-1:] + np.array([[0, 12]], np.float32)
    return Piece(grown[None], (1, 1), text, (np.concatenate([places, end]) * size).astype(np.float32))


def cut_lines(piece: Piece, first: int, count: int) -> Piece:
    """`count` lines of a piece from line `first` on, cut in the middle between lines, short of what is empty."""
    texts = piece.text.split("\n")
    ends = np.cumsum([len(text) + 1 for text in texts])
    begin, end = int(ends[first - 1]) if first else 0, int(ends[first + count - 1])
    rows = [float(part[0, 0]) for part in np.split(piece.places, ends[:-1])]
    places = piece.places[begin:end]
    top = (rows[first - 1] + rows[first]) / 2 / piece.stride[0] if first else 0
    last = first + count - 1
    bottom = (rows[last] + rows[last + 1]) / 2 / piece.stride[0] if last + 1 < len(rows) else piece.values.shape[1]
    right = (float(places[:, 1].max()) + 2 * _AIR[0]) / piece.stride[1]
    top, bottom, right = int(top), int(np.ceil(bottom)), int(np.ceil(right))
    moved = places - np.array([[top * piece.stride[0], 0]], np.float32)
    return replace(
        piece,
        values=piece.values[:, top:bottom, :right],
        text="\n".join(texts[first : first + count]),
        places=moved.astype(np.float32),
    )


def stack_lines(lines: Sequence[Piece], paper: NDArray, scale: float, rng: np.random.Generator) -> Piece:
    """Lines below each other. paper: (C,), what an entry of empty paper holds. scale: as of `line_piece`."""
    rows, columns = lines[0].stride
    pitch = rng.uniform(*_PITCHES) * scale
    tops = np.round(np.arange(len(lines)) * pitch / rows).astype(int).tolist()
    drift = np.abs(rng.normal(0, 1.5) * np.arange(len(lines)) + rng.normal(0, 4, len(lines)))
    lefts = np.round(drift / columns).astype(int).tolist()
    height = max(top + line.values.shape[1] for top, line in zip(tops, lines, strict=True))
    width = max(left + line.values.shape[2] for left, line in zip(lefts, lines, strict=True))
    canvas = np.broadcast_to(paper[:, None, None], (len(paper), height, width)).astype(lines[0].values.dtype)
    places = []
    for top, left, line in zip(tops, lefts, lines, strict=True):
        region = canvas[:, top : top + line.values.shape[1], left : left + line.values.shape[2]]
        np.maximum(region, line.values, out=region)
        places.append(line.places + np.array([[top * rows, left * columns]], np.float32))
    text = "\n".join(line.text for line in lines)
    return Piece(canvas, lines[0].stride, text, np.concatenate(places).astype(np.float32))
