"""Batches of lines of similar width, so that little is padded and few shapes occur."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as distributed
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel
from text_recognizer.learning.loading.augmentation import LineAugmentation
from text_recognizer.recognition.text.line_geometry import LineGeometry

WIDTH_STEP = 128  # widths of training batches are multiples of it


@dataclass
class LineBatch:
    """A batch for CTC.

    images: (B, 1, H, W) float32 in [0, 1], ink 1, padded with paper. frames: (B,) int64, CTC frames
    of each line. targets: (sum of lengths,) int64 character numbers. lengths: (B,) int64. labels: B labels.
    """

    images: Tensor
    frames: Tensor
    targets: Tensor
    lengths: Tensor
    labels: list[LineLabel]


#: An image uint8 (height, W), its label, and the columns that every image of its batch is padded to.
LineItem = tuple[NDArray[np.uint8], LineLabel, int]


class MixedLines(Dataset[LineItem]):
    """Several line datasets one after the other; augmented where an augmentation is given.

    An item is asked for by (index, columns): the image comes back at most `columns` wide.
    """

    def __init__(self, parts: Sequence[LineDataset], augmentation: LineAugmentation | None = None) -> None:
        self.parts = list(parts)
        self.ends = np.cumsum([len(part) for part in parts])
        self.widths = np.concatenate([part.widths for part in parts])
        self.augmentation = augmentation

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, item: tuple[int, int]) -> LineItem:
        index, columns = item
        part = int(np.searchsorted(self.ends, index, side="right"))
        image, label = self.parts[part][index - (self.ends[part - 1] if part else 0)]
        image = self.augmentation(image, columns) if self.augmentation else image
        return image[:, :columns], label, columns


def shard(count: int) -> tuple[int, int, int]:
    """Start, stop and step of what this process takes of `count` items: all, unless several train together."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), count, distributed.get_world_size()
    return 0, count, 1


def writer_shares(labels: Sequence[LineLabel], balance: float) -> NDArray[np.float64]:
    """How often each line (N,) is drawn, 1 in the mean. balance: 0 draws all lines equally often, 1 all writers;
    between, writers in proportion to their number of lines to the power of 1 - balance."""
    _, writer, counts = np.unique([label.writer for label in labels], return_inverse=True, return_counts=True)
    shares = counts[writer] ** -float(balance)
    return shares / shares.mean()


def drawn(
    order: NDArray[np.int64], shares: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """`count` of the numbers in `order` by their shares (N,), each as often as its share says, rounded down or up:
    systematic sampling (Madow and Madow, 1944). Lines of equal shares stand together, so that each group of them gets
    its part of an epoch."""
    order = order[np.argsort(shares[order], kind="stable")]
    ends = np.cumsum(shares[order])
    places = np.searchsorted(ends, (np.arange(count) + rng.random()) * ends[-1] / count, side="right")
    return order[np.minimum(places, len(order) - 1)]


class WidthBatches(Sampler[list[tuple[int, int]]]):
    """Batches of lines with similar widths, in a new random order every epoch.

    Input widths are multiples of 128 and each has one batch size, about `columns` image columns in
    all. A dozen shapes in total: every other shape would make oneDNN and cuDNN prepare a new set of
    kernels, which on a CPU doubles the time of a step.
    per_epoch: lines of each part drawn per epoch (a part with fewer lines gives all of its own).
    balance: of each part, how far its writers are balanced (`writer_shares`); none is, where nothing is given.
    fill: complete the last batch of each width with lines drawn again, so that shapes stay few.

    Processes that train together take turns: each step sees as many different batches as there are processes, of about
    as many columns each, and all take as many steps (where `fill` is set).
    """

    def __init__(
        self,
        lines: MixedLines,
        columns: int,
        margin: int,
        per_epoch: Sequence[int],
        seed: int = 0,
        fill: bool = True,
        balance: Sequence[float] = (),
    ) -> None:
        self.lines, self.columns, self.margin = lines, columns, margin
        self.per_epoch, self.seed, self.fill = per_epoch, seed, fill
        pairs = zip(lines.parts, balance or [0.0] * len(lines.parts), strict=True)
        self.shares = [writer_shares(part.labels, share) if share else None for part, share in pairs]
        self.epoch, self.done = 0, 0
        self._count = len(self._batches(0))

    def start_at(self, epoch: int, done: int = 0) -> None:
        """The epoch whose order `__iter__` gives, and how many of its batches were done before an interruption."""
        self.epoch, self.done = epoch, done

    def __len__(self) -> int:
        """Batches an epoch of this process: constant, as the learning rate schedule counts on it."""
        return len(self._mine())

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        batches = self._batches(self.epoch)
        yield from (batches[number % len(batches)] for number in self._mine()[self.done :])

    def _mine(self) -> range:
        """The numbers of the batches of this process."""
        start, count, step = shard(self._count)
        return range(start, -(-count // step) * step if self.fill else count, step)

    def _batches(self, epoch: int) -> list[list[tuple[int, int]]]:
        rng = np.random.default_rng([self.seed, epoch])
        chosen = []
        for part, start in enumerate(np.r_[0, self.lines.ends[:-1]]):
            order, shares = rng.permutation(len(self.lines.parts[part])), self.shares[part]
            count = self.per_epoch[part]
            chosen.append(start + (order[:count] if shares is None else drawn(order, shares, count, rng)))
        indices = rng.permutation(np.concatenate(chosen))
        # A little more than each line needs: room for the augmentation to stretch it.
        inputs = -(-(self.lines.widths[indices] * 1.04 + 2 * self.margin) // WIDTH_STEP).astype(int) * WIDTH_STEP
        batches: list[list[tuple[int, int]]] = []
        for width in np.unique(inputs):
            members = indices[inputs == width]
            size = max(1, self.columns // int(width))
            if self.fill:
                members = np.resize(members, -(-len(members) // size) * size)
            limit = int(width) - 2 * self.margin
            batches += [[(int(i), limit) for i in members[at : at + size]] for at in range(0, len(members), size)]
        return [batches[number] for number in rng.permutation(len(batches))]


class Collate:
    """Makes a `LineBatch` of items: the padding that reading does, and the numbers of the characters."""

    def __init__(self, alphabet: Alphabet, geometry: LineGeometry) -> None:
        self.alphabet, self.geometry = alphabet, geometry

    def __call__(self, items: list[LineItem]) -> LineBatch:
        """The batch of some items."""
        images = [image for image, _, _ in items]
        width = items[0][2] + 2 * self.geometry.margin
        # A space at both ends gives the network a frame to begin and to end with.
        targets = [self.alphabet.encode(f" {label.text} ") for _, label, _ in items]
        return LineBatch(
            torch.from_numpy(self.geometry.batch(images, width)),
            torch.tensor([self.geometry.frames(image.shape[1]) for image in images]),
            torch.tensor([number for target in targets for number in target]),
            torch.tensor([len(target) for target in targets]),
            [label for _, label, _ in items],
        )
