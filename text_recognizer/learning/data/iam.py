"""The IAM Handwriting Database: text lines (Marti and Bunke, IJDAR 2002).

Terms: research, non-commercial. Two layouts are read: `iam/lines.tsv` with columns line_id, split,
writer, kind, text and images in `iam/lines/<line_id>.webp` (forms in `iam/forms.json` and `iam/forms/`);
and, where that is not there, the one of its owners (`iam_original.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import normalize_line
from text_recognizer.learning.data import iam_original
from text_recognizer.learning.data.cache import fingerprint
from text_recognizer.learning.data.checks import LeftOut
from text_recognizer.learning.data.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.data.locations import cache_dir, data_dir, require
from text_recognizer.line_table import read_table


def iam_rows(split: str) -> list[dict[str, str]]:
    """Rows of `lines.tsv` of one split, with `line`, the number of each in the file.

    Raises FileNotFoundError that says where to get the database, and ValueError for a split that is not there.
    """
    path = require(data_dir() / "iam" / "lines.tsv", "the IAM lines")
    rows = [row | {"line": str(number)} for number, row in read_table(path).records()]
    chosen = [row for row in rows if row["split"] == split]
    if not chosen:
        there = ", ".join(sorted({row["split"] for row in rows}))
        raise ValueError(f"{path} has no lines of split {split!r}; there are: {there}")
    return chosen


def iam_lines(split: str) -> LineDataset:
    """The lines of a split, normalised: "train" and "val", and "test" where IAM lies in its owners' layout.

    Lines with crossed-out words, or with characters outside the alphabet, are left out.
    """
    folder = data_dir() / "iam"
    if not (folder / "lines.tsv").exists() and iam_original.is_original(folder):
        return _original(folder, split)
    rows = iam_rows(split)
    key = f"iam-{split}-{fingerprint(data_dir() / 'iam' / 'lines.tsv')}"
    left_out, alphabet, samples = LeftOut(f"iam-{split}"), Alphabet(), []
    for row in rows:
        label = LineLabel(row["line_id"], normalize_text(row["text"]), f"iam-{row['writer']}", "iam")
        if not left_out.unknown(label.text, alphabet, f"{folder / 'lines.tsv'}, line {row['line']}"):
            samples.append((folder / "lines" / f"{label.identifier}.webp", label))
    return cached_lines(cache_dir(), key, _read(samples), len(samples), left_out)


def _original(folder: Path, split: str) -> LineDataset:
    lines = iam_original.split_lines(folder, split)
    left_out, alphabet, samples = LeftOut(f"iam-{split}"), Alphabet(), []
    for line in lines:
        if line.crossed_out:
            left_out.add("crossed-out words", line.identifier)
        elif not left_out.unknown(line.text, alphabet, line.identifier):
            label = LineLabel(line.identifier, line.text, f"iam-{line.writer}", "iam")
            samples.append((iam_original.line_image(folder, line.identifier), label))
    key = f"iam-original-{split}-{fingerprint([label for _, label in samples], folder.resolve())}"
    return cached_lines(cache_dir(), key, _read(samples), len(samples), left_out)


def _read(samples: list[tuple[Path, LineLabel]]) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
    for path, label in samples:
        with Image.open(path) as image:
            yield normalize_line(np.array(image.convert("L"))), label
