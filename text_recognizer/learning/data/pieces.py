"""Pieces of paragraphs with the place of every character: lines, runs of lines cut out of forms, stacks of lines.

A piece holds ink, or what a frozen CNN made of it: it is cut and stacked in the same way, only in coarser steps, so
that the CNN, which costs most, sees each line once and not once a paragraph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.data.augmentation import LineAugmentation
from text_recognizer.learning.data.places import with_newline
from text_recognizer.learning.data.stacked import line_at_height

Image = NDArray[np.uint8]

_X_HEIGHTS = 15.0, 21.0  # pixels at the scale of paragraphs, as in `stacked.py`
_PITCHES = 60.0, 110.0  # pixels from baseline to baseline, likewise
_ROWS = 16  # a line's height is a multiple of it, and its baseline anywhere within as much
_AIR = 16, 40  # pixels of paper to the left of a line, at least and at most


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
    image = augmentation(image, 2 * width) if augmentation else image
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
