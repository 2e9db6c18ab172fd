"""Reading of whole paragraphs by attention: no line is cut out, the decoder finds its way from line to line.

The line detector only says how large the writing is and where the block of text lies, so that the network sees it at
the size that it knows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import normalize_text
from text_recognizer.images import NORMALIZATION_VERSION, to_gray
from text_recognizer.images.normalize import ink_density
from text_recognizer.page import Line, Polygon, Word
from text_recognizer.recognition.bundle import BundleError, load_bundle
from text_recognizer.recognition.layout.detector import LineDetector
from text_recognizer.recognition.layout.line_tracing import DetectedLine
from text_recognizer.recognition.text.attention_recognizer import AttentionReader, ReadCharacters, extent, words_of
from text_recognizer.recognition.text.confidence import word_confidence

_KERNEL = 41  # pixels that hold some paper, at the scale of paragraphs, as in training
_AIR = 15  # pixels around the block, likewise
_LARGEST = 4_000_000  # pixels: a larger block is reduced, whatever its writing is like


@dataclass(frozen=True)
class _Frame:
    """How the input lies in the image: a point x, y of the input is at (left + x / scale, top + y / scale)."""

    left: float
    top: float
    scale: float


class ParagraphTextRecognizer:
    """Reads images of one paragraph with a "paragraphs" bundle.

    detector: finds the size and the place of the writing. Lines and words lie where the decoder's attention was: their
    boxes are as good as a character or so, and as high as the lines are apart; seldom exact.
    """

    def __init__(self, bundle: str | os.PathLike[str], detector: LineDetector, threads: int | None = None) -> None:
        self.bundle = load_bundle(bundle, "paragraphs", NORMALIZATION_VERSION)
        self.reader = AttentionReader(self.bundle, threads)
        self.detector = detector
        try:
            self.scale = float(self.bundle.settings["scale"])
            self.line_height = float(self.bundle.settings["line_height"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"{self.bundle.folder / 'bundle.json'} lacks settings for paragraphs: {error!r}"
            ) from error

    def read(self, image: NDArray[np.uint8]) -> list[Line]:
        """The lines of a paragraph's image uint8 (H, W) or (H, W, 3), in order; none where it is blank."""
        gray = to_gray(image)
        found = self.detector.detect(gray)
        if not found:
            return []
        ink, frame = self._input(gray, found)
        return self._lines(self.characters(ink), frame, ink.shape)

    def ink(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What the network sees of a paragraph's image uint8 (H, W) or (H, W, 3): uint8 (H', W'), 255 for ink.

        Raises ValueError where the image is blank.
        """
        gray = to_gray(image)
        found = self.detector.detect(gray)
        if not found:
            raise ValueError("there is no writing in the image")
        return self._input(gray, found)[0]

    def text(self, ink: NDArray[np.uint8]) -> str:
        """The text of ink as datasets of paragraphs have it, uint8 (H, W), 255 for ink, lines joined by newlines."""
        shape = max(1, round(ink.shape[1] * self.scale)), max(1, round(ink.shape[0] * self.scale))
        read = self.characters(cv2.resize(ink, shape, interpolation=cv2.INTER_LINEAR))
        return self.reader.tokens.decode(read.numbers.tolist())

    def characters(self, ink: NDArray[np.uint8]) -> ReadCharacters:
        """What is read in ink uint8 (H, W) at the size that the network knows. Always alone, so never padded."""
        image = ink[None, None].astype(np.float32) / np.float32(255)
        return self.reader.read(image, [ink.shape[1]])[0]

    def _input(self, gray: NDArray[np.uint8], found: list[DetectedLine]) -> tuple[NDArray[np.uint8], _Frame]:
        """The block of the found lines as ink at the size that the network knows, and where it lies."""
        height = float(np.median([line.height for line in found]))
        points = np.concatenate([line.polygon for line in found])
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        scale = self.line_height / max(height, 1.0)
        scale = min(scale, (_LARGEST / max(1.0, (right - left) * (bottom - top))) ** 0.5 / self.scale)
        air = _AIR / scale
        left, top = max(0, int(left - air)), max(0, int(top - air))
        cut = gray[top : int(bottom + air) + 1, left : int(right + air) + 1]
        small = _resized(cut, scale)
        ink = np.round(ink_density(small, kernel=_KERNEL) * 255).astype(np.uint8)
        return _resized(ink, self.scale), _Frame(left, top, scale * self.scale)

    def _lines(self, read: ReadCharacters, frame: _Frame, shape: tuple[int, ...]) -> list[Line]:
        ends = [int(at) for at in np.flatnonzero(read.numbers == self.reader.tokens.newline)]
        spans = list(zip([0, *(end + 1 for end in ends)], [*ends, len(read.numbers)], strict=True))
        spans = [span for span in spans if words_of(read, self.reader.tokens, *span)]
        rows = [float(np.median(read.places[start:end, 0])) * self.reader.cell[0] for start, end in spans]
        apart = float(np.median(np.abs(np.diff(rows)))) if len(rows) > 1 else float(shape[0])
        return [
            self._line(read, span, row, min(apart, 2 * self.line_height * self.scale), frame)
            for span, row in zip(spans, rows, strict=True)
        ]

    def _line(self, read: ReadCharacters, span: tuple[int, int], row: float, height: float, frame: _Frame) -> Line:
        start, end = span
        columns = read.places[:, 1] * self.reader.cell[1]
        step = float(np.ptp(columns[start:end])) / max(1, end - start - 1)
        words = []
        for begin, last in words_of(read, self.reader.tokens, start, end):
            polygon = _polygon(*extent(columns[begin:last], step), row, height, frame)
            confidences = tuple(read.probabilities[begin:last].tolist())
            text = self.reader.tokens.decode(read.numbers[begin:last].tolist())
            words.append(Word(text, polygon, word_confidence(confidences), confidences))
        weights = [len(word.text) for word in words]
        return Line(
            normalize_text(" ".join(word.text for word in words)),
            _polygon(*extent(columns[start:end], step), row, height, frame),
            float(np.average([word.confidence for word in words], weights=weights)),
            (),
            tuple(words),
        )


def _resized(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _polygon(left: float, right: float, row: float, height: float, frame: _Frame) -> Polygon:
    """A box of the input as a polygon in pixels of the image."""
    top, bottom = row - height / 2, row + height / 2
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return tuple((float(frame.left + x / frame.scale), float(frame.top + y / frame.scale)) for x, y in corners)
