"""What the tasks that read by attention have in common: lines and paragraphs differ in their data only."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import lightning
import torch
from torch import Tensor, nn

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.evaluation.measures import CER, WER
from text_recognizer.learning.loading.paragraph_batches import AttentionBatch
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence
from text_recognizer.learning.tasks.attention import AttentionModule, Teaching
from text_recognizer.learning.tasks.base import DataModule
from text_recognizer.learning.tasks.task import Described, Experiment, Task, as_begun, begun_alphabet
from text_recognizer.learning.tasks.warm_start import calibrate, load_bundle_cnn
from text_recognizer.learning.tasks.weights import adopted_shape
from text_recognizer.paths import runs_dir
from text_recognizer.recognition.bundle import Bundle, find_bundle
from text_recognizer.recognition.text.attention_networks import Tokens, attention_ensemble_settings

_CALIBRATION_BATCHES = 10


class AttentionExperiment(Experiment, Protocol):
    """start_from: a line bundle whose CNN the encoder begins with, or a run whose whole network is trained on.
    freeze_encoder: train the decoder only."""

    start_from: str
    freeze_encoder: bool
    teaching: Teaching


AttentionT = TypeVar("AttentionT", bound=AttentionExperiment)


class AttentionTask(Task[AttentionT]):
    """Reads character by character; a subclass says from what."""

    measures = (CER, WER)
    overfit_loss = 0.2
    one_process = True

    @abstractmethod
    def data(self, experiment: AttentionT, module: AttentionModule) -> DataModule:
        """The data of an experiment, for a network."""

    def resolved(self, experiment: AttentionT) -> AttentionT:
        """With the shape of the bundle that it begins with."""
        start = experiment.start_from
        if not start or _checkpoint(start).is_file():
            return experiment
        network = adopted_shape(experiment.network, find_bundle(start))
        return replace(experiment, network=network)  # type: ignore[type-var]

    def resumed(self, experiment: AttentionT, begun: Described) -> tuple[AttentionT, Alphabet]:
        """With the alphabet and the shape of the network that it began with."""
        network = as_begun(experiment.network, begun)
        return replace(experiment, network=network), begun_alphabet(begun)  # type: ignore[type-var]

    def build(self, experiment: AttentionT, alphabet: Alphabet | None = None) -> tuple[AttentionModule, DataModule]:
        """Module and data."""
        module = AttentionModule(
            experiment.network,
            alphabet or Alphabet(),
            experiment.optimization,
            experiment.teaching,
            self.validation_sets(experiment),
            experiment.freeze_encoder,
        )
        return module, self.data(experiment, module)

    def begin(self, experiment: AttentionT, module: lightning.LightningModule, data: DataModule) -> None:
        """Begin with the weights of a run or a bundle."""
        if experiment.start_from:
            begin_with(experiment.start_from, cast(AttentionModule, module), data)

    def learn_by_heart(self, module: lightning.LightningModule, data: DataModule) -> None:
        """Without what the decoder is taught against mistakes, too."""
        super().learn_by_heart(module, data)
        cast(AttentionModule, module).learn_by_heart()

    def judged_loss(self, module: lightning.LightningModule, loss: Tensor) -> Tensor:  # noqa: ARG002
        """That of what it reads alone."""
        return cast(AttentionModule, module).text_loss

    def classes(self, alphabet: Alphabet) -> int:
        """The characters, the end and newline."""
        return len(Tokens(alphabet))

    def settings(self, network: nn.Module, experiment: Described, alphabet: Alphabet) -> dict[str, Any]:
        """Alphabet and cells. Raises ValueError where the experiment's network is none of attention."""
        if not isinstance(network, ImageToSequence):
            raise ValueError(f"{experiment['network']['name']} is no attention network")
        return {"alphabet": "".join(alphabet.characters), "cell": network.cell, "temperature": 1.0}

    def ensemble_settings(
        self, members: Sequence[Bundle], names: Sequence[str], weights: Sequence[float]
    ) -> dict[str, Any]:
        """Of the mean of every step."""
        return attention_ensemble_settings(members, names, weights)


def _checkpoint(run: str) -> Path:
    return runs_dir() / run / "last.ckpt"


def begin_with(start: str, module: AttentionModule, data: DataModule) -> None:
    """Begin with a run's averaged weights (all of them, or its CNN if its network is another), or with a bundle's CNN.

    Where a bundle's CNN goes on learning, its batch normalisation is measured on this run's own images first. Raises
    ValueError where the weights are of another shape.
    """
    checkpoint = _checkpoint(start)
    if checkpoint.is_file():
        _load_run(checkpoint, module)
        return
    cnn = cast(nn.Module, module.network.cnn)
    load_bundle_cnn(cnn, find_bundle(start))
    if not module.freeze_encoder:
        data.setup("fit")
        batches: Iterable[AttentionBatch] = itertools.islice(data.train_dataloader(), _CALIBRATION_BATCHES)
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
