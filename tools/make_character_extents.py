"""Measures how far each character extends around the frame at which a line recogniser emits it.

`python tools/make_character_extents.py iam-train` measures it for the shipped recogniser and writes
`text_recognizer/learning/alignment/character_extents.json`.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.alignment.character_extents import FILE, Extent

_FEWEST = 8  # characters that it takes to measure an extent
_INK = 64


def free_standing(
    line: NDArray[np.uint8], characters: str, centers: NDArray[np.float64]
) -> list[tuple[str, float, float]]:
    """Characters of a line with white paper on both sides, and their extent to the left and to the right.

    line: uint8 (H, W), ink 255. characters: n in order. centers: (n,) the columns they were seen in.
    """
    ink = np.r_[False, (line >= _INK).any(axis=0), False]
    changes = np.flatnonzero(np.diff(ink.astype(np.int8)))
    found = []
    for start, end in zip(changes[::2], changes[1::2], strict=True):
        inside = np.flatnonzero((centers >= start - 2) & (centers < end + 2))
        if len(inside) == 1 and end - start > 5 and characters[inside[0]] != " ":
            center = float(centers[inside[0]])
            found.append((characters[inside[0]], center - float(start), float(end) - center))
    return found


def median_extents(found: Iterable[tuple[str, float, float]]) -> dict[str, Extent]:
    """The median extents of the characters that occur often enough."""
    by_character: dict[str, list[Extent]] = defaultdict(list)
    for character, left, right in found:
        by_character[character].append((left, right))
    return {
        character: tuple(float(value) for value in np.round(np.median(values, axis=0), 1))  # type: ignore[misc]
        for character, values in sorted(by_character.items())
        if len(values) >= _FEWEST
    }


def _measure(source: str) -> None:
    """Measure on a line source and write the file."""
    from text_recognizer.learning.alignment.forced_alignment import align, centers_of
    from text_recognizer.learning.datasets.sources import LineSource, line_dataset
    from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

    recognizer, dataset = LineTextRecognizer(), line_dataset(LineSource(source))
    found = []
    for index in range(len(dataset)):
        image, label = dataset[index]
        try:
            aligned = align(recognizer.logits([image])[0], label.text, recognizer.alphabet)
        except ValueError:
            continue  # more text than the line has room for
        # A doubtful character still stands in the way of its neighbour, but is itself as good as a space.
        text = "".join(character.character if character.confidence > 0.9 else " " for character in aligned)
        found += free_standing(image, text, centers_of(aligned, recognizer.geometry))
    FILE.write_text(json.dumps(median_extents(found), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _measure(sys.argv[1])
