"""What the line detector learns from: crops of warped pages and the maps that it should answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from torch.utils.data import Dataset

from text_recognizer.atomic_files import whole_folder
from text_recognizer.images.crop import resample
from text_recognizer.images.normalize import ink_density, remove_rules
from text_recognizer.learning.datasets.pages import TracedLine, TracedPage
from text_recognizer.learning.loading.process_generator import ProcessGenerator
from text_recognizer.recognition.layout.detector_input import EXTENT_UNIT, PAPER_KERNEL, STRIDE

#: Height of a line's core band over its ascender extent (above the baseline): about the x-height.
CORE_SHARE = 0.42
_STORED_HEIGHT = 64.0  # pages whose lines are taller are stored smaller


@dataclass(frozen=True)
class MapExample:
    """image: ink density (H, W) float32. core: (H/4, W/4) float32, 1 in cores. extents: (2, H/4, W/4)
    float32, ascender and descender maps in units of 16 pixels, valid in cores. weight: (H/4, W/4) float32, 0
    where nobody said whether there is a line."""

    image: NDArray[np.float32]
    core: NDArray[np.float32]
    extents: NDArray[np.float32]
    weight: NDArray[np.float32]


class PageDataset:
    """Traced pages in memory-mapped storage: `pixels.npy`, all pages one after the other, and `index.json`."""

    def __init__(self, folder: Path) -> None:
        self.index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self._pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        sizes = [row["shape"][0] * row["shape"][1] for row in self.index]
        self._starts = np.r_[0, np.cumsum(sizes)]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> TracedPage:
        row = self.index[number]
        image = np.asarray(self._pixels[self._starts[number] : self._starts[number + 1]]).reshape(row["shape"])
        lines = [TracedLine(np.array(b), np.array(p)) for b, p in row["lines"]]
        return TracedPage(row["identifier"], image, lines)


def cached_pages(cache: Path, key: str, pages: Iterable[TracedPage]) -> PageDataset:
    """The pages stored under `key`, made from `pages` where they are not there yet; whole or not at all."""
    folder = cache / key
    if not (folder / "index.json").exists():
        with whole_folder(folder) as partial:
            _write(partial, track(pages, description=f"preparing {key}"))
    return PageDataset(folder)


def _write(folder: Path, pages: Iterable[TracedPage]) -> None:
    index, pixels = [], []
    for page in pages:
        page = _reduced(page)
        lines = [[line.baseline.round(1).tolist(), line.polygon.round(1).tolist()] for line in page.lines]
        index.append({"identifier": page.identifier, "shape": page.image.shape, "lines": lines})
        pixels.append(page.image.ravel())
    if not index:
        raise ValueError(f"{folder.name.lstrip('.')} has no pages")
    np.save(folder / "pixels.npy", np.concatenate(pixels))
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")


def line_height(lines: list[TracedLine]) -> float:
    """Median height of the outlines in pixels, 40 for a page without lines."""
    return float(np.median([_extents(line)[0] + _extents(line)[1] for line in lines])) if lines else 40.0


def _reduced(page: TracedPage) -> TracedPage:
    scale = min(1.0, _STORED_HEIGHT / line_height(page.lines))
    if scale > 0.95:
        return page
    image = cv2.resize(page.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
    lines = [TracedLine(line.baseline * scale, line.polygon * scale, line.text) for line in page.lines]
    return TracedPage(page.identifier, image, lines)


def _extents(line: TracedLine) -> tuple[float, float]:
    """How far the outline goes above and below the baseline, at right angles to it; robust to single spikes."""
    start, end = line.baseline[0], line.baseline[-1]
    direction = (end - start) / max(1e-6, float(np.hypot(*(end - start))))
    normal = np.array([-direction[1], direction[0]])
    points = resample(np.vstack([line.polygon, line.polygon[:1]]), 4.0)
    along = (points - start) @ direction
    bows = np.interp(along, (line.baseline - start) @ direction, (line.baseline - start) @ normal)
    distance = (points - start) @ normal - bows
    above, below = -distance[distance < 0], distance[distance > 0]
    return (
        max(2.0, float(np.percentile(above, 75))) if len(above) else 2.0,
        max(1.0, float(np.percentile(below, 75))) if len(below) else 1.0,
    )


def draw_maps(lines: list[TracedLine], shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Core map (H/4, W/4) and ascender and descender maps (2, H/4, W/4).

    lines: in the pixels of an image of `shape` (H, W).
    """
    size = shape[0] // STRIDE, shape[1] // STRIDE
    core = np.zeros(size, np.float32)
    extents = np.zeros((2, *size), np.float32)
    for line in lines:
        above, below = _extents(line)
        baseline = line.baseline if line.baseline[0, 0] <= line.baseline[-1, 0] else line.baseline[::-1]
        points = resample(baseline, 8.0)
        tangent = np.gradient(points, axis=0)
        tangent /= np.maximum(np.hypot(*tangent.T)[:, None], 1e-6)
        up = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
        thick = max(CORE_SHARE * above, 1.2 * STRIDE)
        # fillPoly takes fixed-point numbers: 4 bits below the pixel keep thin bands even.
        band = np.vstack([points, (points + up * thick)[::-1]]) / STRIDE
        fixed = [np.round((band - 0.5) * 16).astype(np.int32)]
        cv2.fillPoly(core, fixed, 1.0, shift=4)
        for channel, value in enumerate((above, below)):
            cv2.fillPoly(extents[channel], fixed, value / EXTENT_UNIT, shift=4)
    return core, extents


