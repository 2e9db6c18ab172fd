"""Paragraphs, read by attention: their data, composed as they are asked for, and the task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.paragraphs import LINE_HEIGHT
from text_recognizer.learning.datasets.sources import ParagraphSource
from text_recognizer.learning.evaluation.error_rates import PARAGRAPH_SETS, paragraph_scores, print_paragraphs
from text_recognizer.learning.loading.augmentation import LineAugmentation
from text_recognizer.learning.loading.feature_cache import frozen_pieces, paper_features, weights_hash
from text_recognizer.learning.loading.paragraph_batches import Composer, ParagraphBatches, PieceSource, collate
from text_recognizer.learning.loading.paragraph_sources import (
    StepOrder,
    WholeParagraphs,
    piece_source,
    whole_paragraphs,
)
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence
from text_recognizer.learning.tasks.attention import AttentionModule, Teaching
from text_recognizer.learning.tasks.attention_task import AttentionTask
from text_recognizer.learning.tasks.base import DataModule, NetworkChoice, Optimization, Trainer, one_thread
from text_recognizer.learning.tasks.task import Described, EvaluationOptions, register
from text_recognizer.paths import runs_dir
from text_recognizer.recognition.bundle import file_hash, find_bundle
from text_recognizer.recognition.layout.detector import OWN_DETECTOR, LineDetector
from text_recognizer.recognition.text.attention_networks import Tokens
from text_recognizer.recognition.text.paragraph_recognizer import ParagraphTextRecognizer


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


class ParagraphDataModule(DataModule):
    """Loaders over the sources of a `ParagraphData`; of a network with a frozen encoder, over its features.

    origin: where the frozen weights come from. Averaging changes their last bits, and the features that are stored must
    be found again by a run that goes on; without it the weights themselves are the key.
    """

    order: StepOrder

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

    def without_augmentation(self) -> None:
        """Nothing to do: a batch is composed once to be learned by heart, variants of its pieces included."""

    def _frozen_training(self, origin: str) -> list[PieceSource]:
        variants = self.data.variants
        marks = (origin, self.data.scale, self.data.augmentation if variants > 1 else None)
        plain = [piece_source(source, self.data.scale) for source in self.data.train]
        return [
            frozen_pieces(self.network, one, other, source.name, variants, *marks)
            for source, one, other in zip(self.data.train, plain, self.augmented, strict=True)
        ]


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


@register("paragraphs")
class ParagraphTask(AttentionTask[ParagraphExperiment]):
    """Reads a paragraph without finding its lines first."""

    experiment = ParagraphExperiment
    evaluation_sets = PARAGRAPH_SETS
    kind = "paragraphs by attention"

    def data(self, experiment: ParagraphExperiment, module: AttentionModule) -> ParagraphDataModule:
        """Composed paragraphs, of a frozen encoder its features."""
        return ParagraphDataModule(
            experiment.data,
            module.tokens,
            module.network,
            experiment.freeze_encoder,
            experiment.trainer.epochs,
            experiment.seed,
            _origin(experiment.start_from) if experiment.freeze_encoder else "",
        )

    def settings(self, network: nn.Module, experiment: Described, alphabet: Alphabet) -> dict[str, Any]:
        """Scale of the page, and how much is read at most."""
        more = {"longest": 1500, "scale": experiment["data"]["scale"], "line_height": LINE_HEIGHT}
        return super().settings(network, experiment, alphabet) | more

    def measured(self, bundle: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """CER and WER of paragraphs."""
        return paragraph_scores(bundle), {}

    def print_scores(self, bundle: str, options: EvaluationOptions) -> None:
        """CER and WER of paragraphs."""
        detector = "detector" if options.detector == OWN_DETECTOR else options.detector
        recognizer = ParagraphTextRecognizer(bundle, LineDetector(detector))
        print_paragraphs(recognizer, list(options.sources or PARAGRAPH_SETS), options.worst)

    def purpose(self, network: str) -> str:
        """What it reads."""
        return f"Reads one paragraph of Latin handwriting without finding its lines first: {network}."

    def limits(self, sources: Sequence[str]) -> str:  # noqa: ARG002
        """Columns, and lines that are lost."""
        return (
            "One column of English handwriting of today, of two to a dozen lines, upright, is what it knows. It may "
            "write a likely word where another one stands, lose its way, and leave a line out or read one twice. Boxes "
            "of words are where its attention was. Finding the lines and reading each of them makes fewer errors."
        )


def _origin(start: str) -> str:
    """Says which weights a run begins with; nothing for random ones."""
    if not start:
        return ""
    checkpoint = runs_dir() / start / "last.ckpt"
    return fingerprint(checkpoint) if checkpoint.is_file() else file_hash(find_bundle(start) / "model.onnx")
