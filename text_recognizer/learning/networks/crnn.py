"""CRNN: a residual CNN, the maximum over columns, bidirectional LSTMs, CTC.

After Shi et al., "An End-to-End Trainable Neural Network for Image-based Sequence Recognition"
(TPAMI 2017), with the choices that Retsinas et al., "Best Practices for a Handwritten Text
Recognition System" (DAS 2022), found to matter: residual blocks, max pooling over the height
instead of concatenating it, and an auxiliary CTC head straight on the CNN ("shortcut") that trains
the CNN when the LSTMs do not yet pass useful gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from text_recognizer.learning.networks import register


@dataclass
class CRNNConfig:
    """Shape of a CRNN.

    classes: characters and the blank. stem: channels of the first convolution. channels, blocks:
    channels and residual blocks of each stage; every stage halves the height, all but the last
    halve the width too. hidden, layers: of the LSTMs. frames_per_step: CTC frames that each step of
    the LSTM emits; more than one lets narrow writing through, which has fewer steps than letters.
    """

    classes: int = 2
    stem: int = 32
    channels: list[int] = field(default_factory=lambda: [48, 96, 192])
    blocks: list[int] = field(default_factory=lambda: [1, 2, 2])
    hidden: int = 256
    layers: int = 2
    frames_per_step: int = 2
    dropout: float = 0.2


def convolution(inputs: int, outputs: int, stride: int | tuple[int, int] = 1) -> nn.Sequential:
    """3x3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around which the input is added (He et al., 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return torch.relu(x + self.second(self.first(x)))


def convolutions(stem: int, channels: list[int], blocks: list[int]) -> nn.Sequential:
    """The CNN: (B, 1, H, W) -> (B, C, H / 16, W / 8) for three stages, rounded up."""
    stages: list[nn.Module] = [convolution(1, stem, 2)]
    width = stem
    for stage, (wider, count) in enumerate(zip(channels, blocks, strict=True)):
        last = stage == len(channels) - 1
        stages.append(convolution(width, wider, (2, 1) if last else 2))
        stages.extend(ResidualBlock(wider) for _ in range(count))
        width = wider
    return nn.Sequential(*stages)


@register("crnn", CRNNConfig)
class CRNN(nn.Module):
    """A line image to CTC logits; see the module's docstring."""

    new_layers = ("shortcut",)  # it is for training only, so that no bundle holds it

    def __init__(self, config: CRNNConfig) -> None:
        super().__init__()
        self.config = config
        self.cnn = convolutions(config.stem, config.channels, config.blocks)
        width = config.channels[-1]
        self.stride = 2 ** len(config.channels)  # input columns a step of the LSTM
        self.lstm = nn.LSTM(
            width,
            config.hidden,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.hidden, config.classes * config.frames_per_step)
        self.shortcut = nn.Conv1d(width, config.classes * config.frames_per_step, 3, padding=1)

    @property
    def columns_per_frame(self) -> int:
        """Input columns a CTC frame stands for."""
        return self.stride // self.config.frames_per_step

    def features(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) in [0, 1] -> (B, C, S): the maximum over each column of the CNN's output, S = W / stride."""
        return self.cnn(images).amax(dim=2)

    def forward(self, images: Tensor) -> Tensor:
        """Logits.

        images: (B, 1, H, W) float in [0, 1], ink 1 and paper 0, W a multiple of the stride.
        Returns (B, T, K): T = W / columns_per_frame frames, K classes, unnormalised.
        """
        return self._decode(self.features(images))

    def forward_with_shortcut(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the LSTM head and of the shortcut head, (B, T, K) each, for training."""
        features = self.features(images)
        return self._decode(features), self._frames(self.shortcut(features).transpose(1, 2))

    def _decode(self, features: Tensor) -> Tensor:
        sequence, _ = self.lstm(self.dropout(features.transpose(1, 2)))  # (B, S, 2 hidden)
        return self._frames(self.head(self.dropout(sequence)))

    def _frames(self, steps: Tensor) -> Tensor:
        """(B, S, F K) -> (B, S F, K): the frames of each step one after the other."""
        return steps.reshape(steps.shape[0], -1, self.config.classes)
