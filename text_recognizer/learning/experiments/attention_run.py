"""How the training of an attention network begins: its modules, and the weights that it starts from."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, cast

import lightning
import torch
from torch import nn

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.data.cache import fingerprint
from text_recognizer.learning.data.locations import runs_dir
from text_recognizer.learning.training.attention import AttentionModule
from text_recognizer.learning.training.attention_data import ParagraphDataModule
from text_recognizer.learning.training.attention_lines import AttentionLineDataModule
from text_recognizer.learning.training.growing import adopt_shape
from text_recognizer.learning.training.lines import LineData
from text_recognizer.learning.training.warm_start import calibrate, load_bundle_cnn
from text_recognizer.recognition.bundle import file_hash, find_bundle
from text_recognizer.recognition.geometry import LineGeometry

if TYPE_CHECKING:
    from text_recognizer.learning.experiments.experiment import AttentionLineExperiment, ParagraphExperiment

_CALIBRATION_BATCHES = 10


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
