"""Training of character recognisers with cross entropy: the Lightning module and its data.

From the classes as they were drawn in training to the classes as they occur in text.

A network that learned from balanced classes takes many an s for an S and an o for a 0. Adding to its logits the
logarithm of how often each class occurs over how often it was drawn undoes the balance (Saerens, Latinne and
Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", Neural Computation 2002; the
logit adjustment of Menon et al., ICLR 2021). Wholly undone, rare classes are hardly ever answered.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from text_recognizer.learning import networks
from text_recognizer.learning.distributed import gathered
from text_recognizer.learning.evaluation.characters import accuracies, confusion
from text_recognizer.learning.loading.augmentation import CharacterAugmentation
from text_recognizer.learning.loading.line_batches import shard
from text_recognizer.learning.synthesis.characters import CLASSES, CharacterDataset, CharacterSource, character_dataset
from text_recognizer.learning.tasks.base import (
    NetworkChoice,
    Optimization,
    Sample,
    Trainer,
    one_thread,
    optimizer_and_schedule,
)

_log = logging.getLogger(__name__)

_RAREST = 1e-5  # share of a class that does not occur
_INVENTED = ("fonts", "emnist")  # sources whose classes are as frequent as their makers wanted


@dataclass
class CharacterData:
    """What a character recogniser learns from and is measured on.

    train: sources with the characters drawn from each per epoch. val: sources measured after an epoch. balance: 0
    draws classes as often as they occur, 1 all equally often; between, in proportion to their number to the power
    of 1 - balance. prior: share of that balance that the exported model undoes, so that it answers classes about as
    often as they occur in text. batch: characters a step. workers: processes that load and augment.
    """

    train: list[CharacterSource] = field(default_factory=lambda: [CharacterSource("iam-train")])
    val: list[CharacterSource] = field(default_factory=lambda: [CharacterSource("iam-val")])
    augmentation: CharacterAugmentation = field(default_factory=CharacterAugmentation)
    balance: float = 0.5
    prior: float = 0.5
    batch: int = 256
    workers: int = 1


class MixedCharacters(Dataset[tuple[NDArray[np.uint8], int]]):
    """Several character datasets one after the other; augmented where an augmentation is given."""

    def __init__(self, parts: list[CharacterDataset], augmentation: CharacterAugmentation | None = None) -> None:
        self.parts, self.augmentation = parts, augmentation
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int]:
        part = int(np.searchsorted(self.ends, index, side="right"))
        image, number = self.parts[part][index - (self.ends[part - 1] if part else 0)]
        return (self.augmentation(image) if self.augmentation else image), number


class BalancedOrder(Sampler[int]):
    """Characters drawn with replacement from each part, rare classes more often than they occur.

    per_part: characters drawn from each part per epoch. Another order every epoch, the same for the same seed.
    Processes that train together share it out.
    """

    def __init__(self, parts: list[CharacterDataset], per_part: list[int], balance: float, seed: int = 0) -> None:
        self.per_part, self.seed, self.epoch = per_part, seed, 0
        self.starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
        self.shares = [_shares(part.labels, balance) for part in parts]

    def start_at(self, epoch: int) -> None:
        """The epoch whose order `__iter__` gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(range(*shard(sum(self.per_part))))

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        drawn = [
            start + rng.choice(len(shares), count, p=shares)
            for start, shares, count in zip(self.starts, self.shares, self.per_part, strict=True)
        ]
        start, stop, step = shard(sum(self.per_part))
        yield from rng.permutation(np.concatenate(drawn)).tolist()[start:stop:step]


