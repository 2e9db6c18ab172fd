"""Line CNN, bidirectional LSTM, CTC: the windows of `line_cnn.py`, and a memory of what stands left and right of them.

After Graves et al., "A Novel Connectionist System for Unconstrained Handwriting Recognition" (TPAMI 2009), which
learned its features by hand-made windows, and the LSTM with CTC of the Full Stack Deep Learning course (2019).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from text_recognizer.learning.networks import register
from text_recognizer.learning.networks.line_cnn import LineCNN, LineCNNConfig, frames


@dataclass
class LineCNNLSTMConfig(LineCNNConfig):
    """Shape of a line CNN with LSTM; fields as in `LineCNNConfig`, and units: of each direction of the LSTM.
    layers: of the LSTM."""

    units: int = 192
    layers: int = 1


@register("line-cnn-lstm", LineCNNLSTMConfig)
class LineCNNLSTM(LineCNN):
    """A line image to CTC logits; see the module's docstring."""

    def __init__(self, config: LineCNNLSTMConfig) -> None:
        super().__init__(config)
        self.lstm = nn.LSTM(config.hidden, config.units, config.layers, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * config.units, config.classes * config.frames_per_step)

    def forward(self, images: Tensor) -> Tensor:
        """Logits.

        images: (B, 1, 64, W) float in [0, 1], ink 1 and paper 0, W a multiple of 8.
        Returns (B, T, K): T = W / columns_per_frame frames, K classes, unnormalised.
        """
        sequence, _ = self.lstm(self.dropout(self.features(images).transpose(1, 2)))  # (B, S, 2 units)
        return frames(self.head(self.dropout(sequence)), self.config.classes)
