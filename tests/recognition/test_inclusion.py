"""Hands that are not usual are read nearly as well: leaning to the left or the right, thin, thick, pale."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image
from rapidfuzz.distance import Levenshtein

from tests.conftest import SAMPLES, sample_text


def leaning(image: np.ndarray, amount: float) -> np.ndarray:
    """A gray page whose strokes lean by so many pixels a row; above 0: to the left, as many left-handers write."""
    height, width = image.shape
    matrix = np.array([[1, amount, max(0.0, -amount * height)], [0, 1, 0]])
    size = round(width + abs(amount) * height), height
    return cv2.warpAffine(image, matrix, size, borderValue=float(np.median(image)))


def thin(image: np.ndarray) -> np.ndarray:
    large = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    return cv2.dilate(large, np.ones((2, 2), np.uint8))


def thick(image: np.ndarray) -> np.ndarray:
    return cv2.erode(image, np.ones((2, 2), np.uint8))


def pale(image: np.ndarray) -> np.ndarray:
    """Pencil: a quarter of the contrast."""
    paper = float(np.median(image))
    return (paper + 0.25 * (image.astype(float) - paper)).clip(0, 255).astype(np.uint8)


HANDS = {
    "far to the left": lambda page: leaning(page, 0.5),
    "to the left": lambda page: leaning(page, 0.3),
    "to the right": lambda page: leaning(page, -0.3),
    "far to the right": lambda page: leaning(page, -0.5),
    "thin": thin,
    "thick": thick,
    "pale": pale,
}


@pytest.fixture(scope="module")
def written() -> np.ndarray:
    """A real page in French, gray, without the printed notice at its head."""
    return np.array(Image.open(SAMPLES / "copiste-1.jpg").convert("L"))[140:]


@pytest.mark.parametrize("hand", HANDS)
def test_an_unusual_hand_is_read_nearly_as_well(hand, recognizer, written):
    truth = sample_text("copiste-1")
    read = " ".join(recognizer.read(HANDS[hand](written)).text.split())
    assert Levenshtein.distance(read, truth) < 0.1 * len(truth)  # as it stands: 0.048
