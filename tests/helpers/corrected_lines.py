"""A feedback store with corrected lines that are drawn with fonts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from text_recognizer.learning.synthesis.lines import SyntheticLines
from text_recognizer.page import Line, Page
from text_recognizer.service.feedback import FeedbackStore, NewCorrection, StoredPage, StoredReading

Drawn = tuple[np.ndarray, str]


def new_store(folder: Path) -> FeedbackStore:
    """An empty store in SQLite."""
    return FeedbackStore(f"sqlite:///{folder / 'feedback.db'}", str(folder / "images"))


def drawn_lines(count: int, seed: int = 11) -> list[Drawn]:
    """Lines and their texts; dark ink."""
    lines = SyntheticLines(seed=seed)
    return [(np.array(lines[number][0]), lines[number][1].text) for number in range(count)]


def add_reading(
    store: FeedbackStore, name: str, lines: Sequence[Drawn], owner: str = "ada", consent: bool = True, who: str = "eve"
) -> None:
    """Keep a reading, a line a page, with each line corrected to its text."""
    pages = []
    for image, _ in lines:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        height, width = image.shape
        outline = ((0, 0), (width, 0), (width, height), (0, height))
        pages.append(StoredPage(Page((Line("read wrongly", outline, 0.5),), width, height), buffer.getvalue()))
    store.save_reading(StoredReading(name, tuple(pages), kind="line", consent=consent, owner=owner))
    store.add_corrections(name, [NewCorrection(number, 0, text) for number, (_, text) in enumerate(lines)], who)
