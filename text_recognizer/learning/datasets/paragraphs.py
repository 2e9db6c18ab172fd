"""Paragraphs: several lines of one hand as one image, their texts joined by newlines, and the cache of them.

All images have one scale, that of an A4 page 1240 pixels wide (150 dpi), at which IAM's handwriting is some
30 pixels high from the top of an h to the baseline.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.images.normalize import ink_density
from text_recognizer.learning.datasets.exclusions import Exclusions, alphabet_mark

#: Columns of a whole page at the scale of paragraphs.
PAGE_WIDTH = 1240

#: Median height of the lines that the line detector finds in IAM paragraphs, in pixels at the scale of paragraphs.
LINE_HEIGHT = 50.0

_KERNEL = 41  # pixels that hold some paper, at the scale of paragraphs

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class ParagraphLabel:
    """What is known of a paragraph: its identifier, its lines' texts (NFC) joined by newlines, writer, dataset."""

    identifier: str
    text: str
    writer: str
    source: str


class ParagraphDataset(Sequence[tuple[Image, ParagraphLabel]]):
    """Paragraphs in memory-mapped storage, read in any order by several processes at no cost.

    An item is an image uint8 (H, W), ink 255 and paper 0, and its label. On disk: `pixels.npy` uint8, one
    image after the other, row by row, and `index.json` with shapes and labels. key: changes with what it was made of.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.key = folder.name
        self.labels = [ParagraphLabel(**row) for row in index["labels"]]
        self.shapes = np.array(index["shapes"], np.int64)
        self._ends = np.cumsum(self.shapes.prod(axis=1))
        self._pixels = np.load(folder / "pixels.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        height, width = self.shapes[index]
        end = self._ends[index]
        return np.array(self._pixels[end - height * width : end]).reshape(height, width), self.labels[index]


class MixedParagraphs(Sequence[tuple[Image, ParagraphLabel]]):
    """Several paragraph datasets one after the other, `draws[i]` of part i (0 for all), the same for the same seed."""

    def __init__(self, parts: Sequence[ParagraphDataset], draws: Sequence[int] = (), seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.parts = list(parts)
        self._items = [
            (part, int(number))
            for part, dataset in enumerate(parts)
            for number in rng.permutation(len(dataset))[: (draws[part] if draws else 0) or None]
        ]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        part, number = self._items[index]
        return self.parts[part][number]


def ink_at_scale(cut: Image, scale: float) -> Image:
    """The ink of a gray cut (H, W) of a page, `scale` times as large: uint8, ink 255."""
    size = max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale))
    small = cut if scale == 1 else cv2.resize(cut, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return np.round(ink_density(small, kernel=_KERNEL) * 255).astype(np.uint8)


def cached_paragraphs(
    cache: Path,
    key: str,
    samples: Iterable[tuple[Image, ParagraphLabel]],
    total: int | None = None,
    exclusions: Exclusions | None = None,
) -> ParagraphDataset:
    """The dataset stored under `key`, made from `samples` where it is not there yet; whole or not at all.

    The key contains the version of the normalisation, which finds the ink, and the alphabet where lines are left out
    for it. Raises ValueError without samples.
    """
    if exclusions is not None:
        key += alphabet_mark()
    folder = cache / f"{key}-normalization{NORMALIZATION_VERSION}"
    if not (folder / "index.json").exists():
        with whole_folder(folder) as partial:
            _write(partial, key, track(samples, description=f"preparing {key}", total=total))
            if exclusions:
                exclusions.say()
    return ParagraphDataset(folder)


def _write(folder: Path, key: str, samples: Iterable[tuple[Image, ParagraphLabel]]) -> None:
    images, labels = [], []
    for image, label in samples:
        images.append(image)
        labels.append(label)
    if not labels:
        raise ValueError(f"{key} has no paragraphs")
    np.save(folder / "pixels.npy", np.concatenate([image.ravel() for image in images]))
    index = {"shapes": [image.shape for image in images], "labels": [asdict(label) for label in labels]}
    (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")
