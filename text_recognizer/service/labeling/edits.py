"""The edit distance between two texts (Levenshtein, 1966), for a service that has no library for it."""

from __future__ import annotations

import numpy as np


def edits(one: str, other: str) -> int:
    """Characters to insert, delete or replace, at the least, to turn one text into the other."""
    row = np.arange(len(one) + 1)
    steps = np.arange(len(one) + 1)
    letters = np.array(list(one))
    for number, character in enumerate(other, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (letters != character))
        # Insertions go along the row: the least of what stands to the left, each step one more.
        row = np.minimum.accumulate(np.r_[number, best] - steps) + steps
    return int(row[-1])
