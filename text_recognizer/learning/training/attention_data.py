"""What attention networks learn from: paragraphs composed as they are asked for, validation paragraphs as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import lightning
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from text_recognizer.learning.data.attention_batches import Composer, ParagraphBatches, PieceSource, collate
from text_recognizer.learning.data.augmentation import LineAugmentation
from text_recognizer.learning.data.batches import shard
from text_recognizer.learning.data.piece_sources import piece_source, whole_paragraphs
from text_recognizer.learning.data.pieces import Piece
from text_recognizer.learning.data.sources import ParagraphSource
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence
from text_recognizer.learning.training.choices import one_thread
from text_recognizer.learning.training.frozen import frozen_pieces, paper_features, weights_hash
from text_recognizer.recognition.tokens import Tokens


@dataclass
class ParagraphData:
    """What a paragraph recogniser learns from and is measured on.

    train: sources; of each as many as `paragraphs` says in proportion to the others (0 counts as 1000). val: sources
    measured after an epoch. scale: pixels of the input, in units of those at the scale of paragraphs. batch_lines:
    lines in a batch. epoch_lines: lines in an epoch. most: lines of a paragraph at most. growth: share of the training
    in which their number grows to that. variants: of each piece that are stored, where the encoder is frozen. workers:
    processes that compose.
    """

    train: list[ParagraphSource] = field(default_factory=lambda: [ParagraphSource("iam-paragraphs-train")])
    val: list[ParagraphSource] = field(default_factory=lambda: [ParagraphSource("iam-paragraphs-val")])
    augmentation: LineAugmentation = field(default_factory=LineAugmentation)
    scale: float = 1.15
    batch_lines: int = 12
    epoch_lines: int = 5000
    most: int = 12
    growth: float = 0.5
    variants: int = 2
    workers: int = 1


class StepOrder(Sampler[int]):
    """The numbers of an epoch's batches."""

    def __init__(self, per_epoch: int) -> None:
        self.per_epoch, self.epoch, self.done = per_epoch, 0, 0

    def start_at(self, epoch: int, done: int = 0) -> None:
        """The epoch whose numbers `__iter__` gives, and how many of its batches were done before an interruption."""
        self.epoch, self.done = epoch, done

    def __len__(self) -> int:
        return len(self._mine())

    def __iter__(self) -> Iterator[int]:
        yield from (self.epoch * self.per_epoch + number for number in self._mine()[self.done :])

    def _mine(self) -> range:
        """The numbers of this process, where several train together: each takes as many."""
        start, count, step = shard(self.per_epoch)
        return range(start, -(-count // step) * step, step)


class WholeParagraphs(Dataset[Piece]):
    """The pieces of a source as they are. parts: the datasets that it is made of."""

    def __init__(self, source: PieceSource) -> None:
        self.source, self.parts = source, [source.dataset]

    def __len__(self) -> int:
        return len(self.source.writers)

    def __getitem__(self, index: int) -> Piece:
        return self.source.piece(index, np.random.default_rng(index))

    def by_size(self, size: int) -> list[list[int]]:
        """Batches of `size` pieces with a similar number of lines."""
        order = np.argsort(self.source.counts, kind="stable").tolist()
        return [order[start : start + size] for start in range(0, len(order), size)]


class ParagraphDataModule(lightning.LightningDataModule):
    """Loaders over the sources of a `ParagraphData`; of a network with a frozen encoder, over its features.

    origin: where the frozen weights come from. Averaging changes their last bits, and the features that are stored must
    be found again by a run that goes on; without it the weights themselves are the key.
    """

    def __init__(
        self,
        data: ParagraphData,
        tokens: Tokens,
        network: ImageToSequence,
        frozen: bool,
        epochs: int,
        seed: int = 0,
        origin: str = "",
    ) -> None:
        super().__init__()
        self.data, self.tokens, self.network, self.frozen, self.origin = data, tokens, network, frozen, origin
        steps = max(1, data.epoch_lines // data.batch_lines)
        self.order = StepOrder(steps)
        self.augmented = [piece_source(source, data.scale, data.augmentation) for source in data.train]
        self.val = [WholeParagraphs(whole_paragraphs(source, data.scale)) for source in data.val]
        self.train = ParagraphBatches(
            [pieces.dataset for pieces in self.augmented],
            [source.paragraphs or 1000 for source in data.train],
            tokens,
            data.batch_lines,
            epochs * steps,
            data.most,
            data.growth,
            seed,
        )

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Compute the features of a frozen encoder, now that it has the weights that it starts with."""
        sources: Sequence[PieceSource] = self.augmented
        paper: NDArray = np.zeros(1, np.uint8)
        if self.frozen:
            origin = self.origin or weights_hash(self.network)
            sources, paper = self._frozen_training(origin), paper_features(self.network)
            for val, source in zip(self.val, self.data.val, strict=True):
                marks = origin, self.data.scale
                val.source = frozen_pieces(self.network, val.source, val.source, source.name, 1, *marks)
        self.train.composers = [Composer(source, paper, self.data.scale) for source in sources]

    def train_dataloader(self) -> DataLoader:
        """Paragraphs composed as they are asked for."""
        workers = self.data.workers
        return DataLoader(
            self.train,
            batch_size=None,
            sampler=self.order,
            num_workers=workers,
            persistent_workers=workers > 0,
            worker_init_fn=one_thread,
        )

    def val_dataloader(self) -> list[DataLoader]:
        """One loader a validation source."""
        together = partial(collate, tokens=self.tokens)
        return [DataLoader(val, batch_sampler=val.by_size(7), collate_fn=together) for val in self.val]

    def _frozen_training(self, origin: str) -> list[PieceSource]:
        variants = self.data.variants
        marks = (origin, self.data.scale, self.data.augmentation if variants > 1 else None)
        plain = [piece_source(source, self.data.scale) for source in self.data.train]
        return [
            frozen_pieces(self.network, one, other, source.name, variants, *marks)
            for source, one, other in zip(self.data.train, plain, self.augmented, strict=True)
        ]
