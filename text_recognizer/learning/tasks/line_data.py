"""Data of line recognisers, for CTC and attention: sources, loaders, and the alphabet of what is to be learned.

The alphabet is the usual one, and what else the lines hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch.utils.data import DataLoader

from text_recognizer.alphabet import CHARACTERS, Alphabet
from text_recognizer.learning.datasets.sources import LineSource, lines_within, open_lines
from text_recognizer.learning.loading.augmentation import LineAugmentation
from text_recognizer.learning.loading.line_batches import Collate, MixedLines, WidthBatches
from text_recognizer.learning.tasks.base import DataModule, one_thread
from text_recognizer.learning.tasks.warm_start import bundle_alphabet
from text_recognizer.recognition.bundle import find_bundle
from text_recognizer.recognition.text.line_geometry import LineGeometry


@dataclass
class LineData:
    """What a line recogniser learns from and is measured on.

    train: sources with the lines drawn from each per epoch. val: sources measured after an epoch.
    columns: image columns in a batch (16 lines of 900). workers: processes that load and augment.
    extend_alphabet: learn the characters of the training labels that the alphabet lacks, too. more_characters: learn
    these, too.
    """

    train: list[LineSource] = field(default_factory=lambda: [LineSource("iam-train")])
    val: list[LineSource] = field(default_factory=lambda: [LineSource("iam-val")])
    augmentation: LineAugmentation = field(default_factory=LineAugmentation)
    columns: int = 14400
    workers: int = 1
    extend_alphabet: bool = False
    more_characters: str = ""


class LineDataModule(DataModule):
    """Loaders over the sources of a `LineData`."""

    order: WidthBatches

    def __init__(self, data: LineData, alphabet: Alphabet, geometry: LineGeometry, seed: int = 0) -> None:
        super().__init__()
        self.data = data
        self.collate = Collate(alphabet, geometry)
        train, val = ([lines_within(source, alphabet) for source in sources] for sources in (data.train, data.val))
        self.train = MixedLines(train, data.augmentation)
        self.val = [MixedLines([part]) for part in val]
        per_epoch = [source.lines or len(part) for source, part in zip(data.train, self.train.parts, strict=True)]
        balance = [source.balance for source in data.train]
        self.order = WidthBatches(self.train, data.columns, geometry.margin, per_epoch, seed, balance=balance)

    def train_dataloader(self) -> DataLoader:
        """Augmented lines in batches of similar width."""
        return self._loader(self.train, self.order)

    def val_dataloader(self) -> list[DataLoader]:
        """One loader a validation source."""
        columns, margin = self.data.columns, self.collate.geometry.margin
        return [self._loader(x, WidthBatches(x, columns, margin, [len(x)], fill=False)) for x in self.val]

    def _loader(self, lines: MixedLines, batches: WidthBatches) -> DataLoader:
        return DataLoader(
            lines,
            batch_sampler=batches,
            num_workers=self.data.workers,
            collate_fn=self.collate,
            persistent_workers=self.data.workers > 0,
            worker_init_fn=one_thread,
        )


def line_alphabet(train: Iterable[LineSource], start_from: str = "", extend: bool = False, more: str = "") -> Alphabet:
    """The characters of the bundle that training starts from, if any, then the usual ones, then `more`, then, where the
    alphabet is to be extended, those of the training labels in the order of their code points."""
    known = bundle_alphabet(find_bundle(start_from)) if start_from else Alphabet()
    alphabet = known.extended(CHARACTERS + more)
    if not extend:
        return alphabet
    labels = (label.text for source in train for label in open_lines(source).labels)
    return alphabet.extended(sorted(set("".join(labels))))
