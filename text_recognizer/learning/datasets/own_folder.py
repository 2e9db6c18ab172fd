"""Lines in a folder of one's own: what `text-recognizer feedback export` writes.

Layout: `lines.tsv` (`lines_tsv.py`) with the columns line_id, split, writer, text, sha256, source at least, and the
crops in `lines/<line_id>.png`.

The manifest of a dataset in a folder, and the version of the dataset that follows from it.

A dataset is a folder with `lines.tsv` (tab-separated, no quoting; a row a line of handwriting) and the images in
`lines/<line_id>.png`: what `label scan`, `label export` and `feedback export` write.

Its version is the SHA-256 of its rows: of each row the fields of `VERSIONED` as a JSON array (UTF-8, texts in NFC, ""
for a column that is not there), the arrays sorted, each followed by a line feed, below a line that names this scheme.
The order of rows and columns and further columns make no difference; another text, image, writer, split, source or
licence does, as each row holds the hash of its image.
"""

from __future__ import annotations

import glob
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import ImageError, normalize_line, open_image
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.datasets.registry import Description, register
from text_recognizer.lines_tsv import TABLE, read_table
from text_recognizer.paths import cache_dir

SPLITS = ("train", "val", "test")
#: The columns that a manifest must have, and those that its version is made of.
REQUIRED = ("line_id", "split", "writer", "text", "sha256", "source")
VERSIONED = (*REQUIRED, "licence")

_SCHEME = "text-recognizer manifest 1"
_SHORT = 8
_NAMED = 5  # so many of the lines that something is wrong with are named


@register(
    Description(
        "folder",
        "lines",
        "corrected lines, from `feedback export`",
        licence="your own",
        source="`path` names it",
        splits=SPLITS,
        options=("path",),
    )
)
def folder_lines(path: str, split: str) -> LineDataset:
    """The lines of one split of the folder, normalised; lines with characters outside the alphabet are left out.

    Every image is checked against its SHA-256 in the table. Raises FileNotFoundError where the table or an image is
    missing, and ValueError where the table lacks columns or the split, or an image is not what was exported.
    """
    folder = Path(path).expanduser().resolve()
    table = folder / TABLE
    if not path or not table.is_file():
        raise FileNotFoundError(f"there is no lines.tsv in {folder}: `path` names a folder of exported lines")
    exclusions = Exclusions(f"{folder.name}-{split}")
    rows = _rows(table, split, exclusions)
    return cached_lines(cache_dir(), _key(folder, split), _read(rows, folder / "lines"), len(rows), exclusions)


def forget_prepared(folder: Path) -> None:
    """Delete what was prepared of the lines of a folder, as its table is now; the folder itself stays."""
    for split in SPLITS:
        for prepared in cache_dir().glob(f"{glob.escape(_key(folder.resolve(), split))}-*"):
            shutil.rmtree(prepared, ignore_errors=True)


def _key(folder: Path, split: str) -> str:
    """The table holds the hash of every image, so its content says all there is to know about the folder."""
    return f"folder-{folder.name}-{split}-{fingerprint((folder / TABLE).read_bytes())}"


def _rows(table: Path, split: str, exclusions: Exclusions) -> list[dict[str, str]]:
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
            exclusions.add("no text", where)
        elif not exclusions.unknown(text, alphabet, where):
            known.append(row)
    if not known:
        raise ValueError("; ".join(exclusions.lines()))
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


@dataclass(frozen=True)
class Manifest:
    """The rows of a dataset's table, in their order, and the folder it lies in."""

    folder: Path
    rows: tuple[Mapping[str, str], ...]

    @property
    def version(self) -> str:
        """SHA-256 of the rows in hexadecimal, as the head of this file says."""
        rows = sorted(json.dumps(_versioned(row), ensure_ascii=False) for row in self.rows)
        return hashlib.sha256("".join(f"{row}\n" for row in (_SCHEME, *rows)).encode()).hexdigest()

    @property
    def short_version(self) -> str:
        """The first eight characters of the version."""
        return self.version[:_SHORT]

    def counts(self, column: str) -> dict[str, int]:
        """The values of a column, sorted, and how many rows have each; empty ones are left out."""
        found = Counter(row.get(column) or "" for row in self.rows)
        return {value: found[value] for value in sorted(found) if value}


def _versioned(row: Mapping[str, str]) -> list[str]:
    return [normalize_text(row.get(name) or "") for name in VERSIONED]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises FileNotFoundError where there is none, and ValueError where it is no such table: not UTF-8, columns missing,
    rows with more or fewer fields than the head, or no row at all.
    """
    table = folder / TABLE
    if not table.is_file():
        raise FileNotFoundError(
            f"there is no {TABLE} in {folder}: a dataset is what `label scan`, `label export`, `feedback export` write"
        )
    read = read_table(table)
    read.require(REQUIRED)
    rows = tuple(row for _, row in read.records())
    if not rows:
        raise ValueError(f"{table} has no lines")
    return Manifest(folder, rows)


def check_manifest(manifest: Manifest) -> None:
    """Raises ValueError that says all that is wrong: rows that contradict one another, and images that are missing or
    not those that the manifest names."""
    wrong = [*_wrong_rows(manifest), *_wrong_images(manifest)]
    if wrong:
        raise ValueError(f"{manifest.folder / TABLE}: {'; '.join(wrong)}")


def _wrong_rows(manifest: Manifest) -> Iterator[str]:
    names = Counter(row["line_id"] for row in manifest.rows)
    if twice := [name for name, count in names.items() if count > 1]:
        yield f"{_some(twice)}: more than one row of that line_id"
    if odd := [name for name in names if not name or Path(name).name != name]:
        yield f"{_some(map(repr, odd))}: no name of a file in lines/"
    if lost := [row["line_id"] for row in manifest.rows if row["split"] not in SPLITS]:
        yield f"{_some(lost)}: of a split that is none of {', '.join(SPLITS)}"
    if empty := [row["line_id"] for row in manifest.rows if not normalize_text(row["text"])]:
        yield f"{_some(empty)}: no text"


def _wrong_images(manifest: Manifest) -> Iterator[str]:
    missing, others = [], []
    for row in manifest.rows:
        path = manifest.folder / "lines" / f"{row['line_id']}.png"
        if not path.is_file():
            missing.append(row["line_id"])
        elif hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            others.append(row["line_id"])
    if missing:
        yield f"{_some(missing)}: the image in lines/ is missing"
    if others:
        yield (
            f"{_some(others)}: the image is not the one whose SHA-256 the row holds, so one of the two was changed by "
            "hand: put the old one back, or take the row out and add the line anew"
        )


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
