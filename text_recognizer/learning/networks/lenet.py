"""LeNet: two convolutions with pooling, then fully connected layers.

After LeNet-5 (LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition",
Proceedings of the IEEE, 1998) in today's form: ReLU for the squashing functions, maxima for the trained
subsampling, batch normalisation, dropout, and wider layers, as computers have grown since.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from text_recognizer.learning.networks import register


@dataclass
class LeNetConfig:
    """classes: answers. channels: of the 5x5 convolutions, each followed by 2x2 pooling. hidden: units of each fully
    connected layer. size: side of the image. dropout: of hidden units."""

    classes: int = 62
    channels: list[int] = field(default_factory=lambda: [24, 48])
    hidden: list[int] = field(default_factory=lambda: [192])
    size: int = 28
    dropout: float = 0.25


@register("lenet", LeNetConfig)
class LeNet(nn.Module):
    """A character image to the logits of its classes; see the module's docstring."""

    def __init__(self, config: LeNetConfig) -> None:
        super().__init__()
        self.config = config
        self.input_size = (config.size, config.size)
        layers: list[nn.Module] = []
        width = 1
        for channels in config.channels:
            convolution = nn.Conv2d(width, channels, 5, padding=2, bias=False)
            layers += [convolution, nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)]
            width = channels
        self.convolutions = nn.Sequential(*layers)
        width *= (config.size // 2 ** len(config.channels)) ** 2
        dense: list[nn.Module] = []
        for hidden in config.hidden:
            dense += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(config.dropout)]
            width = hidden
        self.dense = nn.Sequential(*dense)
        self.head = nn.Linear(width, config.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits.

        images: (B, 1, size, size) float in [0, 1], ink 1 and paper 0. Returns (B, K), unnormalised.
        """
        return self.head(self.dense(self.convolutions(images).flatten(1)))
