"""Cut one line out of a page: along its baseline, inside its polygon, straightened."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CUT_VERSION = 1  # changes with the pixels that a cut line has; prepared datasets are made again
_MAX_LENGTH = 6000  # columns of a strip; longer lines are sampled more coarsely


def resample(points: NDArray, step: float) -> NDArray[np.float64]:
    """Points every `step` pixels along a polyline (N, 2), both ends included. Returns (M, 2), M >= 2."""
    points = np.asarray(points, np.float64)
    keep = np.r_[True, np.any(np.diff(points, axis=0) != 0, axis=1)]
    points = points[keep]
    if len(points) < 2:
        raise ValueError("a baseline needs two different points")
    along = np.r_[0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    at = np.linspace(0, along[-1], max(2, round(along[-1] / step) + 1))
    return np.stack([np.interp(at, along, points[:, 0]), np.interp(at, along, points[:, 1])], axis=1)


class LineStrip:
    """The band of a page around one baseline, straightened, and the way back to the page.

    baseline: (N, 2) points x, y in pixels, left to right. polygon: (M, 2) outline of the line.
    Column i, row j of the strip lies at `to_page([[i, j]])` on the page.
    """

    def __init__(self, baseline: NDArray, polygon: NDArray, margin: float = 0.08) -> None:
        polygon = np.asarray(polygon, np.float64)
        line = _ascending(np.asarray(baseline, np.float64), polygon)
        length = float(np.hypot(*np.diff(line, axis=0).T).sum())
        points = resample(line, max(1.0, length / _MAX_LENGTH))
        self.step = length / (len(points) - 1)
        self.points = _smooth(points, window=max(3, len(points) // 12))
        tangent = np.gradient(self.points, axis=0)
        tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1])[:, None], 1e-9)
        self.normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)  # points down the page
        heights = self._distances(polygon)
        reach = max(4.0, float(heights.max() - heights.min()))
        self._reach = max(2.0, -heights.min()) + margin * reach, max(2.0, heights.max()) + margin * reach
        self.above, self.below = (int(np.ceil(side / self.step)) for side in self._reach)
        self.polygon = polygon

    def _distances(self, polygon: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signed distance of every polygon vertex from the baseline, negative above it."""
        nearest = np.argmin(((polygon[:, None, :] - self.points[None, ::8]) ** 2).sum(-1), axis=1) * 8
        return ((polygon - self.points[nearest]) * self.normal[nearest]).sum(-1)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the strip in pixels."""
        return self.above + self.below, len(self.points)

    def to_page(self, points: NDArray) -> NDArray[np.float64]:
        """Strip points (N, 2) of column, row as page points (N, 2) of x, y."""
        points = np.asarray(points, np.float64)
        at = np.clip(points[:, 0], 0, len(self.points) - 1)
        index = np.arange(len(self.points))
        base = np.stack([np.interp(at, index, self.points[:, k]) for k in (0, 1)], axis=1)
        normal = np.stack([np.interp(at, index, self.normal[:, k]) for k in (0, 1)], axis=1)
        return base + normal * ((points[:, 1] - self.above) * self.step)[:, None]

    def cut(self, image: NDArray) -> NDArray[np.uint8]:
        """The strip of a page image (H, W) or (H, W, 3), uint8; outside of the polygon it is paper."""
        rows = (np.arange(self.shape[0]) - self.above)[:, None] * self.step
        map_x = (self.points[:, 0] + rows * self.normal[:, 0]).astype(np.float32)
        map_y = (self.points[:, 1] + rows * self.normal[:, 1]).astype(np.float32)
        strip = _sample(image, map_x, map_y, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        inside = self._mask(map_x, map_y)
        paper = np.median(strip[inside > 0].reshape(-1, *strip.shape[2:]), axis=0) if inside.any() else 255
        strip[inside == 0] = paper
        return strip

    def _mask(self, map_x: NDArray, map_y: NDArray) -> NDArray[np.uint8]:
        """255 inside the polygon, with the strip's shape."""
        left, top = np.floor(self.polygon.min(axis=0)).astype(int) - 2
        right, bottom = np.ceil(self.polygon.max(axis=0)).astype(int) + 3
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(mask, [np.round(self.polygon - (left, top)).astype(np.int32)], 255)
        # A tight outline runs through the ends of strokes: give it a little air.
        air = max(3, round(0.06 * sum(self._reach))) | 1
        wide = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (air, air)))
        return _sample(wide, map_x - left, map_y - top, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)


def _sample(image: NDArray, map_x: NDArray, map_y: NDArray, interpolation: int, border: int) -> NDArray[np.uint8]:
    """`cv2.remap` on the part of the image that the maps point to: OpenCV refuses images of 32,767 pixels and more."""
    height, width = image.shape[:2]
    left, top = (int(np.clip(m.min() - 2, 0, side - 1)) for m, side in ((map_x, width), (map_y, height)))
    right, bottom = (int(np.clip(m.max() + 3, 1, side)) for m, side in ((map_x, width), (map_y, height)))
    window = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    maps = (map_x - left).astype(np.float32), (map_y - top).astype(np.float32)
    sampled: NDArray[np.uint8] = cv2.remap(window, *maps, interpolation, borderMode=border, borderValue=0)
    return sampled


def _ascending(baseline: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """The baseline from left to right, extended at both ends to where the polygon ends."""
    line = baseline if baseline[0, 0] <= baseline[-1, 0] else baseline[::-1]
    if len(line) < 2 or np.hypot(*(line[-1] - line[0])) < 1:
        middle = polygon.mean(axis=0)
        half = max(2.0, np.ptp(polygon[:, 0]) / 2)
        return middle + np.array([[-half, 0.0], [half, 0.0]])
    direction = (line[-1] - line[0]) / np.hypot(*(line[-1] - line[0]))
    along = polygon @ direction
    before = max(0.0, float(line[0] @ direction - along.min()))
    after = max(0.0, float(along.max() - line[-1] @ direction))
    return np.vstack([line[0] - direction * before, line, line[-1] + direction * after])


def _smooth(points: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """A moving average with straight continuation at the ends, so that a jagged baseline does not shake the letters."""
    window = min(window, len(points)) | 1
    half = window // 2
    head = 2 * points[0] - points[half:0:-1]
    tail = 2 * points[-1] - points[-2 : -half - 2 : -1]
    padded = np.vstack([head[:half], points, tail[:half]])
    if len(padded) < len(points) + window - 1:
        return points
    kernel = np.ones(window) / window
    return np.stack([np.convolve(padded[:, k], kernel, mode="valid") for k in (0, 1)], axis=1)


def cut_line(image: NDArray, baseline: NDArray, polygon: NDArray) -> NDArray[np.uint8]:
    """The straightened crop of one line of a page image; see `LineStrip`."""
    return LineStrip(baseline, polygon).cut(image)
