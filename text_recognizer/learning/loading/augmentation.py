"""Moderate augmentation of normalised lines and characters: a geometric warp, a pen that changes, hidden spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass
class LineAugmentation:
    """Draws a variant of a line from a random generator.

    rotation: degrees, standard deviation. shear: of x over y, standard deviation. stretch, size: range of
    horizontal and overall scale. shift: rows up or down, standard deviation; with `size` it stands for
    crops that are taller or tighter than the database's. elastic: pixels, standard deviation.
    pen: probability of thinner or thicker strokes. spans: at most so many hidden columns of up to 12 pixels.
    PRESETS: named settings that an experiment may give instead, the fields of each that differ from the defaults.
    """

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "mild": {
            "probability": 0.65,
            "rotation": 0.4,
            "shear": 0.12,
            "stretch": (0.88, 1.12),
            "size": (0.9, 1.06),
            "elastic": 1.0,
            "pen": 0.25,
            "spans": 1,
        },
        "moderate": {},
    }

    probability: float = 0.85
    rotation: float = 0.5
    shear: float = 0.18
    stretch: tuple[float, float] = (0.8, 1.2)
    size: tuple[float, float] = (0.78, 1.06)
    shift: float = 2.5
    elastic: float = 1.3
    pen: float = 0.35
    spans: int = 2

    def __call__(self, image: NDArray[np.uint8], columns: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A line image uint8 (H, W) -> a variant uint8 (H, W') with W' at most `columns`."""
        if rng.random() > self.probability:
            return image
        return self.ink(self._warp(image, columns, rng), rng)

    def ink(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Another pen and another light, nothing moved; uint8 (H, W) both."""
        return self._shade(self._pen(image, rng), rng)

    def _warp(self, image: NDArray[np.uint8], limit: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        height, width = image.shape
        size = rng.uniform(*self.size)
        scale_x = size * rng.uniform(*self.stretch)
        shear = float(np.clip(rng.normal(0, self.shear), -0.5, 0.5))
        # Long lines turn about their middle: keep their ends inside the picture.
        angle = float(np.clip(rng.normal(0, np.radians(self.rotation)), -6 / width, 6 / width))
        lean = abs(shear) * height / 2
        scale_x = min(scale_x, max(0.5, (limit - 2 * lean) / width))
        out = max(8, int(width * scale_x + 2 * lean))
        columns = np.arange(out, dtype=np.float32)[None]
        rows = np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2
        moved = (rows - rng.normal(0, self.shift) * (1.1 - size) * 4) / size + angle * (columns / scale_x - width / 2)
        map_x = (columns - lean + shear * rows) / scale_x + self._field(rng, height, out)
        map_y = moved + (height - 1) / 2 + self._field(rng, height, out)
        return cv2.remap(image, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR, borderValue=0)

    def _field(self, rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
        """A smooth random displacement (height, width) in pixels, with a knot about every 24 columns."""
        knots = rng.normal(0, self.elastic, (3, max(3, width // 24))).astype(np.float32)
        return cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)

    def _pen(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        draw = rng.random()
        kernel = np.ones((2, 2), np.uint8) if rng.random() < 0.6 else np.ones((3, 3), np.uint8)
        if draw < self.pen / 2:
            return cv2.dilate(image, kernel)
        if draw < self.pen:
            # Half an erosion: a whole one erases thin strokes.
            return cv2.addWeighted(image, 0.4, cv2.erode(image, np.ones((2, 2), np.uint8)), 0.6, 0)
        return image

    def _shade(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        ink = image.astype(np.float32) / 255
        ink = ink ** rng.uniform(0.6, 1.7) * rng.uniform(0.75, 1.05)
        if rng.random() < 0.25:
            ink += rng.standard_normal(ink.shape, np.float32) * np.float32(rng.uniform(0, 0.08))
        if rng.random() < 0.25:
            ink = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.4, 1.0))
        for _ in range(rng.integers(0, self.spans + 1)):
            start = rng.integers(0, max(1, ink.shape[1] - 12))
            ink[:, start : start + rng.integers(3, 13)] = 0
        return (np.clip(ink, 0, 1) * 255).astype(np.uint8)


@dataclass
class CharacterAugmentation:
    """Draws a variant of a character from a random generator.

    rotation: degrees, standard deviation. shear: of x over y, standard deviation. scale: range of the size, each
    direction for itself. shift: pixels, standard deviation. stroke: probability of thinner or thicker strokes.
    """

    probability: float = 0.9
    rotation: float = 6.0
    shear: float = 0.15
    scale: tuple[float, float] = (0.8, 1.1)
    shift: float = 1.0
    stroke: float = 0.4

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """A character image uint8 (H, W) -> a variant uint8 (H, W)."""
        if rng.random() > self.probability:
            return image
        height, width = image.shape
        angle = np.radians(rng.normal(0, self.rotation))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        lean = np.array([[1, rng.normal(0, self.shear)], [0, 1]])
        linear = turn @ lean @ np.diag(rng.uniform(*self.scale, 2))
        center = np.array([(width - 1) / 2, (height - 1) / 2])
        offset = center - linear @ center + rng.normal(0, self.shift, 2)
        matrix = np.column_stack([linear, offset]).astype(np.float32)
        return self._stroke(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR), rng)

    def _stroke(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        draw = rng.random()
        if draw < self.stroke / 2:
            return cv2.addWeighted(image, 0.5, cv2.dilate(image, np.ones((2, 2), np.uint8)), 0.5, 0)
        if draw < self.stroke:
            return cv2.addWeighted(image, 0.5, cv2.erode(image, np.ones((2, 2), np.uint8)), 0.5, 0)
        return image
