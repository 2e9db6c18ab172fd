"""The optimiser and its learning rate: AdamW (Loshchilov and Hutter, 2019), linear warm-up, cosine to zero.

Where `decay` is below 1 the rate stays at its peak before it falls (warm-up, stable, decay: Hu et al., "MiniCPM",
2024). A run whose end is not known yet can be made longer at any time before, with nothing learned at too low a rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Optimization:
    """learning_rate: at its peak. warmup: share of all steps. decay: share of the steps after that, the last ones, in
    which the rate falls. ema_decay: of the averaged weights that are validated and exported. gradient_clip: largest
    norm of the gradient."""

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.04
    decay: float = 1.0
    ema_decay: float = 0.999
    gradient_clip: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1:
            raise ValueError(f"optimization.decay is a share of the steps, above 0 and at most 1, not {self.decay}")


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential moving average of weights whose memory grows to `decay`, so that it soon forgets the start."""

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        return averaged * keep + current * (1 - keep)

    return average


def optimizer_and_schedule(network: nn.Module, config: Optimization, steps: int) -> dict[str, Any]:
    """What Lightning's `configure_optimizers` returns. Biases and normalisation do not decay."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))
    warm = max(1, int(steps * config.warmup))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        falling = max(1, round((steps - warm) * config.decay))
        return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0, step - steps + falling) / falling)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
