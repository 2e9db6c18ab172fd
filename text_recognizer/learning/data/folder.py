"""Lines in a folder of one's own: what `text-recognizer feedback export` writes.

Layout: `lines.tsv` (`line_table.py`) with the columns line_id, split, writer, text, sha256, source at least, and the
crops in `lines/<line_id>.png`.
"""

from __future__ import annotations

import glob
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import ImageError, normalize_line, open_image
from text_recognizer.learning.data.cache import fingerprint
from text_recognizer.learning.data.checks import LeftOut
from text_recognizer.learning.data.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.data.locations import cache_dir
from text_recognizer.learning.data.manifest import REQUIRED, SPLITS
from text_recognizer.line_table import TABLE, read_table


def folder_lines(path: str, split: str) -> LineDataset:
    """The lines of one split of the folder, normalised; lines with characters outside the alphabet are left out.

    Every image is checked against its SHA-256 in the table. Raises FileNotFoundError where the table or an image is
    missing, and ValueError where the table lacks columns or the split, or an image is not what was exported.
    """
    folder = Path(path).expanduser().resolve()
    table = folder / TABLE
    if not path or not table.is_file():
        raise FileNotFoundError(f"there is no lines.tsv in {folder}: `path` names a folder of exported lines")
    left_out = LeftOut(f"{folder.name}-{split}")
    rows = _rows(table, split, left_out)
    return cached_lines(cache_dir(), _key(folder, split), _read(rows, folder / "lines"), len(rows), left_out)


def forget_prepared(folder: Path) -> None:
    """Delete what was prepared of the lines of a folder, as its table is now; the folder itself stays."""
    for split in SPLITS:
        for prepared in cache_dir().glob(f"{glob.escape(_key(folder.resolve(), split))}-*"):
            shutil.rmtree(prepared, ignore_errors=True)


def _key(folder: Path, split: str) -> str:
    """The table holds the hash of every image, so its content says all there is to know about the folder."""
    return f"folder-{folder.name}-{split}-{fingerprint((folder / TABLE).read_bytes())}"


def _rows(table: Path, split: str, left_out: LeftOut) -> list[dict[str, str]]:
    read = read_table(table)
    read.require(REQUIRED)
    rows = [row | {"line": str(number)} for number, row in read.records()]
    chosen = [row for row in rows if row["split"] == split]
    if not chosen:
        there = ", ".join(sorted({row["split"] for row in rows})) or "none"
        raise ValueError(f"{table} has no lines of split {split!r}; splits in it: {there}")
    alphabet = Alphabet()
    known = []
    for row in chosen:
        text, where = normalize_text(row["text"]), f"{table}, line {row['line']}"
        if not text:
            left_out.add("no text", where)
        elif not left_out.unknown(text, alphabet, where):
            known.append(row)
    if not known:
        raise ValueError("; ".join(left_out.lines()))
    return known


def _read(rows: list[dict[str, str]], folder: Path) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
    for row in rows:
        text, source = normalize_text(row["text"]), row["source"]
        yield (
            normalize_line(_image(folder / f"{row['line_id']}.png", row["sha256"])),
            LineLabel(row["line_id"], text, f"{source}-{row['writer']}", source),
        )


def _image(path: Path, digest: str) -> NDArray[np.uint8]:
    """The line, gray or RGB, as reading sees the same file: of any depth, with or without transparency."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing, though lines.tsv names it") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{path} is not what was exported: its SHA-256 differs from the one in lines.tsv")
    try:
        return open_image(data)
    except ImageError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
