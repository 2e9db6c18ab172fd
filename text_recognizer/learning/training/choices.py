"""What every kind of experiment chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

#: An image uint8 (H, W) of a validation set, its label, and what the network makes of it.
Sample = tuple[NDArray[np.uint8], str, str]


def one_thread(_: int) -> None:
    """A data worker's OpenCV takes one thread: the cores belong to the network."""
    cv2.setNumThreads(0)


@dataclass
class NetworkChoice:
    """A registered network and the fields of its config that differ from the defaults."""

    name: str = "crnn"
    fields: dict[str, Any] = field(default_factory=dict)
