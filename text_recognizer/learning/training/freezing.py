"""Layers that stay as they are while the others learn: for fine-tuning, which has few lines and little time."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass
class Frozen:
    """convolutions: so many of them, from the first, stay as they are, with their normalisation. statistics: all batch
    normalisation keeps its mean and variance; its scale and shift learn."""

    convolutions: int = 0
    statistics: bool = False

    def __post_init__(self) -> None:
        if self.convolutions < 0:
            raise ValueError(f"frozen.convolutions is a number of layers, not {self.convolutions}")


def freeze(network: nn.Module, frozen: Frozen) -> None:
    """Freeze layers of a network in place; to be called again where it was put into training mode meanwhile."""
    seen, still = 0, False
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            seen += 1
            still = seen <= frozen.convolutions
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d) and still:
            module.requires_grad_(False)
        if isinstance(module, nn.BatchNorm2d) and (still or frozen.statistics):
            module.eval()