def _shares(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """How likely each item is drawn."""
    weights = class_shares(labels, balance)[labels] / np.bincount(labels)[labels]
    return weights / weights.sum()


def collate(items: list[tuple[NDArray[np.uint8], int]]) -> dict[str, Tensor]:
    """image (B, 1, H, W) float32 in [0, 1], number (B,) int64."""
    images = np.stack([image for image, _ in items])[:, None].astype(np.float32) / 255
    return {"image": torch.from_numpy(images), "number": torch.tensor([number for _, number in items])}


class CharacterDataModule(lightning.LightningDataModule):
    """Loaders over the sources of a `CharacterData`."""

    def __init__(self, data: CharacterData, seed: int = 0) -> None:
        super().__init__()
        self.data = data
        parts = _available(data)
        self.train = MixedCharacters(parts, data.augmentation)
        self.val = [MixedCharacters([character_dataset(source)]) for source in data.val]
        per_part = [source.characters or len(part) for source, part in zip(data.train, parts, strict=True)]
        self.order = BalancedOrder(parts, per_part, data.balance, seed)

    def train_dataloader(self) -> DataLoader:
        """Augmented characters, classes balanced."""
        return self._loader(self.train, self.order)

    def val_dataloader(self) -> list[DataLoader]:
        """One loader a validation source."""
        return [self._loader(val, None) for val in self.val]

    def _loader(self, characters: MixedCharacters, order: BalancedOrder | None) -> DataLoader:
        return DataLoader(
            characters,
            batch_size=self.data.batch,
            sampler=order or range(*shard(len(characters))),
            num_workers=self.data.workers,
            collate_fn=collate,
            persistent_workers=self.data.workers > 0,
            worker_init_fn=one_thread,
        )


def _available(data: CharacterData) -> list[CharacterDataset]:
    """The training sources that are there. Optional ones that are not are named and taken out of the experiment,
    so that what the run and its bundle say they learned from is true."""
    sources, parts = [], []
    for source in data.train:
        try:
            parts.append(character_dataset(source))
        except (OSError, ModuleNotFoundError) as error:
            if not source.optional:
                raise
            _log.warning("without %s: %s", source.name, error)
            continue
        sources.append(source)
    if not parts:
        raise ValueError("no source of characters is there to learn from")
    data.train = sources
    return parts


class CharacterRecognizerModule(lightning.LightningModule):
    """A network that maps character images to logits, its loss, and its accuracy on the validation sources."""

    def __init__(self, network: NetworkChoice, optimization: Optimization, val_names: list[str]) -> None:
        super().__init__()
        self.network = networks.build(network.name, classes=len(CLASSES), **network.fields)
        self.optimization, self.val_names = optimization, val_names
        self.confusions: list[NDArray[np.int64]] = []

    def on_train_epoch_start(self) -> None:
        """Another order of the characters every epoch, unless a few batches are to be learned by heart."""
        if not getattr(self.trainer, "overfit_batches", 0):
            self.trainer.datamodule.order.start_at(self.current_epoch)  # type: ignore[attr-defined]

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Cross entropy with smoothed labels (Szegedy et al., 2016): a few cuts are labelled wrongly."""
        logits = self.network(batch["image"]).float()
        loss = nn.functional.cross_entropy(logits, batch["number"], label_smoothing=0.05)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(logits))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Forget what the last validation counted."""
        self.confusions = [np.zeros((len(CLASSES), len(CLASSES)), np.int64) for _ in self.val_names]

    def validation_step(self, batch: dict[str, Tensor], _: int, dataloader_idx: int = 0) -> None:
        """Count what was taken for what."""
        answers = self.network(batch["image"]).argmax(dim=1).cpu().numpy()
        self.confusions[dataloader_idx] += confusion(batch["number"].cpu().numpy(), answers)

    def samples(self, batch: dict[str, Tensor], count: int) -> list[Sample]:
        """The first characters of a batch with what the network takes them for."""
        images = batch["image"][:count]
        answers = self.network(images).argmax(dim=1).tolist()
        pictures = (255 * (1 - images[:, 0])).to("cpu", torch.uint8).numpy()
        labels = batch["number"][:count].tolist()
        return [(p, CLASSES[n], CLASSES[a]) for p, n, a in zip(pictures, labels, answers, strict=True)]

    def on_validation_epoch_end(self) -> None:
        """Log the accuracies of each validation source."""
        for name, confusions in zip(self.val_names, self.confusions, strict=True):
            counts = np.sum(gathered([confusions]), axis=0)
            if counts.sum():
                for measure, value in accuracies(counts).items():
                    self.log(f"{name}/{measure.replace(' ', '_')}", value, prog_bar=measure == "accuracy")

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine."""
        return optimizer_and_schedule(self.network, self.optimization, int(self.trainer.estimated_stepping_batches))


def class_shares(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """How often each class (62,) is drawn: by its number to the power of 1 - balance, 0 where it does not occur."""
    counts = np.bincount(labels, minlength=len(CLASSES)).astype(np.float64)
    shares = np.where(counts > 0, np.maximum(counts, 1) ** (1 - balance), 0)
    return shares / shares.sum()


def prior_shift(data: dict[str, Any]) -> NDArray[np.float32]:
    """What to add to the logits (62,) of a network that learned from `data`, a `CharacterData` as a dict.

    Text is what the sources are that were cut out of lines; without any, every class is taken to occur equally often.
    """
    drawn, occurring = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    for fields in data["train"]:
        source = CharacterSource(**fields)
        dataset = character_dataset(source)
        count = source.characters or len(dataset)
        drawn += count * class_shares(dataset.labels, data["balance"])
        if not source.name.startswith(_INVENTED):
            occurring += count * class_shares(dataset.labels, 0)
    if not occurring.any():
        occurring += 1
    ratio = np.maximum(occurring / occurring.sum(), _RAREST) / np.maximum(drawn / drawn.sum(), _RAREST)
    return (data["prior"] * np.log(ratio)).astype(np.float32)


def shift_logits(network: nn.Module, shift: NDArray[np.float32]) -> None:
    """Make a network answer with the shift (K,) added to its logits: it goes into the biases of the last layer."""
    head = network.head
    with torch.no_grad():
        head.bias += torch.from_numpy(shift)  # type: ignore[union-attr, operator]


@dataclass
class CharacterExperiment:
    """Training of a recogniser of single characters."""

    name: str
    task: str = "characters"
    seed: int = 0
    network: NetworkChoice = field(default_factory=lambda: NetworkChoice("lenet"))
    data: CharacterData = field(default_factory=CharacterData)
    optimization: Optimization = field(default_factory=Optimization)
    trainer: Trainer = field(default_factory=Trainer)
