"""Lines, read with CTC: the Lightning module and the task."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from text_recognizer.alphabet import Alphabet
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning import networks
from text_recognizer.learning.datasets.exclusions import warn_if_few
from text_recognizer.learning.datasets.sources import LineSource, open_lines
from text_recognizer.learning.evaluation.line_scores import measured_lines
from text_recognizer.learning.evaluation.measures import CER, WER
from text_recognizer.learning.evaluation.report import LINE_SETS, print_lines, print_pages
from text_recognizer.learning.loading.line_batches import LineBatch
from text_recognizer.learning.tasks.base import (
    DataModule,
    Frozen,
    NetworkChoice,
    Optimization,
    Sample,
    TextModule,
    Trainer,
    freeze,
)
from text_recognizer.learning.tasks.line_data import LineData, LineDataModule, line_alphabet
from text_recognizer.learning.tasks.task import (
    Batches,
    Described,
    EvaluationOptions,
    Task,
    as_begun,
    begun_alphabet,
    register,
)
from text_recognizer.learning.tasks.warm_start import bundle_origin
from text_recognizer.learning.tasks.weights import adopted_shape, interpolated_with_start, load_or_widen
from text_recognizer.recognition.bundle import SHIPPED, Bundle, BundleError, find_bundle, load_bundle
from text_recognizer.recognition.recognizer import TextRecognizer
from text_recognizer.recognition.text.ctc import greedy, softmax
from text_recognizer.recognition.text.ensemble import ensemble_settings
from text_recognizer.recognition.text.language_model import TASK as LANGUAGE_TASK
from text_recognizer.recognition.text.line_geometry import LineGeometry

_CALIBRATION_BATCHES = 30  # some hundred lines: enough for the mean and variance of each channel
_QUANTIZATION_LINES = 32  # of each source, to see how large the numbers in a network get


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
        if not hasattr(self.network, "forward_with_shortcut") or not self.shortcut_weight:
            return self._logged(ctc_loss(self.network(batch.images), batch), batch)
        logits, shortcut = self.network.forward_with_shortcut(batch.images)  # type: ignore[operator]
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


_HANDS = {
    "print": "Print and tidy hands of today are what it knows best. Historical hands",
    "fr": "English and French hands of today are what it knows best. Historical hands",
    "en": "English hands of today are what it knows best. French and historical hands",
}


@register("lines")
class LineTask(Task[LineExperiment]):
    """Reads one line by CTC."""

    experiment = LineExperiment
    measures = (CER, WER)
    overfit_loss = 0.2
    evaluation_sets = LINE_SETS
    kind = "lines by CTC"
    quantizable = True

    def resolved(self, experiment: LineExperiment) -> LineExperiment:
        """With the shape of the bundle that it begins with."""
        if not experiment.start_from:
            return experiment
        start = load_bundle(experiment.start_from, self.name, self.normalization).folder
        return replace(experiment, network=adopted_shape(experiment.network, start))

    def resumed(self, experiment: LineExperiment, begun: Described) -> tuple[LineExperiment, Alphabet]:
        """With the alphabet and the shape of the network that it began with."""
        return replace(experiment, network=as_begun(experiment.network, begun)), begun_alphabet(begun)

    def build(
        self, experiment: LineExperiment, alphabet: Alphabet | None = None
    ) -> tuple[LineRecognizerModule, LineDataModule]:
        """Module and data."""
        data = experiment.data
        alphabet = alphabet or line_alphabet(
            data.train, experiment.start_from, data.extend_alphabet, data.more_characters
        )
        module = LineRecognizerModule(
            experiment.network,
            alphabet,
            experiment.optimization,
            self.validation_sets(experiment),
            experiment.shortcut_weight,
            experiment.frozen,
        )
        geometry = LineGeometry(columns_per_frame=networks.columns_per_frame(module.network))
        lines = LineDataModule(data, alphabet, geometry, experiment.seed)
        warn_if_few(len(lines.train), experiment.start_from)
        return module, lines

    def origin(self, experiment: LineExperiment) -> dict[str, str]:
        """Of the bundle that it begins with."""
        return bundle_origin(find_bundle(experiment.start_from)) if experiment.start_from else {}

    def begin(self, experiment: LineExperiment, module: lightning.LightningModule, data: DataModule) -> None:
        """Begin with a bundle's weights, batch normalisation measured on some of the run's own batches."""
        if not experiment.start_from:
            return
        own, lines = cast(LineRecognizerModule, module), cast(LineDataModule, data)
        # What keeps its statistics need not know them: the network computes what the bundle computes either way.
        images = None if experiment.frozen.statistics else _calibration_images(lines)
        load_or_widen(own.network, find_bundle(experiment.start_from), own.alphabet, images)

    def alphabet(self, module: lightning.LightningModule) -> str:
        """Its characters, those of the labels included where it was extended."""
        return "".join(cast(LineRecognizerModule, module).alphabet.characters)

    def settings(self, network: nn.Module, experiment: Described, alphabet: Alphabet) -> dict[str, Any]:  # noqa: ARG002
        """Alphabet and geometry."""
        geometry = LineGeometry(columns_per_frame=networks.columns_per_frame(network))
        return {"alphabet": "".join(alphabet.characters), "geometry": asdict(geometry), "temperature": 1.0}

    def stretched(self, settings: Described, stretch: float) -> dict[str, Any]:
        """With another geometry."""
        return {**settings, "geometry": settings["geometry"] | {"stretch": stretch}}

    def partners(self, language: str, detector: str) -> dict[str, str]:
        """The language model that reads with it, and the detector that finds its lines."""
        asked = {"language": load_bundle(language, LANGUAGE_TASK, 0)}
        asked["detector"] = load_bundle(detector, "detector", NORMALIZATION_VERSION)
        return {name: _reference(bundle) for name, bundle in asked.items()}

    def interpolated_with_start(
        self, experiment: dict[str, Any], weights: dict[str, Tensor], alpha: float
    ) -> dict[str, Tensor]:
        """Interpolated with the bundle that the run began with."""
        return interpolated_with_start(experiment, weights, alpha)

    def quantization_batches(self, bundle: Bundle) -> Batches:
        """Some lines of each source that it learned from."""
        geometry = LineGeometry(**bundle.settings["geometry"])
        sources = bundle.provenance["experiment"]["data"]["train"]
        if not sources:
            raise BundleError(
                f"{bundle.folder} learned from no data that could show how large its numbers get: train it first"
            )
        for source in (row for index, row in enumerate(sources) if row not in sources[:index]):
            # No more synthetic ones than are asked for.
            dataset = open_lines(replace(LineSource(**source), count=_QUANTIZATION_LINES))  # whatever their labels say
            for index in np.linspace(0, len(dataset) - 1, _QUANTIZATION_LINES).astype(int):
                yield geometry.batch([dataset[int(index)][0]])

    def ensemble_settings(
        self, members: Sequence[Bundle], names: Sequence[str], weights: Sequence[float]
    ) -> dict[str, Any]:
        """Of the mean of aligned posteriors."""
        return ensemble_settings(members, names, weights)

    def measured(self, bundle: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """Scores alone and with the language model, and the calibration of its confidence."""
        scores, weights = measured_lines(bundle)
        return scores, {"calibration": weights}

    def print_scores(self, bundle: str, options: EvaluationOptions) -> None:
        """CER and WER on lines, and on pages."""
        print_line_scores(bundle, options)

    def purpose(self, network: str) -> str:
        """What it reads."""
        return f"Reads one line of Latin handwriting or print from its image: {network} trained with CTC."

    def limits(self, sources: Sequence[str]) -> str:
        """Hands, scripts and names."""
        known = "print" if not sources else "fr" if "copiste" in sources else "en"
        return (
            f"{_HANDS[known]} it reads far worse; vertical text, formulas and scripts "
            "other than Latin it does not know. It decides letter by letter: names and numbers deserve a look."
        )


def print_line_scores(bundle: str, options: EvaluationOptions) -> None:
    """Print CER and WER of whatever reads lines, on lines and, where asked, on pages."""
    recognizer = TextRecognizer(lines=bundle, detector=options.detector, language=options.language, looks=options.tta)
    print_lines(recognizer.line_reader, list(options.sources or LINE_SETS), options.worst)
    if options.pages:
        print_pages(recognizer)


def _calibration_images(data: LineDataModule) -> Iterator[Tensor]:
    """Images of some training batches, (B, 1, H, W) each."""
    yield from (batch.images for batch in itertools.islice(data.train_dataloader(), _CALIBRATION_BATCHES))


def _reference(bundle: Bundle) -> str:
    """What a bundle calls another one: a shipped one by its name, others by where they are, whoever reads them."""
    return bundle.folder.name if bundle.folder.parent == SHIPPED else str(bundle.folder.resolve())
