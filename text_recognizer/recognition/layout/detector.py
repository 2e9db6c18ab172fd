"""Finding the lines of a page."""

from __future__ import annotations

import os

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import NORMALIZATION_VERSION, to_gray
from text_recognizer.recognition.bundle import Bundle, Session, load_bundle
from text_recognizer.recognition.layout.boxes import straight_boxes
from text_recognizer.recognition.layout.detector_input import detector_input
from text_recognizer.recognition.layout.line_tracing import DetectedLine, lines_from_maps, with_ink
from text_recognizer.recognition.layout.reading_order import reading_order

_LONG_SIDE = 1152.0  # input pixels of a page's longer side
_HEIGHTS = (18.0, 95.0)  # line heights in input pixels that the network knows well
_BEST_HEIGHT = 42.0


#: Where a detector is asked for by name: the one that the bundle of the lines names.
OWN_DETECTOR = "auto"


def own_detector(lines: Bundle, name: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The detector of that name; for "auto" the one that goes with the lines."""
    return str(lines.settings.get("detector", "detector")) if name == OWN_DETECTOR else name


class LineDetector:
    """Finds handwritten and printed lines with a "detector" bundle."""

    def __init__(self, bundle: str | os.PathLike[str] = "detector", threads: int | None = None) -> None:
        self.bundle = load_bundle(bundle, "detector", NORMALIZATION_VERSION)
        self.threshold = float(self.bundle.settings.get("threshold", 0.5))
        self.session = Session(self.bundle, threads)

    def detect(self, image: NDArray[np.uint8]) -> list[DetectedLine]:
        """The lines of a page image uint8 (H, W) or (H, W, 3), in reading order, in pixels of that image."""
        gray = to_gray(image)
        scale = min(2.0, _LONG_SIDE / max(gray.shape))
        lines = self._single_line(gray, scale) or self._at_scale(gray, scale)
        better = self._better_scale(lines, scale, max(gray.shape))
        if better is not None:
            # Very large or very small writing: look again at the size the network knows best.
            again = self._at_scale(gray, better)
            lines = again or lines
        return [lines[index] for index in reading_order(straight_boxes(lines))]

    def _single_line(self, gray: NDArray[np.uint8], scale: float) -> list[DetectedLine]:
        """The line of a crop that holds just one; nothing for anything else. A look at a small size, so it is cheap."""
        small = min(1.5 * _BEST_HEIGHT / gray.shape[0], 2 * _LONG_SIDE / max(gray.shape))
        if gray.shape[1] < gray.shape[0] or small >= scale:
            return []
        lines = self._at_scale(gray, small)
        if len(lines) != 1 or lines[0].height < 0.4 * gray.shape[0] or lines[0].confidence < 0.8:
            return []
        # A block of several lines can look like one at this size; but one line holds all the ink there is.
        density = detector_input(gray, small)[0, 0]
        inside = np.zeros(density.shape, np.uint8)
        cv2.fillPoly(inside, [np.round(lines[0].polygon * small).astype(np.int32)], 1)
        return lines if density[inside > 0].sum() > 0.85 * density.sum() else []

    def _better_scale(self, lines: list[DetectedLine], scale: float, side: int) -> float | None:
        """The scale at which lines of such a height are found best; None where the present one will do."""
        if not lines:
            return None
        height = float(np.median([line.height for line in lines])) * scale
        if _HEIGHTS[0] <= height <= _HEIGHTS[1]:
            return None
        better = min(scale * _BEST_HEIGHT / height, 2.0, 2 * _LONG_SIDE / side)
        return better if abs(np.log(better / scale)) > 0.2 else None

    def _at_scale(self, gray: NDArray[np.uint8], scale: float) -> list[DetectedLine]:
        density = detector_input(gray, scale)
        maps = self.session.run(density)[0]
        core = 1 / (1 + np.exp(-maps[0]))
        found = with_ink(lines_from_maps(core, maps[1:], self.threshold), density[0, 0])
        limit = np.array([gray.shape[1] - 1.0, gray.shape[0] - 1.0])
        return [
            DetectedLine(line.baseline / scale, np.clip(line.polygon / scale, 0, limit), line.confidence)
            for line in found
        ]
