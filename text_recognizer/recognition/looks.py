"""Several looks at a line: sheared and narrowed a little, read each, averaged (test-time augmentation)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.recognition.decoding import softmax
from text_recognizer.recognition.ensemble import at_rate, laid_onto

#: Columns that the upper half moves a row, and the width, of each look. The first is the line as it is; none is wider,
#: as frames that are too many would have to be dropped.
LOOKS = ((0.0, 1.0), (-0.1, 1.0), (0.0, 0.94))


def looked_at(image: NDArray[np.uint8], look: int) -> NDArray[np.uint8]:
    """A normalised line uint8 (height, W) as one of the `LOOKS` shows it."""
    shear, width = LOOKS[look]
    if not look:
        return image
    middle = (image.shape[0] - 1) / 2
    columns = max(1, round(image.shape[1] * width))
    moved = np.array([[columns / image.shape[1], -shear, shear * middle], [0, 1, 0]])
    return cv2.warpAffine(image, moved, (columns, image.shape[0]), flags=cv2.INTER_LINEAR).astype(np.uint8)


def averaged(looks: Sequence[NDArray[np.float32]], temperature: float = 1.0) -> NDArray[np.float32]:
    """Logits (T, K) whose probabilities at that temperature are the mean of those of several looks at a line, each laid
    onto the first, which has T frames; the others have as many or fewer."""
    first, *others = (softmax(logits, temperature)[None] for logits in looks)
    if not first.shape[1]:
        return looks[0]
    laid = [laid_onto(first, at_rate(other, first.shape[1])) for other in others]
    mean = (first + sum(laid)) / len(looks)
    return (temperature * np.log(np.maximum(mean[0], 1e-12))).astype(np.float32)
