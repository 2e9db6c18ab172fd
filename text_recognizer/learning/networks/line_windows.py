"""Line CNN by sliding window: every window of the line is cut out and read by itself, then CTC.

The plain form of what `line_cnn.py` computes at once: the same logits for the same weights. Neighbouring windows
overlap, so every column is computed seven times; hence the narrow layers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from text_recognizer.learning.networks import register
from text_recognizer.learning.networks.line_cnn import LineCNN, LineCNNConfig


@dataclass
class LineWindowsConfig(LineCNNConfig):
    """Shape of a line CNN by sliding window; fields as in `LineCNNConfig`, narrower by default."""

    channels: list[int] = field(default_factory=lambda: [16, 32, 64])
    hidden: int = 128


@register("line-windows", LineWindowsConfig)
class LineWindows(LineCNN):
    """A line image to CTC logits, window by window; see the module's docstring."""

    def features(self, images: Tensor) -> Tensor:
        """(B, 1, 64, W) in [0, 1] -> (B, hidden, S), S = W / 8, each step from a window of its own."""
        padded, batch, steps = self.cnn.pad(images), images.shape[0], images.shape[3] // self.cnn.stride
        # Tensor.unfold would do, but cannot be exported for lines of any width.
        starts = torch.arange(steps, device=images.device)[:, None] * self.cnn.stride
        columns = starts + torch.arange(self.cnn.window, device=images.device)  # (S, window)
        windows = padded[..., columns].permute(0, 3, 1, 2, 4)  # (B, S, 1, 64, window)
        alone = windows.reshape(batch * steps, 1, self.cnn.height, self.cnn.window)
        return self.cnn(alone).reshape(batch, steps, self.config.hidden).transpose(1, 2)
