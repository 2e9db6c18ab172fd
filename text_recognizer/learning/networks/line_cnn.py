"""Line CNN: a convolutional network that looks at a line through a window of fixed width, and CTC.

After the space displacement neural networks of LeCun et al., "Gradient-Based Learning Applied to Document
Recognition" (Proc. IEEE 1998): a network that sees about two characters, moved along the line.
Convolving the whole line at once computes the same, each column once: `line_windows.py` is the form that really cuts
windows out, and gives the same logits for the same weights. No frame knows what stands outside of its window.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from text_recognizer.learning.networks import register


@dataclass
class LineCNNConfig:
    """Shape of a line CNN.

    classes: characters and the blank. channels: of the three stages; each halves height and width. columns: steps that
    the last convolution sees side by side. hidden: of that convolution. frames_per_step: CTC frames that each
    step emits.
    """

    classes: int = 2
    channels: list[int] = field(default_factory=lambda: [24, 48, 96])
    columns: int = 3
    hidden: int = 192
    frames_per_step: int = 2
    dropout: float = 0.2


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """Convolution padded above and below only: what stands left and right of a window must not be made up."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel // 2, 0), bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class WindowCNN(nn.Module):
    """(B, 1, 64, window + 8 (S - 1)) -> (B, hidden, S): the features of S windows, 8 columns apart."""

    height, stride = 64, 8

    def __init__(self, channels: list[int], columns: int, hidden: int) -> None:
        super().__init__()
        first, second, third = channels
        self.layers = nn.Sequential(
            _convolution(1, first, 5, 2),
            _convolution(first, second, 3, 2),
            _convolution(second, second, 3, 1),
            _convolution(second, third, 3, 2),
            _convolution(third, third, 3, 1),
            nn.Conv2d(third, hidden, (self.height // self.stride, columns), bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
        )
        # Receptive field of the layers above: each widens it by (kernel - 1) times the strides before it.
        self.window = 1 + 4 + 2 * 2 + 2 * 4 + 2 * 4 + 2 * 8 + (columns - 1) * 8

    def pad(self, images: Tensor) -> Tensor:
        """Paper left and right of (B, 1, H, W), so that there are W / 8 windows and the first is about column 4."""
        missing = self.window - self.stride
        return nn.functional.pad(images, (missing // 2, missing - missing // 2))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, 64, window + 8 (S - 1)) -> (B, hidden, S)."""
        return self.layers(images).squeeze(2)


@register("line-cnn", LineCNNConfig)
class LineCNN(nn.Module):
    """A line image to CTC logits, fully convolutional; see the module's docstring."""

    def __init__(self, config: LineCNNConfig) -> None:
        super().__init__()
        self.config = config
        self.cnn = WindowCNN(config.channels, config.columns, config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, config.classes * config.frames_per_step)

    @property
    def columns_per_frame(self) -> int:
        """Input columns a CTC frame stands for."""
        return self.cnn.stride // self.config.frames_per_step

    def features(self, images: Tensor) -> Tensor:
        """(B, 1, 64, W) in [0, 1] -> (B, hidden, S), S = W / 8."""
        return self.cnn(self.cnn.pad(images))

    def forward(self, images: Tensor) -> Tensor:
        """Logits.

        images: (B, 1, 64, W) float in [0, 1], ink 1 and paper 0, W a multiple of 8.
        Returns (B, T, K): T = W / columns_per_frame frames, K classes, unnormalised.
        """
        return frames(self.head(self.dropout(self.features(images).transpose(1, 2))), self.config.classes)


def frames(steps: Tensor, classes: int) -> Tensor:
    """(B, S, F K) -> (B, S F, K): the frames of each step one after the other."""
    return torch.reshape(steps, (steps.shape[0], -1, classes))
