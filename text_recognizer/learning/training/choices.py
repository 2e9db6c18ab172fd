"""What every kind of experiment chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2


def one_thread(_: int) -> None:
    """A data worker's OpenCV takes one thread: the cores belong to the network."""
    cv2.setNumThreads(0)


@dataclass
class NetworkChoice:
    """A registered network and the fields of its config that differ from the defaults."""

    name: str = "crnn"
    fields: dict[str, Any] = field(default_factory=dict)
