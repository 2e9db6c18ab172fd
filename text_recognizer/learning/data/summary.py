"""What a dataset holds, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.data.forms import TracedPage

_SHOWN = 12  # characters, of the most frequent and of the rarest


@dataclass(frozen=True)
class Sample:
    """One item of a dataset of any kind: its picture uint8 (H, W), ink dark on light, text, writer, identifier.

    outlines: of the lines of a page, (N, 2) points each.
    """

    image: NDArray[np.uint8]
    text: str
    writer: str
    identifier: str
    outlines: tuple[NDArray[np.float64], ...] = ()


def samples(dataset: Any) -> Iterator[Sample]:
    """The items of a dataset of any kind of the registry, one by one."""
    if hasattr(dataset, "writers"):  # characters: labels are numbers, the text is kept beside them
        for number, writer in enumerate(dataset.writers):
            yield Sample(255 - dataset[number][0], dataset.text[number], writer, "")
        return
    for item in dataset:
        if isinstance(item, TracedPage):
            text = "\n".join(line.text for line in item.lines if line.text)
            outlines = tuple(line.polygon for line in item.lines)
            yield Sample(item.image, text, "", item.identifier, outlines)
        else:
            image, label = item
            yield Sample(255 - image, label.text, label.writer, label.identifier)


@dataclass
class Summary:
    """Counts over samples; add them one by one."""

    writers: set[str] = field(default_factory=set)
    characters: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        self.writers |= {sample.writer} - {""}
        self.characters.update(sample.text.replace("\n", ""))
        self.lengths.append(len(sample.text))
        self.sizes.append((sample.image.shape[1], sample.image.shape[0]))

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of every figure, as they are printed. Raises ValueError where nothing was counted."""
        if not self.lengths:
            raise ValueError("the dataset is empty")
        widths, heights = np.array(self.sizes).T
        order = sorted(self.characters.items(), key=lambda entry: (-entry[1], entry[0]))
        return [
            ("samples", f"{len(self.lengths):,}"),
            ("writers", f"{len(self.writers):,}" if self.writers else "not known"),
            ("characters", f"{sum(self.characters.values()):,}, {len(self.characters)} different ones"),
            ("length of a text", _range(self.lengths)),
            ("width in pixels", _range(widths)),
            ("height in pixels", _range(heights)),
            ("most frequent", _named(order[:_SHOWN])),
            ("rarest", _named(order[::-1][:_SHOWN])),
        ]


def _range(values: Any) -> str:
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{low:,} to {high:,}, median {middle:,.0f}"


def _named(entries: list[tuple[str, int]]) -> str:
    return "  ".join(f"{'space' if character == ' ' else character} {count:,}" for character, count in entries)
