"""Training of line recognisers with CTC: the Lightning module and its data.

The alphabet of a line recogniser that is to be trained: the usual one, and what else its lines hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from text_recognizer.alphabet import CHARACTERS, Alphabet
from text_recognizer.learning import networks
from text_recognizer.learning.datasets.sources import LineSource, lines_within, open_lines
from text_recognizer.learning.loading.augmentation import LineAugmentation
from text_recognizer.learning.loading.line_batches import Collate, LineBatch, MixedLines, WidthBatches
from text_recognizer.learning.networks.crnn import CRNN
from text_recognizer.learning.tasks.base import (
    Frozen,
    NetworkChoice,
    Optimization,
    Sample,
    TextModule,
    Trainer,
    freeze,
    one_thread,
)
from text_recognizer.learning.tasks.warm_start import bundle_alphabet
from text_recognizer.recognition.bundle import find_bundle
from text_recognizer.recognition.text.ctc import greedy, softmax
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


class LineDataModule(lightning.LightningDataModule):
    """Loaders over the sources of a `LineData`."""

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


def ctc_loss(logits: Tensor, batch: LineBatch) -> Tensor:
    """Mean over characters of the CTC loss, in float32. logits: (B, T, K)."""
    log_probabilities = logits.float().log_softmax(-1).transpose(0, 1)  # (T, B, K)
    return nn.functional.ctc_loss(log_probabilities, batch.targets, batch.frames, batch.lengths, zero_infinity=True)


class LineRecognizerModule(TextModule):
    """A network that maps line images to CTC logits, its loss, and its error rates on the validation sources."""

    def __init__(
        self,
        network: NetworkChoice,
        alphabet: Alphabet,
        optimization: Optimization,
        val_names: list[str],
        shortcut_weight: float = 0.1,
        frozen: Frozen | None = None,
    ) -> None:
        super().__init__(optimization, val_names)
        self.network = networks.build(network.name, classes=len(alphabet), **network.fields)
        self.alphabet = alphabet
        self.shortcut_weight = shortcut_weight
        self.frozen = frozen or Frozen()
        freeze(self.network, self.frozen)

    def on_train_epoch_start(self) -> None:
        """Another order of the data; what is frozen stays so after a validation, or a start from other weights."""
        super().on_train_epoch_start()
        freeze(self.network, self.frozen)

    def training_step(self, batch: LineBatch, _: int) -> Tensor:
        """CTC loss, and with a small weight that of the shortcut head where the network has one."""
        if not isinstance(self.network, CRNN) or not self.shortcut_weight:
            return self._logged(ctc_loss(self.network(batch.images), batch), batch)
        logits, shortcut = self.network.forward_with_shortcut(batch.images)
        return self._logged(ctc_loss(logits, batch), batch) + self.shortcut_weight * ctc_loss(shortcut, batch)

    def _logged(self, loss: Tensor, batch: LineBatch) -> Tensor:
        self.log("train/ctc", loss, prog_bar=True, batch_size=len(batch.labels))
        return loss

    def validation_step(self, batch: LineBatch, _: int, dataloader_idx: int = 0) -> None:
        """Greedy readings of a batch."""
        texts = self._texts(batch)
        self.readings[dataloader_idx] += [(text, label.text) for text, label in zip(texts, batch.labels, strict=True)]

    def samples(self, batch: LineBatch, count: int) -> list[Sample]:
        """The first lines of a batch, dark on light, with what the network reads."""
        pictures = (255 * (1 - batch.images[:count, 0])).to("cpu", torch.uint8).numpy()
        texts = self._texts(batch, count)
        return [
            (image, batch.labels[row].text, text.strip())
            for row, (image, text) in enumerate(zip(pictures, texts, strict=True))
        ]

    def _texts(self, batch: LineBatch, count: int | None = None) -> list[str]:
        """Greedy readings of a batch, or of its first lines."""
        logits = self.network(batch.images[:count]).float()
        rows = [softmax(row[:frames].cpu().numpy()) for row, frames in zip(logits, batch.frames[:count], strict=True)]
        return [self.alphabet.decode([found.number for found in greedy(probabilities)]) for probabilities in rows]

    def transfer_batch_to_device(self, batch: LineBatch, device: torch.device, dataloader_idx: int) -> LineBatch:  # noqa: ARG002
        """Images and targets to the device; CTC wants the lengths on the host."""
        batch.images = batch.images.to(device, non_blocking=True)
        batch.targets = batch.targets.to(device, non_blocking=True)
        return batch


def line_alphabet(train: Iterable[LineSource], start_from: str = "", extend: bool = False, more: str = "") -> Alphabet:
    """The characters of the bundle that training starts from, if any, then the usual ones, then `more`, then, where the
    alphabet is to be extended, those of the training labels in the order of their code points."""
    known = "".join(bundle_alphabet(find_bundle(start_from)).characters) if start_from else ""
    characters = dict.fromkeys(known + CHARACTERS + more)
    if extend:
        labels = (label.text for source in train for label in open_lines(source).labels)
        characters |= dict.fromkeys(sorted(set("".join(labels))))
    return Alphabet(characters)


@dataclass
class LineExperiment:
    """Training of a line recogniser. start_from: a bundle (a folder, or a shipped one's name) whose weights the
    network begins with instead of random ones. frozen: layers that do not learn."""

    name: str
    task: str = "lines"
    seed: int = 0
    start_from: str = ""
    network: NetworkChoice = field(default_factory=NetworkChoice)
    data: LineData = field(default_factory=LineData)
    optimization: Optimization = field(default_factory=Optimization)
    trainer: Trainer = field(default_factory=Trainer)
    shortcut_weight: float = 0.1
    frozen: Frozen = field(default_factory=Frozen)
