"""The mean of what a run learned and of what it began with, which keeps more of the old skill than the run did.

After Wortsman et al., "Robust fine-tuning of zero-shot models" (CVPR 2022). A bundle holds batch normalisation folded
into the convolutions, so the run's weights are folded, too, before the mean is taken.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning import networks
from text_recognizer.learning.training.growing import load_or_grow
from text_recognizer.recognition.bundle import find_bundle


def with_start(experiment: dict[str, Any], weights: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights between those of a run of lines (by name, "network." first) and those that it began with.

    share: of the run's own, in [0, 1]. Channels and blocks that the run added are its own; the rest listens to them so
    much less. The bundle is the one that `start_from` names today: keep the folder of an older version, to blend with
    that. Raises ValueError where the run began with no bundle, or share is outside.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of the run's weights is from 0 to 1, not {share}")
    if experiment["task"] != "lines" or not experiment.get("start_from"):
        raise ValueError("only a line recogniser that began with a bundle (start_from) can be blended with it")
    folder, choice, alphabet = find_bundle(experiment["start_from"]), experiment["network"], experiment["alphabet"]
    network = networks.build(choice["name"], classes=len(Alphabet(alphabet)), **choice["fields"])
    network.load_state_dict({name.removeprefix("network."): weight for name, weight in weights.items()})
    fold(network)
    start = copy.deepcopy(network)
    load_or_grow(start, folder, Alphabet(alphabet))
    return {
        f"network.{name}": weight for name, weight in between(start.state_dict(), network.state_dict(), share).items()
    }


def between(old: dict[str, Tensor], new: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights between old and new ones; share: of the new ones. Counters are the new ones'."""
    return {
        name: torch.lerp(old[name], weight, share) if weight.is_floating_point() else weight
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
