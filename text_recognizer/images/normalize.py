"""One normalisation of a text line, called by training and by reading alike.

A photograph in the shade, a clean scan, pencil on ruled paper and chalk on a
blackboard should look the same to the recogniser: ink is bright, paper is zero.
Whatever training sees that reading does not (or the other way round) costs
accuracy silently, so there is exactly this one function, and its version is
written into every model bundle.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

NORMALIZATION_VERSION = 1
LINE_HEIGHT = 64

_WORKING_HEIGHT = 128  # larger crops are reduced to this before the filters: 3x faster, same result
_MAX_ASPECT = 60  # a line wider than 60 times its height is cut off: it is no line of text
_MARGIN = 2  # rows of paper kept above and below the ink, in output pixels

Gray = NDArray[np.uint8]


def to_gray(image: NDArray) -> Gray:
    """A uint8 array of (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA as (H, W) gray; alpha goes over white."""
    if image.dtype != np.uint8:
        raise TypeError(f"expected a uint8 image, got {image.dtype}; images.open_image converts other depths")
    if image.ndim == 2:
        return image
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise ValueError(f"expected an image of (H, W), (H, W, 3) or (H, W, 4), got shape {image.shape}")
    if image.shape[2] == 1:
        return np.ascontiguousarray(image[:, :, 0])
    if image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.float32) / 255
        image = (image[:, :, :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def is_light_on_dark(gray: Gray, window: int | None = None) -> bool:
    """Whether the writing is lighter than the paper around it.

    window: pixels of a neighbourhood wider than strokes; by default half the height. Strokes are few
    and strong against their neighbourhood, so the third moment of the local contrast has their sign.
    Looking at neighbourhoods only, a page that lies on a dark table is still dark on light.
    """
    size = max(9, window or gray.shape[0] // 2) | 1
    level = gray.astype(np.float32)
    local = cv2.subtract(level, cv2.blur(level, (size, size), borderType=cv2.BORDER_REFLECT)).ravel()
    return float(np.dot(local * local, local)) > 1e-6 * 255**3 * local.size


def ink_density(gray: Gray, kernel: int | None = None) -> NDArray[np.float32]:
    """How much ink each pixel carries, 0 (paper) to 1 (the darkest strokes), whatever the light and the paper.

    gray: (H, W) uint8. kernel: size in pixels of the window that must contain some paper; by default
    two thirds of the height, enough to look past strokes of a line crop. Returns (H, W) float32.

    The paper's level is a grey closing (the local maximum, then the local minimum of that), which
    follows shadows and keeps the steps between pasted word boxes; ink is the relative loss of light.
    """
    if is_light_on_dark(gray, kernel):
        gray = cv2.bitwise_not(gray)
    size = max(9, kernel or gray.shape[0] * 2 // 3) | 1
    smooth = cv2.GaussianBlur(gray, (3, 3), 0)
    paper = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8), borderType=cv2.BORDER_REPLICATE)
    level = cv2.max(cv2.min(cv2.blur(paper, (size // 2 | 1, size // 2 | 1)), paper), 24.0)
    density = cv2.divide(gray, level, dtype=cv2.CV_32F)
    np.subtract(1, density, out=density)
    return _stretch(cv2.max(density, 0.0))


def _stretch(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map paper noise to 0 and full ink to 1, so that pencil and marker get the same contrast."""
    noise = float(np.median(density)) + 0.03
    candidates = density[density > max(0.12, 2 * noise)]
    if candidates.size < 12:
        return np.zeros_like(density)
    full = float(np.percentile(candidates, 85))
    floor = min(max(noise, 0.2 * full), 0.6 * full)
    stretched = np.subtract(density, np.float32(floor))
    stretched /= np.float32(full - floor)
    return np.clip(stretched, 0, 1, out=stretched)


def remove_rules(density: NDArray[np.float32], length: int, min_share: float = 0.4) -> NDArray[np.float32]:
    """Take printed rules (long thin horizontal runs) out of an ink map and leave strokes that cross them.

    density: (H, W) float32 in [0, 1]. length: pixels a run must last to be part of a rule.
    min_share: share of the width that rules must cover on some row band, so that dashes and
    underlined words stay. Returns (H, W) float32.
    """
    height, width = density.shape
    if width < 2 * length or not density.any():
        return density
    # A slight slope moves a rule by a pixel every few dozen columns: closing gaps vertically first keeps it whole.
    # (Opening commutes with thresholds, and of bytes it takes a fifth of the time.)
    thick = cv2.dilate((density > 0.25).astype(np.uint8), np.ones((3, 1), np.uint8))
    if cv2.reduce(thick, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).max() < length:
        return density  # no row has enough ink for a run
    runs = cv2.morphologyEx(thick, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    if runs.any(axis=0).mean() < min_share:
        return density
    rule = cv2.dilate(runs, np.ones((3, 3), np.uint8))
    # Where ink stands just above and just below the rule, a stroke crosses it: keep the stroke.
    reach = max(2, height // 40)
    stroke = (density > 0.35) & (rule == 0)
    up = cv2.dilate(stroke.astype(np.uint8), _vertical(2 * reach + 3, downward=True))
    down = cv2.dilate(stroke.astype(np.uint8), _vertical(2 * reach + 3, downward=False))
    return np.where((rule > 0) & ~((up > 0) & (down > 0)), 0, density).astype(np.float32)


def _vertical(size: int, downward: bool) -> NDArray[np.uint8]:
    kernel = np.zeros((2 * size + 1, 1), np.uint8)
    kernel[: size + 1 if downward else None] = 1
    if not downward:
        kernel[:size] = 0
    return kernel


def ink_box(density: NDArray[np.float32]) -> tuple[int, int, int, int] | None:
    """The box (left, top, right, bottom) around the writing, specks left out; None for a blank crop."""
    mask = (density > 0.3).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    stats = stats[1:]
    smallest = max(4, 0.02 * density.shape[0] * 0.02 * density.shape[0] * 4)
    stats = stats[stats[:, cv2.CC_STAT_AREA] >= smallest]
    if not len(stats):
        return None
    left, right = stats[:, 0].min(), (stats[:, 0] + stats[:, 2]).max()
    profile = (density[:, left:right] * mask[:, left:right]).sum(axis=1)
    rows = np.arange(len(profile))
    center = (rows * profile).sum() / profile.sum()
    spread = np.sqrt(((rows - center) ** 2 * profile).sum() / profile.sum())
    # Ascenders and descenders end within 4.5 standard deviations; what lies beyond belongs to other lines.
    top = max(stats[:, 1].min(), int(center - 4.5 * spread - 2))
    bottom = min((stats[:, 1] + stats[:, 3]).max(), int(center + 4.5 * spread + 3))
    return int(left), int(top), int(right), int(max(bottom, top + 1))


@dataclass(frozen=True)
class NormalizedLine:
    """A normalised line and how it lies in the crop it came from.

    image: uint8 (height, W), ink 255, paper 0. A point at column x, row y of it lies at
    (left + x / scale, top + y / scale) in the crop.
    """

    image: Gray
    left: float
    top: float
    scale: float

    def to_crop(self, points: NDArray) -> NDArray[np.float64]:
        """Points (N, 2) of the normalised image as points of the crop."""
        return np.asarray(points, np.float64) / self.scale + (self.left, self.top)


def normalize_line(image: NDArray, height: int = LINE_HEIGHT) -> Gray:
    """A crop of one line as the recogniser wants it; the picture alone of `normalize_line_with_box`."""
    return normalize_line_with_box(image, height).image


def normalize_line_with_box(image: NDArray, height: int = LINE_HEIGHT) -> NormalizedLine:
    """A crop of one line as the recogniser wants it, and where it was in the crop.

    image: uint8 (H, W), (H, W, 3) RGB or (H, W, 4) RGBA: dark on light or light on dark, any paper.
    The picture is uint8 (height, W'): ink near 255, paper 0, cropped to the ink, aspect ratio kept. A
    blank crop gives (height, height) zeros.
    """
    gray = to_gray(image)
    blank = NormalizedLine(np.zeros((height, height), np.uint8), 0.0, 0.0, 1.0)
    if min(gray.shape) < 3:
        return blank
    if gray.shape[1] > _MAX_ASPECT * gray.shape[0]:
        gray = gray[:, : _MAX_ASPECT * gray.shape[0]]
    reduction = min(1.0, _WORKING_HEIGHT / gray.shape[0])
    if reduction < 1:
        size = max(3, round(gray.shape[1] * reduction)), _WORKING_HEIGHT
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    density = remove_rules(ink_density(gray), length=max(40, 2 * gray.shape[0]))
    box = ink_box(density)
    if box is None:
        return blank
    left, top, right, bottom = box
    if reduction < 1 and bottom - top < 0.25 * _WORKING_HEIGHT:
        return _closer(image, np.array([left, top, right, bottom]) / reduction, height)
    picture, scale, above = fit_height(density[top:bottom, left:right], height)
    return NormalizedLine(
        picture, (left - _MARGIN / scale) / reduction, (top - above / scale) / reduction, scale * reduction
    )


def _closer(image: NDArray, box: NDArray[np.float64], height: int) -> NormalizedLine:
    """The line of a crop with wide margins: cut to its ink first, so that the filters see it at full size."""
    air = 0.3 * (box[3] - box[1]) + 2
    left, top = np.maximum(box[:2] - air, 0).astype(int).tolist()
    right, bottom = np.ceil(box[2:] + air).astype(int).tolist()
    line = normalize_line_with_box(image[top:bottom, left:right], height)
    return NormalizedLine(line.image, line.left + left, line.top + top, line.scale)


def fit_height(density: NDArray[np.float32], height: int) -> tuple[Gray, float, int]:
    """Scale an ink map (H, W) in [0, 1] to `height` rows with a margin of paper around it.

    Returns the picture as uint8, the scale, and the rows of paper above the ink.
    """
    inner = height - 2 * _MARGIN
    # A lone dash or full stop must not be blown up to the height of a capital.
    rows = max(density.shape[0], 12, density.shape[1] // _MAX_ASPECT)
    scale = inner / rows
    size = (max(1, round(density.shape[1] * scale)), max(1, min(inner, round(density.shape[0] * scale))))
    scaled = cv2.resize(density, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.zeros((height, size[0] + 2 * _MARGIN), np.float32)
    above = (height - size[1]) // 2
    canvas[above : above + size[1], _MARGIN : _MARGIN + size[0]] = scaled
    return np.round(np.clip(canvas, 0, 1) * 255).astype(np.uint8), scale, above
