"""Lines in a folder of one's own: what `text-recognizer feedback export` writes.

Layout: `lines.tsv` with at least the columns line_id, split, writer, text, sha256, source (tab-separated, no
quoting), and the crops in `lines/<line_id>.png`.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import normalize_line
from text_recognizer.learning.data.cache import fingerprint
from text_recognizer.learning.data.checks import LeftOut
from text_recognizer.learning.data.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.data.locations import cache_dir

_COLUMNS = {"line_id", "split", "writer", "text", "sha256", "source"}


def folder_lines(path: str, split: str) -> LineDataset:
    """The lines of one split of the folder, normalised; lines with characters outside the alphabet are left out.

    Every image is checked against its SHA-256 in the table. Raises FileNotFoundError where the table or an image is
    missing, and ValueError where the table lacks columns or the split, or an image is not what was exported.
    """
    folder = Path(path).expanduser().resolve()
    table = folder / "lines.tsv"
    if not path or not table.is_file():
        raise FileNotFoundError(f"there is no lines.tsv in {folder}: `path` names a folder of exported lines")
    left_out = LeftOut(f"{folder.name}-{split}")
    rows = _rows(table, split, left_out)
    # The table holds the hash of every image, so its content says all there is to know about the folder.
    key = f"folder-{folder.name}-{split}-{fingerprint(table.read_bytes())}"
    return cached_lines(cache_dir(), key, _read(rows, folder / "lines"), len(rows), left_out)


def _rows(table: Path, split: str, left_out: LeftOut) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = _COLUMNS - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{table} has no column {', '.join(sorted(missing))}")
        rows = [_whole(row, f"{table}, line {reader.line_num}") | {"line": str(reader.line_num)} for row in reader]
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


def _whole(row: dict[str, str], where: str) -> dict[str, str]:
    """The row, where it has as many fields as the head. Raises ValueError that says where it has not."""
    if None in row or None in row.values():
        raise ValueError(f"{where} has other fields than the head of the table: is there a tab or newline in its text?")
    return row


def _read(rows: list[dict[str, str]], folder: Path) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
    for row in rows:
        text, source = normalize_text(row["text"]), row["source"]
        yield (
            normalize_line(_image(folder / f"{row['line_id']}.png", row["sha256"])),
            LineLabel(row["line_id"], text, f"{source}-{row['writer']}", source),
        )


def _image(path: Path, digest: str) -> NDArray[np.uint8]:
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError(f"{path} is not what was exported: its SHA-256 differs from the one in lines.tsv")
        with Image.open(io.BytesIO(data)) as image:
            return np.array(image.convert("L"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing, though lines.tsv names it") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{path} is no image") from error
    except OSError as error:  # an image that ends too early, for instance
        raise ValueError(f"{path} cannot be read: {error}") from error
