"""Slices of a set: samples that have something in common, and that a model may have got worse at."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.datasets.lines import LineLabel

_INK = 64  # of 255: what is stroke and not a trace of one
_SHORT, _LONG = 20, 50  # characters

#: Kinds of characters that few lines have.
_RARE: dict[str, Callable[[str], bool]] = {
    "digits": lambda text: any(character.isdigit() for character in text),
    "capitals within": lambda text: sum(character.isupper() for character in text) > 1,
    "quotes and brackets": lambda text: any(character in "\"'“”‘’«»()[]" for character in text),
    "other signs": lambda text: any(character in ";:!?&%£$€/*+=" for character in text),
    "accents": lambda text: any(unicodedata.decomposition(character) for character in text),
}


@dataclass(frozen=True)
class Slice:
    """Some samples. dimension: what they have in common; members: (N,) whether each sample is one of them."""

    dimension: str
    name: str
    members: NDArray[np.bool_]

    @property
    def title(self) -> str:
        """ "pen: thin"."""
        return f"{self.dimension}: {self.name}"


def line_slices(labels: Sequence[LineLabel], images: Sequence[NDArray[np.uint8]]) -> list[Slice]:
    """Slices of lines by their labels and normalised images (64, W), ink 255. Thin and thick, light and dark, clean and
    noisy are the thirds of the set."""
    texts = [label.text for label in labels]
    measured = np.array([_strokes(image) for image in images]).reshape(-1, 3)
    lengths = np.array([len(text) for text in texts])
    found = [
        Slice("length", f"under {_SHORT} characters", lengths < _SHORT),
        Slice("length", f"{_SHORT} to {_LONG} characters", (lengths >= _SHORT) & (lengths <= _LONG)),
        Slice("length", f"over {_LONG} characters", lengths > _LONG),
        *thirds("pen", measured[:, 0], ("thin", "medium", "thick")),
        *thirds("ink", measured[:, 1], ("light", "medium", "dark")),
        *thirds("noise", measured[:, 2], ("clean", "medium", "noisy")),
    ]
    found += [Slice("characters", name, np.array([has(text) for text in texts], bool)) for name, has in _RARE.items()]
    return found + by_name("writer", [label.writer for label in labels])


def thirds(dimension: str, values: NDArray[np.float64], names: tuple[str, str, str]) -> list[Slice]:
    """The third with the least, the middle one, and that with the most."""
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    parts = values < low, (values >= low) & (values <= high), values > high
    return [Slice(dimension, name, part) for name, part in zip(names, parts, strict=True)]


def halves(dimension: str, values: NDArray[np.int64] | NDArray[np.float64], names: tuple[str, str]) -> list[Slice]:
    """The half with the less, the middle value in it, and that with the more."""
    low = values <= np.median(values)
    return [Slice(dimension, name, part) for name, part in zip(names, (low, ~low), strict=True)]


def by_name(dimension: str, names: Sequence[str]) -> list[Slice]:
    """A slice for each name that occurs."""
    every = np.array(names)
    return [Slice(dimension, name, every == name) for name in dict.fromkeys(names)]


def _strokes(image: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Width of the strokes in pixels, how dark they are (0 to 1), and the share of the paper that carries traces."""
    ink = image > _INK
    if not ink.any():
        return 0.0, 0.0, float((image > 0).mean())
    distance = cv2.distanceTransform(ink.astype(np.uint8), cv2.DIST_L2, 3)
    # On a line of width w the distances from the edge run from 0 to w / 2, so their mean is w / 4.
    paper = cv2.dilate(ink.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    traces = float((image[paper] > 8).mean()) if paper.any() else 0.0
    return 4 * float(distance[ink].mean()), float(image[ink].mean()) / 255, traces
