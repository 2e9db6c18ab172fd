"""Function-preserving widening and deepening of a trained CRNN (Net2Net), and interpolation of weights (WiSE-FT).

After Chen et al., "Net2Net: Accelerating Learning via Knowledge Transfer" (ICLR 2016), with zeros in the place of
copied channels: what is new is computed from random weights, and what was there before does not yet listen to it. An
added residual block begins with a branch of zero, as in Goyal et al., "Accurate, Large Minibatch SGD" (2017).

Weight interpolation between what a run learned and what it began with keeps more of the old skill than the run did,
after Wortsman et al., "Robust fine-tuning of zero-shot models" (CVPR 2022). A bundle holds batch normalisation folded
into the convolutions, so the run's weights are folded, too, before they are interpolated.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning import networks
from text_recognizer.learning.networks.crnn import CRNN, CRNNConfig, ResidualBlock
from text_recognizer.learning.tasks.base import NetworkChoice
from text_recognizer.learning.tasks.warm_start import calibrate, load_bundle_weights
from text_recognizer.recognition.bundle import find_bundle


def can_widen(small: CRNNConfig, large: CRNNConfig) -> bool:
    """Whether `large` has the shape of `small` with a CNN that is wider or deeper, or both."""
    if any(getattr(small, name) != getattr(large, name) for name in ("hidden", "layers", "frames_per_step")):
        return False
    sizes = [[config.stem, *config.channels, *config.blocks] for config in (small, large)]
    stages = [(len(config.channels), len(config.blocks)) for config in (small, large)]
    return stages[0] == stages[1] and all(few <= many for few, many in zip(*sizes, strict=True))


def adopted_shape(choice: NetworkChoice, folder: Path) -> NetworkChoice:
    """The choice of a network with the shape of the bundle in `folder` that it begins with, where it names no other
    one; of a reader of paragraphs that begins with a CRNN, with the shape of its CNN."""
    begun = _choice(folder)
    fields = begun.get("fields", {})
    if begun.get("name") == choice.name:
        known = fields.keys() - {"classes", "dropout"}
    else:
        both = (begun.get("name"), choice.name) == ("crnn", "resnet-transformer")
        known = fields.keys() & {"stem", "channels", "blocks"} if both else set()
    return NetworkChoice(choice.name, {name: fields[name] for name in sorted(known)} | choice.fields)


def smaller(network: CRNN, folder: Path) -> CRNN | None:
    """A network of the shape of the bundle in `folder`, where `network` is that with a larger CNN; else None."""
    choice = _choice(folder)
    if choice.get("name") != "crnn":
        return None
    config = CRNNConfig(**choice.get("fields", {}) | {"classes": network.config.classes})
    shape = (config.stem, config.channels, config.blocks)
    if shape == (network.config.stem, network.config.channels, network.config.blocks):
        return None
    return CRNN(config) if can_widen(config, network.config) else None


def widen(small: CRNN, large: CRNN) -> None:
    """Copy what `small` knows into `large`, which then computes the same logits, the shortcut's too.

    Raises ValueError where `large` is not `small` with a wider or deeper CNN.
    """
    if not can_widen(small.config, large.config):
        raise ValueError(
            "only the CNN of a CRNN can be widened: stem, channels and blocks may be larger than the bundle's, "
            f"everything else must be the same (bundle {small.config}, network {large.config})"
        )
    known = small.state_dict()
    with torch.no_grad():
        for name, target in large.state_dict().items():
            source = known.get(_before(name, small.config, large.config))
            if source is not None:
                _put(source, target)
        for stage, (few, many) in enumerate(zip(small.config.blocks, large.config.blocks, strict=True)):
            for block in range(few, many):
                added = large.cnn[_first_block(large.config, stage) + block]
                assert isinstance(added, ResidualBlock)
                nn.init.zeros_(added.second[1].weight)  # type: ignore[arg-type]
                nn.init.zeros_(added.second[1].bias)  # type: ignore[arg-type]


def load_or_widen(
    network: nn.Module, folder: Path, alphabet: Alphabet, batches: Iterable[torch.Tensor] | None = None
) -> None:
    """Give a network the weights of the bundle in `folder`; a CRNN with a larger CNN then computes the same, too.

    alphabet, batches: of `load_bundle_weights` and `calibrate`; without batches, batch normalisation is the identity
    and the folded shift. Raises ValueError where the shapes fit neither way.
    """
    small = smaller(network, folder) if isinstance(network, CRNN) else None
    known = small or network
    load_bundle_weights(known, folder, alphabet)
    if batches is not None:
        calibrate(known, batches)
    if small is not None:
        assert isinstance(network, CRNN)
        widen(small, network)


def _choice(folder: Path) -> dict[str, Any]:
    """Name and fields of the network of a bundle; {} where it does not say."""
    provenance = json.loads((folder / "bundle.json").read_text(encoding="utf-8")).get("provenance", {})
    found: dict[str, Any] = provenance.get("experiment", {}).get("network", {})
    return found


def _put(source: torch.Tensor, target: torch.Tensor) -> None:
    """Into the corner of a larger weight; what was there before does not listen to what is new."""
    corner = tuple(slice(0, size) for size in source.shape)
    if target.ndim > 1:
        target[: source.shape[0], source.shape[1] :] = 0
    target[corner] = source


def _first_block(config: CRNNConfig, stage: int) -> int:
    """Where the residual blocks of a stage begin in the CNN: behind the stem, earlier stages and a convolution."""
    return 2 + sum(1 + blocks for blocks in config.blocks[:stage])


def _before(name: str, small: CRNNConfig, large: CRNNConfig) -> str:
    """What a weight of the larger network is called in the smaller one; "" for one of an added block."""
    part, _, rest = name.partition(".")
    number, _, weight = rest.partition(".")
    if part != "cnn" or number == "0":
        return name
    for stage, blocks in enumerate(small.blocks):
        offset = int(number) - _first_block(large, stage)
        if offset < large.blocks[stage]:
            return f"cnn.{_first_block(small, stage) + offset}.{weight}" if offset < blocks else ""
    return ""


def interpolated_with_start(experiment: dict[str, Any], weights: dict[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """Interpolate the weights of a run of lines (by name, "network." first) and those that it began with.

    alpha: weight of the run's own, in [0, 1]. Channels and blocks that the run added are its own; the rest listens to
    them so much less. The bundle is the one that `start_from` names today: keep the folder of an older version, to
    interpolate with that. Raises ValueError where the run began with no bundle, or alpha is outside.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha, the weight of what the run learned, is from 0 to 1, not {alpha}")
    if not experiment.get("start_from"):
        raise ValueError("only a line recogniser that began with a bundle (start_from) can be interpolated with it")
    folder, choice, alphabet = find_bundle(experiment["start_from"]), experiment["network"], experiment["alphabet"]
    network = networks.build(choice["name"], classes=len(Alphabet(alphabet)), **choice["fields"])
    network.load_state_dict({name.removeprefix("network."): weight for name, weight in weights.items()})
    fold(network)
    start = copy.deepcopy(network)
    load_or_widen(start, folder, Alphabet(alphabet))
    return {
        f"network.{name}": weight
        for name, weight in interpolated(start.state_dict(), network.state_dict(), alpha).items()
    }


def interpolated(old: dict[str, Tensor], new: dict[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """Linear interpolation of weights; alpha: weight of the new ones. Counters are the new ones'."""
    return {
        name: torch.lerp(old[name], weight, alpha) if weight.is_floating_point() else weight
        for name, weight in new.items()
    }


def fold(network: nn.Module) -> None:
    """Move batch normalisation into the convolutions; the network computes the same in evaluation mode."""
    with torch.no_grad():
        for convolution, norm in pairwise(network.modules()):
            if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
                continue
            assert norm.running_mean is not None
            assert norm.running_var is not None
            factor = norm.weight / (norm.running_var + norm.eps).sqrt()
            convolution.weight.mul_(factor[:, None, None, None])
            norm.bias.sub_(norm.running_mean * factor)
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
            norm.weight.fill_(1)
