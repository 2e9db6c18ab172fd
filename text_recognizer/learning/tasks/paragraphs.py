"""Training of paragraph recognisers: their data, composed as it is asked for, and the weights that they start from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.sources import ParagraphSource
from text_recognizer.learning.loading.augmentation import LineAugmentation
from text_recognizer.learning.loading.feature_cache import frozen_pieces, paper_features, weights_hash
from text_recognizer.learning.loading.line_batches import shard
from text_recognizer.learning.loading.paragraph_batches import Composer, ParagraphBatches, Piece, PieceSource, collate
from text_recognizer.learning.loading.paragraph_sources import piece_source, whole_paragraphs
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence
from text_recognizer.learning.tasks.attention import AttentionModule, Teaching
from text_recognizer.learning.tasks.attention_lines import AttentionLineDataModule, AttentionLineExperiment
from text_recognizer.learning.tasks.base import NetworkChoice, Optimization, Trainer, one_thread
from text_recognizer.learning.tasks.lines import LineData
from text_recognizer.learning.tasks.warm_start import calibrate, load_bundle_cnn
from text_recognizer.learning.tasks.weights import adopt_shape
from text_recognizer.paths import runs_dir
from text_recognizer.recognition.bundle import file_hash, find_bundle
from text_recognizer.recognition.text.attention_networks import Tokens
from text_recognizer.recognition.text.line_geometry import LineGeometry

_CALIBRATION_BATCHES = 10


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


def build_attention(
    experiment: ParagraphExperiment | AttentionLineExperiment,
) -> tuple[AttentionModule, ParagraphDataModule | AttentionLineDataModule]:
    """The Lightning module and data module of an experiment on paragraphs or on lines."""
    start = experiment.start_from
    if start and not (runs_dir() / start / "last.ckpt").is_file():
        adopt_shape(experiment.network, find_bundle(start))
    module = AttentionModule(
        experiment.network,
        Alphabet(),
        experiment.optimization,
        experiment.teaching,
        [source.name for source in experiment.data.val],
        experiment.freeze_encoder,
    )
    if isinstance(experiment.data, LineData):
        geometry = LineGeometry(columns_per_frame=module.network.cell[1])
        return module, AttentionLineDataModule(experiment.data, module.alphabet, geometry, experiment.seed)
    data = ParagraphDataModule(
        experiment.data,
        module.tokens,
        module.network,
        experiment.freeze_encoder,
        experiment.trainer.epochs,
        experiment.seed,
        _origin(experiment.start_from) if experiment.freeze_encoder else "",
    )
    return module, data


def _origin(start: str) -> str:
    """Says which weights a run begins with; nothing for random ones."""
    if not start:
        return ""
    checkpoint = runs_dir() / start / "last.ckpt"
    return fingerprint(checkpoint) if checkpoint.is_file() else file_hash(find_bundle(start) / "model.onnx")


def begin_with(start: str, module: lightning.LightningModule, data: lightning.LightningDataModule) -> None:
    """Begin with a run's averaged weights (all of them, or its CNN if its network is another), or with a bundle's CNN.

    Where a bundle's CNN goes on learning, its batch normalisation is measured on this run's own images first. Raises
    ValueError where the weights are of another shape.
    """
    assert isinstance(module, AttentionModule)
    assert isinstance(data, ParagraphDataModule | AttentionLineDataModule)
    checkpoint = runs_dir() / start / "last.ckpt"
    if checkpoint.is_file():
        _load_run(checkpoint, module)
        return
    cnn = cast(nn.Module, module.network.cnn)
    load_bundle_cnn(cnn, find_bundle(start))
    if not module.freeze_encoder:
        data.setup("fit")
        batches = itertools.islice(data.train_dataloader(), _CALIBRATION_BATCHES)
        calibrate(cnn, (batch.maps for batch in batches))


def _load_run(checkpoint: Path, module: AttentionModule) -> None:
    """The averaged weights of a run: all, or those of the CNN. Raises ValueError where shapes differ."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"]
    try:
        if state.keys() == module.state_dict().keys():
            module.load_state_dict(state)
        else:
            prefix = "network.cnn."
            cnn = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
            cast(nn.Module, module.network.cnn).load_state_dict(cnn)
    except RuntimeError as error:
        raise ValueError(f"{checkpoint} is of another network than the experiment's: {error}") from error


@dataclass
class ParagraphExperiment:
    """Training of a recogniser of whole paragraphs. start_from: a line bundle whose CNN the encoder begins with, or a
    run whose whole network is trained on. freeze_encoder: train the decoder only."""

    name: str
    task: str = "paragraphs"
    seed: int = 0
    start_from: str = ""
    freeze_encoder: bool = False
    network: NetworkChoice = field(default_factory=lambda: NetworkChoice("resnet-transformer"))
    data: ParagraphData = field(default_factory=ParagraphData)
    teaching: Teaching = field(default_factory=Teaching)
    optimization: Optimization = field(default_factory=Optimization)
    trainer: Trainer = field(default_factory=Trainer)
