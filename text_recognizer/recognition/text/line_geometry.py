"""How line images are laid into the recogniser's input, in training and in reading alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LineGeometry:
    """height: rows of the input. margin: columns of paper before and after the line. bucket: input
    widths are multiples of it, so that a server sees few shapes. columns_per_frame: input columns
    that a CTC frame stands for. stretch: by which lines are made wider, so that narrow letters have
    more frames."""

    height: int = 64
    margin: int = 16
    bucket: int = 64
    columns_per_frame: int = 4
    stretch: float = 1.0

    def stretched(self, width: int) -> int:
        """Columns of the input that a line image of `width` columns takes, without margins."""
        return max(1, round(width * self.stretch))

    def padded_width(self, width: int) -> int:
        """Input width of a line image of `width` columns.

        It depends on that line alone: lines are batched with lines of the same padded width, so a line
        reads the same whatever stands beside it in the batch.
        """
        return -(-(self.stretched(width) + 2 * self.margin) // self.bucket) * self.bucket

    def frames(self, width: int) -> int:
        """CTC frames that belong to a line image of `width` columns, its margins included."""
        return -(-(self.stretched(width) + 2 * self.margin) // self.columns_per_frame)

    def batch(self, images: Sequence[NDArray[np.uint8]], width: int | None = None) -> NDArray[np.float32]:
        """Images uint8 (height, W) each as one array (B, 1, height, width) float32 in [0, 1], padded with paper."""
        if width is None:
            width = max(self.padded_width(image.shape[1]) for image in images)
        batch = np.zeros((len(images), 1, self.height, width), np.float32)
        for row, image in enumerate(images):
            columns = self.stretched(image.shape[1])
            if columns != image.shape[1]:
                image = cv2.resize(image, (columns, self.height), interpolation=cv2.INTER_LINEAR)
            batch[row, 0, :, self.margin : self.margin + columns] = image
        batch /= 255
        return batch

    def column(self, frame: float) -> float:
        """The column of the line image (without margin) at which a frame begins; may be negative in the margin."""
        return (frame * self.columns_per_frame - self.margin) / self.stretch
