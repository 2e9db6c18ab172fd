"""A small fully convolutional network that labels the pixels of a page, for finding lines.

An encoder-decoder after U-Net (Ronneberger et al., 2015), with sums instead of concatenations on the
way up (feature pyramid, Lin et al., 2017): down to 1/32 to see whole lines, answers at 1/4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from text_recognizer.learning.networks import register
from text_recognizer.learning.networks.crnn import ResidualBlock, convolution


@dataclass
class FCNConfig:
    """stem: channels at 1/2. channels: at 1/4, 1/8, 1/16, 1/32. blocks: residual blocks at each.
    top: channels of the way up. maps: answers a pixel."""

    stem: int = 16
    channels: list[int] = field(default_factory=lambda: [24, 48, 96, 128])
    blocks: list[int] = field(default_factory=lambda: [1, 1, 2, 2])
    top: int = 32
    maps: int = 3


@register("fcn", FCNConfig)
class FCN(nn.Module):
    """A page to maps; see the module's docstring."""

    stride = 4  # input pixels a map pixel stands for, in both directions
    multiple = 32  # input height and width must be multiples of it

    def __init__(self, config: FCNConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = convolution(1, config.stem, 2)
        self.down, self.lateral, self.smooth = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        width = config.stem
        for channels, blocks in zip(config.channels, config.blocks, strict=True):
            stage = [convolution(width, channels, 2), *(ResidualBlock(channels) for _ in range(blocks))]
            self.down.append(nn.Sequential(*stage))
            self.lateral.append(nn.Conv2d(channels, config.top, 1))
            self.smooth.append(convolution(config.top, config.top))
            width = channels
        self.head = nn.Conv2d(config.top, config.maps, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Maps.

        images: (B, 1, H, W) float, ink density in [0, 1], H and W multiples of 32.
        Returns (B, 3, H / 4, W / 4): the logit that a pixel is in the core of a line, then the ascender
        and descender maps: how far that line extends above and below its baseline, in units of 16 input pixels.
        """
        x = self.stem(images)
        levels = []
        for stage in self.down:
            x = stage(x)
            levels.append(x)
        merged = self.smooth[-1](self.lateral[-1](levels[-1]))
        for number in range(len(levels) - 2, -1, -1):
            up = torch.nn.functional.interpolate(merged, scale_factor=2.0, mode="nearest")
            merged = self.smooth[number](self.lateral[number](levels[number]) + up)
        maps = self.head(merged)
        return torch.cat([maps[:, :1], torch.nn.functional.softplus(maps[:, 1:])], dim=1)
