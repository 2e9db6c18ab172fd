"""A small IAM-OnDB made here: zigzags as pen strokes, in the layout of the real one."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

LINES = (
    ("f01-01", "train", "7", "only a fly"),
    ("f01-02", "train", "7", "Mr. Foot 's line"),
    ("f02-01", "train", "unknown", "no # more"),
    ("f02-02", "train", "unknown", "and so on"),
    ("f03-01", "val", "9", "quite another"),
    ("f03-02", "val", "9", "writer of val"),
)


def zigzag(letters: int, slope: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) and ends (N,) of so many letters: each a stroke up and down, every third one with a tall part."""
    points, ends = [], []
    for letter in range(letters):
        top = -560 if letter % 3 == 0 else -250
        xs = np.linspace(0, 260, 9) + 330 * letter
        ys = np.where(np.arange(9) % 2 == 0, 0, top).astype(float)
        points.append(np.stack([xs, ys + slope * xs], axis=1))
        ends.append(np.arange(9) == 8)
    return np.concatenate(points), np.concatenate(ends)


def write_ondb(folder: Path, lines: Sequence[tuple[str, str, str, str]] = LINES) -> None:
    """`lines.tsv` and `strokes.npz`; lines: identifier, split, writer, text of each."""
    folder.mkdir(parents=True)
    moves, all_ends, offsets = [], [], [0]
    with (folder / "lines.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerow(["line_id", "split", "writer", "width", "height", "text"])
        for identifier, split, hand, text in lines:
            points, ends = zigzag(len(text))
            writer.writerow([identifier, split, hand, 330 * len(text), 560, text])
            moves.append(np.diff(np.round(points), axis=0, prepend=np.zeros((1, 2))).astype(np.int16))
            all_ends.append(ends)
            offsets.append(offsets[-1] + len(points))
    strokes = {"dxy": np.concatenate(moves), "end": np.concatenate(all_ends).astype(np.uint8)}
    np.savez(folder / "strokes.npz", **strokes, offsets=np.array(offsets, np.int32))
