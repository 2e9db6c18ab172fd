"""A small residual network for single characters.

After He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), in the shape that the paper gives to
small images: a 3x3 stem without pooling, stages that halve the picture, the mean over the picture, one linear layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from text_recognizer.learning.networks import register
from text_recognizer.learning.networks.crnn import ResidualBlock, convolution


@dataclass
class ResNetConfig:
    """classes: answers. stem: channels of the first convolution, at full size. channels, blocks: channels and
    residual blocks of each stage; every stage halves the picture. size: side of the image. dropout: before the
    last layer."""

    classes: int = 62
    stem: int = 16
    channels: list[int] = field(default_factory=lambda: [32, 64, 96])
    blocks: list[int] = field(default_factory=lambda: [1, 1, 1])
    size: int = 28
    dropout: float = 0.2


@register("resnet", ResNetConfig)
class ResNet(nn.Module):
    """A character image to the logits of its classes; see the module's docstring."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.input_size = (config.size, config.size)
        stages: list[nn.Module] = [convolution(1, config.stem)]
        width = config.stem
        for channels, blocks in zip(config.channels, config.blocks, strict=True):
            stages.append(convolution(width, channels, 2))
            stages.extend(ResidualBlock(channels) for _ in range(blocks))
            width = channels
        self.cnn = nn.Sequential(*stages)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits.

        images: (B, 1, size, size) float in [0, 1], ink 1 and paper 0. Returns (B, K), unnormalised.
        """
        return self.head(self.dropout(self.cnn(images).mean(dim=(2, 3))))
