"""ResNet-transformer: a paragraph's image to its text, lines joined by newlines, without finding the lines first.

After Singh and Karayev, "Full Page Handwriting Recognition via Image to Sequence Extraction" (ICDAR 2021): a residual
CNN, two-dimensional sinusoidal positions, a transformer decoder. The CNN is that of CRNN, so that it can begin with
what that learned with CTC on lines; the maximum over some rows stands for its maximum over a line's column.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from text_recognizer.learning.networks import register
from text_recognizer.learning.networks.crnn import convolutions
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence
from text_recognizer.learning.networks.transformer_decoder import DecoderConfig


@dataclass
class ResNetTransformerConfig:
    """Shape of a ResNet-transformer.

    classes: tokens. stem, channels, blocks: of the CNN, as in CRNN; every stage halves the height, all but the last
    halve the width too. rows, columns: features that become one cell of the grid that the decoder looks at. width,
    layers, heads, feedforward, guided, follow: of the decoder (`transformer_decoder.py`).
    """

    classes: int = 2
    stem: int = 32
    channels: list[int] = field(default_factory=lambda: [48, 96, 192])
    blocks: list[int] = field(default_factory=lambda: [1, 2, 2])
    rows: int = 3
    columns: int = 2
    width: int = 256
    layers: int = 4
    heads: int = 4
    feedforward: int = 512
    dropout: float = 0.1
    guided: int = 1
    follow: bool = True


@register("resnet-transformer", ResNetTransformerConfig)
class ResNetTransformer(ImageToSequence):
    """A paragraph to its text; see the module's docstring."""

    def __init__(self, config: ResNetTransformerConfig) -> None:
        stages = len(config.channels)
        merge, stride = (config.rows, config.columns), (2 ** (stages + 1), 2**stages)
        super().__init__(config.channels[-1], merge, stride, DecoderConfig.of(config))
        self.config = config
        self.cnn = convolutions(config.stem, config.channels, config.blocks)

    def features(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) in [0, 1] -> (B, C, H / 16, W / 8) for three stages, rounded up."""
        return self.cnn(images)
