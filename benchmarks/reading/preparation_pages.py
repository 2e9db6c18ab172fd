"""Pages as they are found in the wild, made from pages of a dataset: skewed, turned, photographed badly, as spreads."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.datasets.pages import TracedLine, TracedPage

Matrix = NDArray[np.float64]


def moved(page: TracedPage, image: NDArray[np.uint8], matrix: Matrix) -> TracedPage:
    """A page with another image, its lines moved through the homography (3, 3) from the old one to it."""

    def through(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return cv2.perspectiveTransform(points.astype(np.float64).reshape(-1, 1, 2), matrix)[:, 0]

    lines = [replace(line, baseline=through(line.baseline), polygon=through(line.polygon)) for line in page.lines]
    return TracedPage(page.identifier, image, lines)


def skewed(page: TracedPage, degrees: float) -> TracedPage:
    """A page turned counter-clockwise about its middle, with room for its corners; what comes in is paper."""
    height, width = page.image.shape
    cosine, sine = abs(np.cos(np.deg2rad(degrees))), abs(np.sin(np.deg2rad(degrees)))
    size = round(width * cosine + height * sine), round(width * sine + height * cosine)
    matrix = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1), [0, 0, 1]])
    matrix[:2, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    paper = float(np.median(page.image))
    image = cv2.warpPerspective(page.image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=paper)
    return moved(page, image.astype(np.uint8), matrix)


def lying(page: TracedPage, turns: int) -> TracedPage:
    """A page turned by quarters, counter-clockwise."""
    height, width = page.image.shape
    matrix = {1: [[0, 1, 0], [-1, 0, width - 1], [0, 0, 1]], 3: [[0, -1, height - 1], [1, 0, 0], [0, 0, 1]]}[turns]
    return moved(page, np.ascontiguousarray(np.rot90(page.image, turns)), np.array(matrix, float))


def bordered(page: TracedPage, seed: int) -> TracedPage:
    """A scan with black borders of 1 to 8 % around the sheet, each side its own."""
    rng = np.random.default_rng(seed)
    height, width = page.image.shape
    top, bottom = (rng.uniform(0.01, 0.08, 2) * height).astype(int)
    left, right = (rng.uniform(0.01, 0.08, 2) * width).astype(int)
    image = rng.normal(25, 6, (height + top + bottom, width + left + right)).clip(0, 255).astype(np.uint8)
    image[top : top + height, left : left + width] = page.image
    return moved(page, image, np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]]))


def spread(left: TracedPage, right: TracedPage, seed: int) -> TracedPage:
    """Two pages side by side, one a little lower than the other, with the shadow of a gutter between them."""
    rng = np.random.default_rng(seed)
    widths = [page.image.shape[1] for page in (left, right)]
    drops = rng.permutation([0, int(rng.integers(0, 30))])
    height = max(page.image.shape[0] + drop for page, drop in zip((left, right), drops, strict=True))
    image = np.full((height, sum(widths)), int(np.median(left.image)), np.uint8)
    lines: list[TracedLine] = []
    for page, drop, x in zip((left, right), drops, (0, widths[0]), strict=True):
        image[drop : drop + page.image.shape[0], x : x + page.image.shape[1]] = page.image
        lines += moved(page, page.image, np.array([[1.0, 0, x], [0, 1, drop], [0, 0, 1]])).lines
    distance = np.arange(image.shape[1]) - widths[0]
    shadow = 1 - rng.uniform(0.2, 0.5) * np.exp(-np.abs(distance) / (rng.uniform(0.01, 0.03) * image.shape[1]))
    image = (image * shadow).astype(np.uint8)
    return TracedPage(f"{left.identifier}+{right.identifier}", image, lines)


def snapshot(page: TracedPage, seed: int) -> TracedPage:
    """A careless photograph: on a grained table, turned by up to 10 degrees, in strong perspective, half shaded."""
    rng = np.random.default_rng(seed)
    height, width = page.image.shape
    side = float(max(height, width))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    turn = np.deg2rad(rng.uniform(-10, 10))
    about = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    seen = (corners - corners.mean(axis=0)) @ about.T + rng.uniform(-0.06, 0.06, (4, 2)) * side
    margin = rng.uniform(0.06, 0.2) * side
    seen += margin - seen.min(axis=0)
    size = tuple(int(value) for value in seen.max(axis=0) + margin)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), seen.astype(np.float32))
    paper = page.image[:, :, None] * (np.array([0.97, 0.94, 0.86]) + rng.uniform(-0.03, 0.03, 3))
    sheet = cv2.warpPerspective(paper.clip(0, 255).astype(np.uint8), matrix, size, flags=cv2.INTER_AREA)
    inside = cv2.warpPerspective(np.ones(page.image.shape, np.float32), matrix, size)[:, :, None]
    view = (sheet * inside + _table(size, rng) * (1 - inside)) * _light(size, rng)[:, :, None]
    view = cv2.GaussianBlur(view.astype(np.float32), (0, 0), rng.uniform(0.7, 1.2)) + rng.normal(0, 3, view.shape)
    _, data = cv2.imencode(".jpg", view.clip(0, 255).astype(np.uint8)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return moved(page, np.ascontiguousarray(decoded[:, :, ::-1]), matrix)


def _table(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """A table top with grain along x: RGB float32 (H, W, 3)."""
    height = size[1]
    grain = cv2.resize(rng.normal(0, 1, (height // 3 + 1, 9)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    blotches = cv2.resize(rng.normal(0, 1, (7, 7)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    color = np.array([1.0, 0.75, 0.5]) * rng.uniform(70, 130)
    return ((1 + 0.12 * grain + 0.1 * blotches)[:, :, None] * color).clip(0, 255).astype(np.float32)


def _light(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Uneven light with the soft shadow of whoever takes the photograph: float32 (H, W)."""
    light = cv2.resize(rng.uniform(0.65, 1.05, (3, 3)).astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    width, height = size
    direction, at = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.2) * max(size)
    x, y = np.meshgrid(np.arange(width) - width / 2, np.arange(height) - height / 2)
    far = x * np.cos(direction) + y * np.sin(direction) - at
    shadow = 1 - rng.uniform(0.3, 0.5) / (1 + np.exp(-far / (0.01 * max(size))))
    return (light * shadow).astype(np.float32)
