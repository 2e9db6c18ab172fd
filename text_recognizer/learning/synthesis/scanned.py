"""Ink on paper as a scanner or a camera sees it: paper, rules, light, blur, noise, low resolution, JPEG.

Backgrounds are strips of real paper (`page_margins.py`) where there are any, else drawn.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Field = NDArray[np.float32]


@dataclass(frozen=True)
class Look:
    """How often what happens to a picture, as shares of lines. real: the paper is a strip of a real page, where there
    are any. rules: lines printed on the paper. photo: uneven light and more blur, as of a camera. noise: standard
    deviation of gray levels, at most. coarse: a low resolution. jpeg: its artefacts. negative: light on dark."""

    real: float = 0.5
    rules: float = 0.2
    photo: float = 0.25
    noise: float = 8.0
    coarse: float = 0.12
    jpeg: float = 0.3
    negative: float = 0.01


#: A good scan of white paper, as most of a validation set should be.
CLEAN = Look(real=0.0, rules=0.08, photo=0.0, noise=3.0, coarse=0.0, jpeg=0.2, negative=0.0)


def scanned(
    ink: Gray, rng: random.Random, noise: np.random.Generator, look: Look, strips: NDArray[np.uint8] | None = None
) -> Gray:
    """The picture uint8 (H, W) of ink uint8 (H, W), 255 for black.

    strips: (N, h, w) of empty paper to write on. The same for the same state of the two generators.
    """
    height, width = ink.shape
    if strips is not None and len(strips) and rng.random() < look.real:
        paper = _real_paper(strips, height, width, rng)
    else:
        paper = _smooth(noise.normal(1, rng.uniform(0, 0.02), (4, max(2, width // 60))), height, width)
    if rng.random() < look.rules:
        _rule(paper, rng)
    photo = rng.random() < look.photo
    if photo:
        # Light changes slowly: along a line, hardly within a word or from top to bottom.
        along = noise.uniform(1 - 0.45 * min(1.0, width / 400), 1.05, (1, max(2, width // 300)))
        paper *= _smooth(along * noise.uniform(0.94, 1.06, (2, 1)), height, width)
    level = rng.uniform(170, 253)
    picture: Field = cv2.multiply(paper, cv2.bitwise_not(ink), scale=level / 255, dtype=cv2.CV_32F)
    sigma = rng.uniform(0.6, 1.5) if photo else rng.uniform(0.0, 0.9)
    if sigma > 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    picture += np.float32(rng.uniform(0, look.noise)) * grain(noise, height, width)
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < look.coarse:
        pixels = _coarse(pixels, rng.uniform(0.4, 0.75))
    if rng.random() < look.jpeg:
        pixels = _jpeg(pixels, rng.randint(25, 85))
    return cv2.bitwise_not(pixels) if rng.random() < look.negative else pixels


def textured(ink: Gray, grained: float, rng: random.Random, noise: np.random.Generator, darkness: float = 1.0) -> Gray:
    """Ink uint8 (H, W) that the grain of the paper shows through, and that is paler here and there.

    grained: how much of the paper shows, 0 to 1. darkness: of the ink where it is darkest, 0 to 1.
    """
    height, width = ink.shape
    knots = noise.uniform(1 - rng.uniform(0, 0.35), 1.0, (2, max(2, width // 25)))
    field = _smooth(darkness * knots, height, width)
    if grained > 0.05:
        bumps = np.clip(1 + np.float32(0.5 * grained) * grain(noise, height, width), 0, 1)
        field *= bumps
    return np.asarray(cv2.multiply(ink, field, dtype=cv2.CV_8U), np.uint8)


@lru_cache(maxsize=1)
def _noise_bank() -> Field:
    """Normal noise to cut pieces out of: drawing it anew for each line takes long."""
    return np.random.default_rng(0).standard_normal((384, 6144), np.float32)


def grain(noise: np.random.Generator, height: int, width: int) -> Field:
    """Independent normal noise float32 (height, width) of standard deviation 1."""
    bank = _noise_bank()
    free = bank.shape[0] - height, bank.shape[1] - width
    if min(free) < 0:
        return noise.standard_normal((height, width), np.float32)
    top, left = noise.integers(0, np.array(free) + 1).tolist()
    return bank[top : top + height, left : left + width]


def _smooth(knots: NDArray[np.float64], height: int, width: int) -> Field:
    """A smooth field float32 (height, width) through knots: cubic at an eighth of the size, linear from there."""
    size = max(2, width // 8), max(2, height // 8)
    small = cv2.resize(knots.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(small, (width, height)), np.float32)


def _real_paper(strips: NDArray[np.uint8], height: int, width: int, rng: random.Random) -> Field:
    """A strip as background float32 (height, width) of mean 1, at some scale, mirrored until it is wide enough."""
    strip = strips[rng.randrange(len(strips))]
    strip = strip[:: rng.choice((1, -1)), :: rng.choice((1, -1))]
    scale = max(rng.uniform(0.8, 1.6), (height + 1) / strip.shape[0])
    large = cv2.resize(strip, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    top, left = rng.randint(0, large.shape[0] - height), rng.randint(0, large.shape[1] // 4)
    piece = large[top : top + height, left:]
    while piece.shape[1] < width:
        piece = np.hstack([piece, piece[:, ::-1]])
    piece = piece[:, :width]
    return np.asarray(cv2.multiply(piece, np.ones(1), scale=1 / max(1.0, float(piece.mean())), dtype=cv2.CV_32F))


def _rule(paper: Field, rng: random.Random) -> None:
    """Print rules or squares on the paper, in place."""
    height, width = paper.shape
    squared = rng.random() < 0.35
    # Paler than ink is: rules that are as dark cross the writing out.
    tone, thickness = 1 - (rng.uniform(0.04, 0.16) if squared else rng.uniform(0.06, 0.3)), rng.choice((1, 1, 2))
    tilt = rng.gauss(0, 0.003) * width
    pitch = height * (rng.uniform(0.35, 0.6) if squared else rng.uniform(0.75, 1.1))
    at = rng.uniform(0.6, 0.85) * height
    while at > pitch:
        at -= pitch
    while at < height:
        cv2.line(paper, (0, round(at)), (width, round(at + tilt)), tone, thickness, cv2.LINE_AA)
        at += pitch
    if squared:
        for column in np.arange(rng.uniform(0, pitch), width, pitch):
            cv2.line(paper, (round(column), 0), (round(column), height), tone, thickness, cv2.LINE_AA)


def _coarse(pixels: Gray, share: float) -> Gray:
    height, width = pixels.shape
    small = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _jpeg(pixels: Gray, quality: int) -> Gray:
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
