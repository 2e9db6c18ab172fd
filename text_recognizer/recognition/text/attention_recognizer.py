"""Reading with attention networks: an encoder that looks once, a decoder that is asked again and again.

A bundle holds `model.onnx`, images (B, 1, H, W) to the keys and values of the image's cells, and `decoder.onnx`, one
step: the last token, its place and what was read before, to the next token's logits and its place. An ensemble holds
the bundles of its members instead (`attention_networks.py`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import NORMALIZATION_VERSION, NormalizedLine, normalize_line_with_box
from text_recognizer.recognition.bundle import Bundle, BundleError, load_bundle
from text_recognizer.recognition.text.attention_networks import END, Tokens, open_networks
from text_recognizer.recognition.text.confidence import word_confidence
from text_recognizer.recognition.text.line_geometry import LineGeometry
from text_recognizer.recognition.text.line_recognizer import ReadLine, ReadWord, line_confidence

_REPEATS = 4  # times that the same characters follow each other, and so many characters at least, in a loop
_SHORTEST = 24
_LONGEST_PERIOD = 40


@dataclass(frozen=True)
class ReadCharacters:
    """What a decoder read: token numbers (n,), their probabilities (n,), their rows and columns in cells (n, 2)."""

    numbers: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    places: NDArray[np.float32]


class AttentionReader:
    """Reads with the two models of an attention bundle, or with those of all members of an ensemble.

    cell: the rows and columns of pixels that places count. Raises BundleError where settings are missing, a file is
    damaged, or members do not fit together.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.networks = open_networks(bundle, threads)
        self.tokens = Tokens(Alphabet(bundle.settings["alphabet"]))
        self.cell = self.networks.networks[0].cell

    def read(self, images: NDArray[np.float32], widths: Sequence[int]) -> list[ReadCharacters]:
        """Greedy readings of a batch.

        images: (B, 1, H, W) float32 in [0, 1]. widths: columns of each image that are no padding; what lies behind them
        is not looked at, so that an image reads the same in any batch.
        """
        readings = self.networks.begin(images, widths)
        batch, tokens = len(images), np.zeros(len(images), np.int64)
        numbers: list[list[int]] = [[] for _ in range(batch)]
        sure: list[list[float]] = [[] for _ in range(batch)]
        where: list[list[NDArray[np.float32]]] = [[] for _ in range(batch)]
        open_rows = set(range(batch))
        for _ in range(max(reading.longest for reading in readings)):
            step = self.networks.step(readings, tokens)
            tokens, places = step.tokens, step.places / np.array(self.cell, np.float32)
            for row in sorted(open_rows):
                if tokens[row] == END:
                    open_rows.discard(row)
                    continue
                numbers[row].append(int(tokens[row]))
                sure[row].append(float(step.probabilities[row]))
                where[row].append(places[row])
                extra = looping(numbers[row])
                if extra:
                    del numbers[row][-extra:], sure[row][-extra:], where[row][-extra:]
                    open_rows.discard(row)
            if not open_rows:
                break
        return [
            ReadCharacters(np.array(n, np.int64), np.array(s, np.float32), np.array(w, np.float32).reshape(-1, 2))
            for n, s, w in zip(numbers, sure, where, strict=True)
        ]


def looping(numbers: Sequence[int]) -> int:
    """How many of the last characters are repetitions of those before: a decoder that lost its way repeats itself."""
    for period in range(1, _LONGEST_PERIOD + 1):
        needed = max(period * _REPEATS, _SHORTEST)
        tail = numbers[-needed:]
        if len(tail) == needed and all(a == b for a, b in zip(tail, tail[period:], strict=False)):
            return needed - period
    return 0


def words_of(read: ReadCharacters, tokens: Tokens, start: int, end: int) -> list[tuple[int, int]]:
    """The words [first, last) among the characters [start, end) of one line."""
    words, begin = [], start
    for at in range(start, end + 1):
        if at == end or tokens.decode([int(read.numbers[at])]) == " ":
            if at > begin:
                words.append((begin, at))
            begin = at + 1
    return words


