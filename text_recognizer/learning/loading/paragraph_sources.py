"""Paragraph sources of experiments as pieces: `stacked-iam-train` as its lines, `iam-paragraphs-train` as its forms,
`pages-paragraphs` as its regions."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.alignment.character_positions import (
    Columns,
    even_columns,
    line_places,
    page_paragraph_places,
    paragraph_places,
)
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.paragraphs import ParagraphDataset
from text_recognizer.learning.datasets.sources import LineSource, ParagraphSource, line_dataset, paragraph_dataset
from text_recognizer.learning.loading.augmentation import LineAugmentation
from text_recognizer.learning.loading.paragraph_batches import Piece, PieceSource, form_piece, line_piece


class LinePieces(PieceSource):
    """Normalised lines, a piece each. columns: of their characters, evenly spaced where there are none."""

    def __init__(
        self,
        lines: LineDataset,
        columns: list[Columns] | None,
        scale: float,
        augmentation: LineAugmentation | None = None,
    ) -> None:
        self.dataset = self.lines = lines
        self.columns, self.scale, self.augmentation = columns, scale, augmentation
        self.writers = [label.writer for label in lines.labels]
        self.counts = [1] * len(lines)

    def piece(self, index: int, rng: np.random.Generator) -> Piece:
        """Line `index`."""
        image, label = self.lines[index]
        columns = self.columns[index] if self.columns else even_columns(image.shape[1], label.text)
        return line_piece(image, label.text, columns, self.scale, rng, self.augmentation)


class FormPieces(PieceSource):
    """Whole paragraphs. places: of their characters; without them paragraphs can be measured on, not learned from."""

    def __init__(
        self,
        paragraphs: ParagraphDataset,
        places: list[NDArray[np.float32]] | None,
        scale: float,
        augmentation: LineAugmentation | None = None,
    ) -> None:
        self.dataset = self.paragraphs = paragraphs
        self.places, self.scale, self.augmentation = places, scale, augmentation
        self.writers = [label.writer for label in paragraphs.labels]
        self.counts = [label.text.count("\n") + 1 for label in paragraphs.labels]

    def piece(self, index: int, rng: np.random.Generator) -> Piece:
        """Paragraph `index`."""
        image, label = self.paragraphs[index]
        places = self.places[index] if self.places else np.full((len(label.text), 2), np.nan, np.float32)
        return form_piece(image, label.text, places, self.scale, rng, self.augmentation)


def whole_paragraphs(source: ParagraphSource, scale: float) -> FormPieces:
    """The paragraphs of a source as they are, to be measured on."""
    return FormPieces(paragraph_dataset(source), None, scale)


def piece_source(source: ParagraphSource, scale: float, augmentation: LineAugmentation | None = None) -> PieceSource:
    """The pieces of a source, to be learned from. Raises ValueError for one without known lines."""
    if source.name.startswith("stacked-"):
        name = source.name.removeprefix("stacked-")
        lines = line_dataset(LineSource(name, **{k: v for k, v in asdict(source).items() if k in ("count", "seed")}))
        columns = None if name == "synthetic" else line_places(lines, name)
        return LinePieces(lines, columns, scale, augmentation)
    if source.name.startswith("iam-paragraphs-"):
        paragraphs = paragraph_dataset(source)
        places = paragraph_places(paragraphs, source.name.removeprefix("iam-paragraphs-"))
        return FormPieces(paragraphs, places, scale, augmentation)
    if source.name == "pages-paragraphs":
        paragraphs = paragraph_dataset(source)
        places = page_paragraph_places(paragraphs, source.path, source.split)
        return FormPieces(paragraphs, places, scale, augmentation)
    known = "iam-paragraphs-..., pages-paragraphs and stacked-..."
    raise ValueError(f"{source.name} does not say where its lines are; there are {known}")
