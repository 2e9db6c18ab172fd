"""Batches for attention networks: paragraphs of few lines first, of more and more later, made as they are asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from text_recognizer.learning.data.pieces import Piece, cut_lines, stack_lines
from text_recognizer.recognition.tokens import END, Tokens

IGNORED = -100  # the target of a token that is padding


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
