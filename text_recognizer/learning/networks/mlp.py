"""A multilayer perceptron (Rumelhart, Hinton and Williams, 1986): the simplest network that reads a character.

It knows nothing of pictures: a character moved by a pixel is another vector. What it reaches is what the other
networks have to beat.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from text_recognizer.learning.networks import register


@dataclass
class MLPConfig:
    """classes: answers. hidden: units of each hidden layer. size: side of the image. dropout: of hidden units."""

    classes: int = 62
    hidden: list[int] = field(default_factory=lambda: [512, 256])
    size: int = 28
    dropout: float = 0.2


@register("mlp", MLPConfig)
class MLP(nn.Module):
    """A character image to the logits of its classes; see the module's docstring."""

    def __init__(self, config: MLPConfig) -> None:
        super().__init__()
        self.config = config
        self.input_size = (config.size, config.size)
        layers: list[nn.Module] = []
        width = config.size * config.size
        for hidden in config.hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(config.dropout)]
            width = hidden
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(width, config.classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits.

        images: (B, 1, size, size) float in [0, 1], ink 1 and paper 0. Returns (B, K), unnormalised.
        """
        return self.head(self.hidden(images.flatten(1)))
