"""The IAM Handwriting Database: text lines and forms (Marti and Bunke, IJDAR 2002).

Terms: research, non-commercial. Layout read here: `iam/lines.tsv` with columns line_id, split,
writer, kind, text, images in `iam/lines/<line_id>.webp`, forms in `iam/forms.json` and `iam/forms/`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.alphabet import normalize_text
from text_recognizer.images import normalize_line
from text_recognizer.learning.data.cache import fingerprint
from text_recognizer.learning.data.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.data.locations import cache_dir, data_dir, require


def iam_rows(split: str) -> list[dict[str, str]]:
    """Rows of `lines.tsv` of one split. Raises FileNotFoundError that says where to get the database."""
    path = require(data_dir() / "iam" / "lines.tsv", "the IAM lines")
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row["split"] == split]


def iam_lines(split: str) -> LineDataset:
    """The lines of split "train" or "val", normalised."""
    rows = iam_rows(split)
    folder = data_dir() / "iam" / "lines"
    key = f"iam-{split}-{fingerprint(data_dir() / 'iam' / 'lines.tsv')}"
    return cached_lines(cache_dir(), key, _read(rows, folder), len(rows))


def _read(rows: list[dict[str, str]], folder: Path) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
    for row in rows:
        with Image.open(folder / f"{row['line_id']}.webp") as image:
            gray = np.array(image.convert("L"))
        yield (
            normalize_line(gray),
            LineLabel(row["line_id"], normalize_text(row["text"]), f"iam-{row['writer']}", "iam"),
        )