def extent(columns: NDArray[np.float32], step: float) -> tuple[float, float]:
    """From where to where characters reach that were seen around these columns, half a character (`step`) further."""
    return float(columns.min()) - step / 2, float(columns.max()) + step / 2


class AttentionLineRecognizer:
    """Reads crops of single lines with an "attention-lines" bundle, as `LineTextRecognizer` does with a "lines" bundle.

    The boxes of words are where the decoder's attention was: as good as a character or so, seldom exact.
    """

    def __init__(self, bundle: str | os.PathLike[str], threads: int | None = None) -> None:
        self.bundle = load_bundle(bundle, "attention-lines", NORMALIZATION_VERSION)
        self.reader = AttentionReader(self.bundle, threads)
        self.language = None  # beside the decoder, which knows one itself
        self.alphabet = self.reader.tokens.alphabet
        try:
            self.geometry = LineGeometry(**self.bundle.settings["geometry"])
        except (KeyError, TypeError) as error:
            raise BundleError(f"{self.bundle.folder / 'bundle.json'} lacks settings for lines: {error!r}") from error

    def read(
        self,
        crops: Sequence[NDArray[np.uint8]],
        batch_size: int = 16,
        consecutive: bool = False,  # noqa: ARG002
        use_language: bool = True,  # noqa: ARG002
    ) -> list[ReadLine]:
        """Read line crops, each uint8 (H, W) or (H, W, 3), in the order given; consecutive ones, too, each alone, and
        never with another language model than the decoder itself."""
        lines = [normalize_line_with_box(crop, self.geometry.height) for crop in crops]
        read = self.characters([line.image for line in lines], batch_size)
        return [self._line(line, characters) for line, characters in zip(lines, read, strict=True)]

    def characters(self, images: Sequence[NDArray[np.uint8]], batch_size: int = 16) -> list[ReadCharacters]:
        """Readings of normalised images (height, W), only those of one padded width together."""
        results: dict[int, ReadCharacters] = {}
        by_width: dict[int, list[int]] = {}
        for index, image in enumerate(images):
            by_width.setdefault(self.geometry.padded_width(image.shape[1]), []).append(index)
        for width, indices in sorted(by_width.items()):
            for start in range(0, len(indices), batch_size):
                chosen = indices[start : start + batch_size]
                batch = self.geometry.batch([images[i] for i in chosen], width)
                own = [images[i].shape[1] + 2 * self.geometry.margin for i in chosen]
                results |= dict(zip(chosen, self.reader.read(batch, own), strict=True))
        return [results[index] for index in range(len(images))]

    def _line(self, line: NormalizedLine, read: ReadCharacters) -> ReadLine:
        if not line.image.any():
            return ReadLine("", 1.0, (), None)
        spans = words_of(read, self.reader.tokens, 0, len(read.numbers))
        words = tuple(self._word(line, read, *span) for span in spans)
        text = normalize_text(" ".join(word.text for word in words))
        rows = np.flatnonzero(line.image.max(axis=1))
        corners = line.to_crop(np.array([[0, rows[0]], [line.image.shape[1], rows[-1] + 1]]))
        return ReadLine(text, line_confidence(words), words, _box(corners))

    def _word(self, line: NormalizedLine, read: ReadCharacters, start: int, end: int) -> ReadWord:
        columns = read.places[:, 1] * self.reader.cell[1] - self.geometry.margin
        step = line.image.shape[1] / max(1, len(read.numbers))
        left, right = np.clip(extent(columns[start:end], step), 0, line.image.shape[1]).tolist()
        corners = line.to_crop(np.array([[left, 0], [right, line.image.shape[0]]]))
        confidences = tuple(read.probabilities[start:end].tolist())
        text = self.reader.tokens.decode(read.numbers[start:end].tolist())
        return ReadWord(text, _box(corners), word_confidence(confidences), confidences)


def _box(corners: NDArray[np.float64]) -> tuple[float, float, float, float]:
    (left, top), (right, bottom) = corners.tolist()
    return left, top, right, bottom
