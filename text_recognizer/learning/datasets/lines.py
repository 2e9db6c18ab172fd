"""Lines of handwriting with their text: the base of every line dataset, and its cache of normalised images."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning.datasets.exclusions import Exclusions, alphabet_mark


@dataclass(frozen=True)
class LineLabel:
    """What is known of a line: its identifier, its text (NFC), its writer and the dataset it is from."""

    identifier: str
    text: str
    writer: str
    source: str


class LineDataset(Sequence[tuple[NDArray[np.uint8], LineLabel]]):
    """Normalised lines in memory-mapped storage, read in any order by several processes at no cost.

    An item is an image uint8 (height, W), ink 255 and paper 0, and its label. On disk: `pixels.npy`
    uint8 (sum of widths, height), lines one after the other, transposed so that a line is contiguous,
    and `index.json` with widths and labels.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.labels = [LineLabel(**row) for row in index["labels"]]
        self.widths = np.array(index["widths"], np.int64)
        self._ends = np.cumsum(self.widths)
        self._pixels = np.load(folder / "pixels.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        end = self._ends[index]
        image = np.ascontiguousarray(self._pixels[end - self.widths[index] : end].T)
        return image, self.labels[index]

    def only(self, indices: Sequence[int]) -> LineDataset:
        """The lines of some indices, on the same storage."""
        chosen = copy.copy(self)
        chosen.labels = [self.labels[index] for index in indices]
        chosen.widths, chosen._ends = self.widths[list(indices)], self._ends[list(indices)]
        return chosen


def cached_lines(
    cache: Path,
    key: str,
    samples: Iterable[tuple[NDArray[np.uint8], LineLabel]],
    total: int | None = None,
    exclusions: Exclusions | None = None,
) -> LineDataset:
    """The dataset stored under `key`, made from `samples` (normalised images) where it is not there yet.

    exclusions: what the samples lack, said once, when they are made.

    The folder appears whole or not at all: an interrupted preparation leaves nothing behind to be mistaken
    for a dataset. The key contains the version of the normalisation, and the alphabet where lines are left out for
    it, so a change of either makes a new one.
    """
    if exclusions is not None:
        key += alphabet_mark()
    folder = cache / f"{key}-normalization{NORMALIZATION_VERSION}"
    if not (folder / "index.json").exists():
        with whole_folder(folder) as partial:
            _write(partial, track(samples, description=f"preparing {key}", total=total))
            if exclusions:
                exclusions.say()
    return LineDataset(folder)


def _write(folder: Path, samples: Iterable[tuple[NDArray[np.uint8], LineLabel]]) -> None:
    images: list[NDArray[np.uint8]] = []
    labels: list[LineLabel] = []
    for image, label in samples:
        images.append(np.ascontiguousarray(image.T))
        labels.append(label)
    if not labels:
        raise ValueError(f"{folder.name.split('-normalization')[0].lstrip('.')} has no lines")
    np.save(folder / "pixels.npy", np.concatenate(images))
    index = {"widths": [len(image) for image in images], "labels": [asdict(label) for label in labels]}
    (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")
