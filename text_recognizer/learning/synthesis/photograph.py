"""A scan as a telephone would have seen it: perspective, table, shadow, colour, blur, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def photograph(page: NDArray[np.uint8], seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A simulated photograph of a page gray uint8 (H, W), the same for the same seed.

    Returns the picture RGB uint8 (H', W', 3) and the homography (3, 3) from points of the page to points of it.
    """
    rng = np.random.default_rng(seed)
    height, width = page.shape
    side = float(max(height, width))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    margin = 0.06 * side
    moved = corners + margin + rng.uniform(-0.025, 0.025, (4, 2)).astype(np.float32) * side
    size = int(width + 2 * margin), int(height + 2 * margin)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    tint = np.array([0.97, 0.94, 0.86]) + rng.uniform(-0.03, 0.03, 3)
    paper = (page[:, :, None] * tint).clip(0, 255).astype(np.uint8)
    table = tuple(int(value) for value in rng.integers(40, 110, 3))
    view = cv2.warpPerspective(paper, matrix, size, flags=cv2.INTER_AREA, borderValue=table).astype(np.float32)
    light = rng.uniform(0.5, 1.05, (3, 3)).astype(np.float32)
    view *= cv2.resize(light, size, interpolation=cv2.INTER_CUBIC)[:, :, None]
    view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.7, 1.2))
    view += rng.normal(0, 3, view.shape)
    picture = np.clip(view, 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 70])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded)[:, :, ::-1]), matrix
