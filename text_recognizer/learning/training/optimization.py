"""The optimiser and its learning rate: AdamW (Loshchilov and Hutter, 2019), linear warm-up, cosine to zero."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Optimization:
    """learning_rate: at its peak. warmup: share of all steps. ema_decay: of the averaged weights that
    are validated and exported. gradient_clip: largest norm of the gradient."""

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: float = 0.04
    ema_decay: float = 0.999
    gradient_clip: float = 2.0


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
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, steps - warm))))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
