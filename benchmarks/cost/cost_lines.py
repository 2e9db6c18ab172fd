"""Handwriting to measure with: lines and pages of the samples, different every time, so that nothing is remembered."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer import TextRecognizer
from text_recognizer.images import LineStrip, normalize_line

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
LETTER = SAMPLES / "letter.jpg"
_GAP = 24  # columns of paper between two lines of the strip
Gray = NDArray[np.uint8]


def page(path: Path = LETTER) -> Gray:
    """A sample page (H, W)."""
    with Image.open(path) as image:
        return np.array(image.convert("L"))


@cache
def strip() -> Gray:
    """All lines of the letter, normalised (64, W), one after the other and around again."""
    gray = page()
    found = TextRecognizer(language=None).detector.detect(gray)
    lines = [normalize_line(LineStrip(line.baseline, line.polygon).cut(gray)) for line in found]
    once = np.concatenate([np.pad(line, ((0, 0), (0, _GAP))) for line in lines], axis=1)
    return np.concatenate([once, once], axis=1)


def lines(count: int, width: int, seed: int) -> list[Gray]:
    """Normalised lines (64, width): pieces of the strip from random places, as dense with ink as real lines."""
    source, rng = strip(), np.random.default_rng(seed)
    starts = rng.integers(0, source.shape[1] // 2, count)
    return [source[:, start : start + width] for start in starts]


def block(rows: int = 10) -> tuple[Gray, int]:
    """The first lines of the letter (H, W), and how many they are."""
    gray = page()
    found = TextRecognizer(language=None).detector.detect(gray)[:rows]
    bottom = max(int(line.polygon[:, 1].max()) for line in found)
    return gray[: bottom + 8], len(found)


def piece(pages: list[Gray], rng: np.random.Generator, height: int = 360) -> Gray:
    """A few lines of a page (about `height`, W), cut at a random place, scaled, and in another light."""
    gray = pages[rng.integers(len(pages))]
    top = int(rng.integers(0, max(1, gray.shape[0] - height)))
    left, right = (int(cut) for cut in rng.integers(0, gray.shape[1] // 6, 2))
    cut = gray[top : top + height, left : gray.shape[1] - right]
    size = np.round(np.array(cut.shape[::-1]) * rng.uniform(0.85, 1.15)).astype(int)
    light = rng.uniform(0.75, 1.0) * cv2.resize(cut, tuple(size.tolist()), interpolation=cv2.INTER_AREA)
    return np.clip(light + rng.normal(0, 2, light.shape), 0, 255).astype(np.uint8)