def unlabelled_ink(density: NDArray[np.float32], lines: list[TracedLine]) -> NDArray[np.uint8]:
    """1 where there is ink in clumps that no outline covers: perhaps a line that nobody traced."""
    ink = (remove_rules(density, length=120, min_share=0.0) > 0.4).astype(np.uint8)
    known = np.zeros_like(ink)
    cv2.fillPoly(known, [line.polygon.round().astype(np.int32) for line in lines], 1)
    if lines:
        air = max(3, round(0.35 * line_height(lines))) | 1
        known = cv2.dilate(known, np.ones((air, air), np.uint8)).astype(np.uint8)
    ink[known > 0] = 0
    clumps = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((5, 15), np.uint8))
    clumps = cv2.morphologyEx(clumps, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return cv2.dilate(clumps, np.ones((9, 25), np.uint8)).astype(np.uint8)


@dataclass
class PageAugmentation:
    """Ranges of the random view of a page. heights: of a line in pixels of the crop. rotation: degrees,
    standard deviation and largest. perspective: shift of the crop's corners as a share of its size."""

    heights: tuple[float, float] = (15.0, 85.0)
    rotation: float = 4.0
    max_rotation: float = 12.0
    perspective: float = 0.06
    stretch: float = 0.12


class PageCrops(Dataset[MapExample]):
    """Random views of pages with their maps; another view each time an item is asked for.

    seed: where it is given, item i is always the same view. Each part comes with whether its every line is
    traced (synthetic pages): elsewhere ink outside of the outlines is neither text nor background.
    """

    def __init__(
        self,
        parts: list[tuple[PageDataset, bool]],
        count: int,
        size: int = 640,
        augmentation: PageAugmentation | None = None,
        seed: int | None = None,
    ) -> None:
        self.items = [(part, number, complete) for part, complete in parts for number in range(len(part))]
        self.count, self.size, self.seed = count, size, seed
        self.augmentation = augmentation or PageAugmentation()
        self.generator = ProcessGenerator()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> MapExample:
        rng = self.generator() if self.seed is None else np.random.default_rng([self.seed, number])
        part, index, complete = self.items[int(rng.integers(len(self.items)))]
        return self.view(part[index], complete, rng)

    def view(self, page: TracedPage, complete: bool, rng: np.random.Generator) -> MapExample:
        """A random view of one page."""
        matrix = self._matrix(page, rng)
        fill = int(np.median(page.image[::16, ::16])) if rng.random() < 0.5 else int(rng.integers(0, 255))
        gray = cv2.warpPerspective(page.image, matrix, (self.size, self.size), flags=cv2.INTER_AREA, borderValue=fill)
        lines = [_warped(line, matrix) for line in page.lines]
        lines = [line for line in lines if _in_view(line, self.size)]
        gray = _photograph(gray.astype(np.uint8), rng)
        density = ink_density(gray, kernel=PAPER_KERNEL)
        core, extents = draw_maps(lines, gray.shape)
        weight = np.ones_like(core)
        if not complete:
            ignore = cv2.resize(unlabelled_ink(density, lines), core.shape[::-1], interpolation=cv2.INTER_AREA)
            weight[(ignore > 0) & (core == 0)] = 0
        return MapExample(density, core, extents, weight)

    def _matrix(self, page: TracedPage, rng: np.random.Generator) -> NDArray[np.float64]:
        """The homography from page to crop: scale to a random line height, turn, tilt, centre on a random line."""
        settings = self.augmentation
        low, high = np.log(settings.heights)
        scale = float(np.exp(rng.uniform(low, high))) / line_height(page.lines)
        scale = float(np.clip(scale, self.size / 2600, 2.5))
        turn = np.radians(np.clip(rng.normal(0, settings.rotation), -settings.max_rotation, settings.max_rotation))
        stretch = np.exp(rng.normal(0, settings.stretch / 2))
        if page.lines and rng.random() < 0.9:
            center = page.lines[int(rng.integers(len(page.lines)))].polygon.mean(axis=0)
        else:
            center = np.array([rng.uniform(0, page.image.shape[1]), rng.uniform(0, page.image.shape[0])])
        center = center + rng.normal(0, 0.2, 2) * self.size / scale
        cosine, sine = np.cos(turn) * scale, np.sin(turn) * scale
        affine = np.array([[cosine * stretch, -sine, 0], [sine * stretch, cosine, 0], [0, 0, 1.0]])
        affine[:2, 2] = self.size / 2 - affine[:2, :2] @ center
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * self.size
        moved = corners + rng.normal(0, settings.perspective / 2, (4, 2)).astype(np.float32) * self.size
        return cv2.getPerspectiveTransform(corners, moved.astype(np.float32)) @ affine


def _warped(line: TracedLine, matrix: NDArray[np.float64]) -> TracedLine:
    points = [
        cv2.perspectiveTransform(p.astype(np.float64).reshape(-1, 1, 2), matrix)[:, 0]
        for p in (line.baseline, line.polygon)
    ]
    return TracedLine(points[0].astype(np.float64), points[1].astype(np.float64), line.text)


def _in_view(line: TracedLine, size: int) -> bool:
    low, high = line.polygon.min(axis=0), line.polygon.max(axis=0)
    return bool((high > 0).all() and (low < size).all() and np.ptp(line.baseline[:, 0]) > 2)


def _photograph(gray: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Shadow, blur, noise, JPEG and inversion, each sometimes."""
    picture = gray.astype(np.float32)
    if rng.random() < 0.4:
        shade = rng.uniform(0.45, 1.1, (3, 3)).astype(np.float32)
        picture *= cv2.resize(shade, gray.shape[::-1], interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 1.8)).astype(np.float32)
    if rng.random() < 0.3:
        picture += rng.standard_normal(gray.shape, np.float32) * np.float32(rng.uniform(1, 12))
    out = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        _, data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))])
        decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        out = out if decoded is None else decoded.astype(np.uint8)
    return 255 - out if rng.random() < 0.04 else out
