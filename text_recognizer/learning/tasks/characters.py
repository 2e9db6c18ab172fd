"""Single characters, learned with cross entropy: the Lightning module, its data, and the task.

From the classes as they were drawn in training to the classes as they occur in text.

A network that learned from balanced classes takes many an s for an S and an o for a 0. Adding to its logits the
logarithm of how often each class occurs over how often it was drawn undoes the balance (Saerens, Latinne and
Decaestecker, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", Neural Computation 2002; the
logit adjustment of Menon et al., ICLR 2021). Wholly undone, rare classes are hardly ever answered.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from text_recognizer.alphabet import Alphabet
from text_recognizer.images import CHARACTER_SIZE, CHARACTER_VERSION
from text_recognizer.learning import networks
from text_recognizer.learning.distributed import gathered
from text_recognizer.learning.evaluation.characters import accuracies, confusion
from text_recognizer.learning.evaluation.measures import ACCURACY, CLASS_MEAN, IGNORING_CASE
from text_recognizer.learning.evaluation.report import CHARACTER_SETS, character_scores, print_characters
from text_recognizer.learning.loading.augmentation import CharacterAugmentation
from text_recognizer.learning.loading.character_batches import BalancedOrder, MixedCharacters, class_shares, collate
from text_recognizer.learning.loading.line_batches import shard
from text_recognizer.learning.synthesis.characters import CLASSES, CharacterSource, character_dataset
from text_recognizer.learning.tasks.base import (
    DataModule,
    NetworkChoice,
    Optimization,
    Sample,
    Trainer,
    one_thread,
    optimizer_and_schedule,
)
from text_recognizer.learning.tasks.task import Described, EvaluationOptions, Task, register
from text_recognizer.recognition.text.character_recognizer import CharacterRecognizer

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


class CharacterDataModule(DataModule):
    """Loaders over the sources of a `CharacterData`."""

    order: BalancedOrder

    def __init__(self, data: CharacterData, seed: int = 0) -> None:
        super().__init__()
        self.data = data
        parts = [character_dataset(source) for source in data.train]
        self.train = MixedCharacters(parts, data.augmentation)
        self.val = [MixedCharacters([character_dataset(source)]) for source in data.val]
        per_part = [source.characters or len(part) for source, part in zip(data.train, parts, strict=True)]
        self.order = BalancedOrder(parts, per_part, data.balance, seed)

    def start_at(self, epoch: int, batches: int, processes: int = 1) -> None:
        """Go on in an epoch of which so many batches are done: its order is one of characters."""
        share = -(-len(self.order) // (self.data.batch * processes))
        self.order.start_at(epoch, batches % share * self.data.batch)

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


class CharacterRecognizerModule(lightning.LightningModule):
    """A network that maps character images to logits, its loss, and its accuracy on the validation sources."""

    def __init__(self, network: NetworkChoice, optimization: Optimization, val_names: list[str]) -> None:
        super().__init__()
        self.network = networks.build(network.name, classes=len(CLASSES), **network.fields)
        self.optimization, self.val_names = optimization, val_names
        self.confusions: list[NDArray[np.int64]] = []

    def on_train_epoch_start(self) -> None:
        """Another order of the characters every epoch."""
        self.trainer.datamodule.begin_epoch(self.current_epoch)  # type: ignore[attr-defined]

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


@register("characters")
class CharacterTask(Task[CharacterExperiment]):
    """Reads a single character."""

    experiment = CharacterExperiment
    measures = (ACCURACY, CLASS_MEAN, IGNORING_CASE)
    overfit_loss = 0.5  # with smoothed labels, at best 0.4
    normalization = CHARACTER_VERSION
    evaluation_sets = CHARACTER_SETS

    def resolved(self, experiment: CharacterExperiment) -> CharacterExperiment:
        """Without the optional sources that are not there, so that what a run says it learned from is true."""
        sources = [source for source in experiment.data.train if not source.optional or _is_there(source)]
        if not sources:
            raise ValueError("no source of characters is there to learn from")
        return replace(experiment, data=replace(experiment.data, train=sources))

    def build(
        self,
        experiment: CharacterExperiment,
        alphabet: Alphabet | None = None,  # noqa: ARG002
    ) -> tuple[CharacterRecognizerModule, CharacterDataModule]:
        """Module and data."""
        names = self.validation_sets(experiment)
        module = CharacterRecognizerModule(experiment.network, experiment.optimization, names)
        return module, CharacterDataModule(experiment.data, experiment.seed)

    def alphabet(self, module: lightning.LightningModule) -> str:  # noqa: ARG002
        """The classes."""
        return CLASSES

    def classes(self, alphabet: Alphabet) -> int:
        """The characters, without a blank."""
        return len(alphabet.characters)

    def network(self, experiment: Described, weights: Mapping[str, Tensor], alphabet: Alphabet) -> nn.Module:
        """With the classes as frequent as `data.prior` asks for."""
        network = super().network(experiment, weights, alphabet)
        shift_logits(network, prior_shift(experiment["data"]))
        return network

    def settings(self, network: nn.Module, experiment: Described, alphabet: Alphabet) -> dict[str, Any]:  # noqa: ARG002
        """Classes and the size of the image."""
        return {"alphabet": "".join(alphabet.characters), "size": CHARACTER_SIZE, "temperature": 1.0}

    def measured(self, bundle: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """Accuracies."""
        return character_scores(bundle), {}

    def print_scores(self, bundle: str, options: EvaluationOptions) -> None:
        """Accuracies and what is confused."""
        print_characters(CharacterRecognizer(bundle), list(options.sources or CHARACTER_SETS), options.confusion)

    def purpose(self, network: str) -> str:  # noqa: ARG002
        """What it reads."""
        return "Reads one character from its image: a digit, a capital or a small letter of the English alphabet."

    def limits(self, sources: Sequence[str]) -> str:  # noqa: ARG002
        """Classes that look alike."""
        return (
            "It always answers with one of its 62 classes: signs and accented letters it does not know. The size of a "
            "character is normalised away, so c and C, o, O and 0, s and S, l, I and 1 are easily confused. It answers "
            "classes about as often as they occur in the text that it learned from: what may be a small letter, a "
            "capital or a digit is read as a small letter, so capitals and digits are read far worse than small "
            "letters (the class mean counts them all alike). The characters that it was measured on were cut out of "
            "lines by a line recogniser, and only those that it was sure of, so that others may be harder."
        )


def _is_there(source: CharacterSource) -> bool:
    """Whether a source can be loaded; says so where it cannot."""
    try:
        character_dataset(source)
    except (OSError, ModuleNotFoundError) as error:
        _log.warning("without %s: %s", source.name, error)
        return False
    return True
