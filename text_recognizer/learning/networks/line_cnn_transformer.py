"""Line CNN-transformer: the line CNN looks, a transformer decoder writes what it saw, character by character.

After Michael et al., "Evaluating Sequence-to-Sequence Models for Handwritten Text Recognition" (ICDAR 2019), with a
transformer in the place of the recurrent decoder. The CNN is that of `line_cnn.py`, and can begin with what it learned
with CTC; with CTC the decoder's words do not depend on each other, here every character knows those before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from text_recognizer.learning.networks import register
from text_recognizer.learning.networks.image_to_sequence import ImageToSequence
from text_recognizer.learning.networks.line_cnn import WindowCNN
from text_recognizer.learning.networks.transformer_decoder import DecoderConfig


@dataclass
class LineCNNTransformerConfig:
    """Shape of a line CNN-transformer.

    classes: tokens. channels, columns, hidden: of the CNN, as in LineCNN. width, layers, heads, feedforward, guided,
    follow: of the decoder (`transformer_decoder.py`).
    """

    classes: int = 2
    channels: list[int] = field(default_factory=lambda: [24, 48, 96])
    columns: int = 3
    hidden: int = 192
    width: int = 256
    layers: int = 3
    heads: int = 4
    feedforward: int = 512
    dropout: float = 0.1
    guided: int = 1
    follow: bool = True


@register("line-cnn-transformer", LineCNNTransformerConfig)
class LineCNNTransformer(ImageToSequence):
    """A line to its text; see the module's docstring."""

    height = 64

    def __init__(self, config: LineCNNTransformerConfig) -> None:
        super().__init__(config.hidden, (1, 1), (self.height, WindowCNN.stride), DecoderConfig.of(config))
        self.config = config
        self.cnn = WindowCNN(config.channels, config.columns, config.hidden)

    def features(self, images: Tensor) -> Tensor:
        """(B, 1, 64, W) in [0, 1], W a multiple of 8 -> (B, C, 1, W / 8)."""
        return self.cnn(self.cnn.pad(images)).unsqueeze(2)
