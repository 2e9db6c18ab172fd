"""What attention networks for single lines learn from: the batches of `lines.py`, with the place of every character."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.alignment.character_positions import Columns, line_places, with_newline
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel
from text_recognizer.learning.loading.augmentation import LineAugmentation
from text_recognizer.learning.loading.line_batches import Collate, LineItem, MixedLines
from text_recognizer.learning.loading.paragraph_batches import AttentionBatch, token_arrays
from text_recognizer.learning.tasks.attention import Teaching
from text_recognizer.learning.tasks.base import NetworkChoice, Optimization, Trainer
from text_recognizer.learning.tasks.lines import LineData, LineDataModule
from text_recognizer.recognition.text.attention_networks import Tokens
from text_recognizer.recognition.text.line_geometry import LineGeometry


class PlacedLines(MixedLines):
    """Lines as `MixedLines` gives them, with the places of their characters. columns: of each part's lines."""

    def __init__(
        self, parts: Sequence[LineDataset], columns: list[list[Columns]], augmentation: LineAugmentation | None
    ) -> None:
        super().__init__(parts, augmentation)
        self._columns = [own for part in columns for own in part]

    def __getitem__(self, item: tuple[int, int]) -> LineItem:
        image, label, columns = super().__getitem__(item)
        # What the augmentation stretches or leans, it stretches evenly, up to a few columns.
        stretch = image.shape[1] / self.widths[item[0]]
        return image, PlacedLabel.of(label, self._columns[item[0]] * np.float32(stretch)), columns


class PlacedLabel(LineLabel):
    """A label with the columns of the characters in its image."""

    columns: Columns

    @classmethod
    def of(cls, label: LineLabel, columns: Columns) -> PlacedLabel:
        """`label` with columns."""
        placed = cls(label.identifier, label.text, label.writer, label.source)
        object.__setattr__(placed, "columns", columns)
        return placed


class CollateForAttention(Collate):
    """Makes an `AttentionBatch` of lines; without columns their characters stand nowhere."""

    def __init__(self, alphabet: Alphabet, geometry: LineGeometry) -> None:
        super().__init__(alphabet, geometry)
        self.tokens = Tokens(alphabet)

    def __call__(self, items: list[LineItem]) -> AttentionBatch:  # type: ignore[override]
        """The batch of some items."""
        images, labels = [image for image, _, _ in items], [label for _, label, _ in items]
        maps = self.geometry.batch(images, items[0][2] + 2 * self.geometry.margin)
        sizes = [[self.geometry.height, image.shape[1] + 2 * self.geometry.margin] for image in images]
        places = [self._places(label) for label in labels]
        inputs, targets, told = token_arrays([self.tokens.encode(label.text) for label in labels], places)
        texts = [label.text for label in labels]
        return AttentionBatch(torch.from_numpy(maps), _whole(sizes), inputs, targets, told, texts, featured=False)

    def _places(self, label: LineLabel) -> np.ndarray:
        if not isinstance(label, PlacedLabel):
            return np.full((len(label.text) + 1, 2), np.nan, np.float32)
        return with_newline(0.0, label.columns + self.geometry.margin)


class AttentionLineDataModule(LineDataModule):
    """Loaders over the sources of a `LineData`, for attention networks."""

    def __init__(self, data: LineData, alphabet: Alphabet, geometry: LineGeometry, seed: int = 0) -> None:
        super().__init__(data, alphabet, geometry, seed)
        self.collate = CollateForAttention(alphabet, geometry)
        columns = [line_places(part, source.name) for part, source in zip(self.train.parts, data.train, strict=True)]
        self.train = PlacedLines(self.train.parts, columns, data.augmentation)


def _whole(values: list[list[int]]) -> Tensor:
    return torch.tensor(values, dtype=torch.int64)


@dataclass
class AttentionLineExperiment:
    """Training of a line recogniser that reads by attention; fields as of `ParagraphExperiment`."""

    name: str
    task: str = "attention-lines"
    seed: int = 0
    start_from: str = ""
    freeze_encoder: bool = False
    network: NetworkChoice = field(default_factory=lambda: NetworkChoice("line-cnn-transformer"))
    data: LineData = field(default_factory=LineData)
    teaching: Teaching = field(default_factory=Teaching)
    optimization: Optimization = field(default_factory=Optimization)
    trainer: Trainer = field(default_factory=Trainer)
