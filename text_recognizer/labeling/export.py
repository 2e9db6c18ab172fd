"""Labelled lines as a folder to train on: the layout that `collection` and `feedback.export` write.

`lines.tsv` (`lines_tsv.py`) with the columns of `COLUMNS`, the gray lines in `lines/<line_id>.png`, cut out of their
pages as the recogniser cuts them. `LineSource(name="folder")` reads it.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import ImageError, to_gray
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.labels import Label
from text_recognizer.labeling.outlines import cut_out
from text_recognizer.labeling.pages import UnknownPage
from text_recognizer.lines_tsv import TABLE, table_bytes

COLUMNS = (
    *("line_id", "split", "writer", "kind", "text", "sha256", "source"),
    *("page", "line", "annotator", "labelled", "licence"),
)
SPLITS = ("page", "train", "val", "test")  # page: a tenth of the pages is val
_VAL = 10  # of so many pages one is val
_WHY = {"illegible": "nobody can read it", "no-line": "there is no line"}


@dataclass(frozen=True)
class Choice:
    """What is written with the lines. split: of `SPLITS`. writer: by default the folder that a page lies in."""

    split: str = "page"
    writer: str = ""
    licence: str = ""


@dataclass
class LinesReport:
    """What was exported. splits: lines of each. left_out: why lines were -> how many. unknown: characters that the
    usual alphabet lacks -> lines with them, which are exported all the same."""

    folder: Path
    splits: Counter[str] = field(default_factory=Counter)
    writers: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


def export_labels(source: LabelingFolder, folder: Path, choice: Choice, replace: bool = False) -> LinesReport:
    """Write the lines whose text is settled; those that are disputed, illegible or no lines are left out and counted.

    The folder appears whole or not at all. The same labels give the same bytes. replace: an export that is there gives
    way to the new one. Raises FileExistsError where the folder is there and is not to be replaced, or is something
    else; ValueError for an unknown split, or where no line is labelled.
    """
    if choice.split not in SPLITS:
        raise ValueError(f"{choice.split!r} is no split; there are: {', '.join(SPLITS)}")
    folder = folder.resolve()
    _check_folder(folder, replace)
    report = LinesReport(folder)
    with whole_folder(folder, replace) as partial:
        _write(partial, _rows(source, choice, report))
        if not report.splits:
            why = "".join(f"; left out: {count} x {reason}" for reason, count in report.left_out.items())
            raise ValueError(f"there are no labelled lines in {source.folder} to export{why}")
    return report


def _check_folder(folder: Path, replace: bool) -> None:
    """An export replaces an export, and nothing else."""
    if not folder.exists():
        return
    if not replace:
        raise FileExistsError(f"{folder} is there already: name another folder, or replace it with --replace")
    if folder.is_file() or (any(folder.iterdir()) and not _is_export(folder / TABLE)):
        raise FileExistsError(f"{folder} holds something that is no export of labels: name another folder")


def _is_export(table: Path) -> bool:
    """Whether we have written a table: lines that were collected otherwise could not be made again."""
    if not table.is_file():
        return False
    with table.open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip("\n").split("\t") == list(COLUMNS)


def _write(folder: Path, rows: Iterator[tuple[list[str], bytes]]) -> None:
    (folder / "lines").mkdir()
    written = []
    for row, png in rows:
        (folder / "lines" / f"{row[0]}.png").write_bytes(png)
        written.append(row)
    (folder / TABLE).write_bytes(table_bytes(COLUMNS, written))


def _rows(source: LabelingFolder, choice: Choice, report: LinesReport) -> Iterator[tuple[list[str], bytes]]:
    """The rows and images of the lines; counts them."""
    alphabet = Alphabet()
    agreed = source.agreed()
    report.left_out["annotators dispute it"] = len(agreed.disputed)
    for label in agreed.labels:
        png = _cut(source, label) if label.status == "labeled" else _WHY[label.status]
        if isinstance(png, str):
            report.left_out[png] += 1
            continue
        row = _row(label, choice, png, source.title)
        report.splits[row[1]] += 1
        report.writers.add(row[2])
        report.unknown.update(alphabet.missing(label.text))
        yield row, png
    report.left_out = +report.left_out


def _cut(source: LabelingFolder, label: Label) -> bytes | str:
    """The line as a PNG file, or why there is none."""
    try:
        pixels = source.pixels(label.page)
    except UnknownPage:
        return "its page is not there any more"
    except ImageError:
        return "its page cannot be read"
    try:
        return _png(cut_out(to_gray(pixels), label.polygon, label.baseline))
    except ValueError:
        return "its outline is empty, or lies outside of the page"


def _row(label: Label, choice: Choice, png: bytes, title: str) -> list[str]:
    digest = hashlib.sha256(label.page.encode()).hexdigest()
    split = choice.split
    if split == "page":
        split = "val" if int(digest[:8], 16) % _VAL == 0 else "train"
    folder = PurePosixPath(label.page).parent.name
    return [
        *(_identifier(label, digest), split, normalize_text(choice.writer or folder or title), "gray", label.text),
        *(hashlib.sha256(png).hexdigest(), "labelling", normalize_text(label.page), normalize_text(label.line)),
        *(normalize_text(label.annotator), label.time, normalize_text(choice.licence)),
    ]


def _identifier(label: Label, digest: str) -> str:
    """A name for the line that any file system takes, and that no other line has."""
    page = re.sub(r"[^A-Za-z0-9]+", "-", PurePosixPath(label.page).stem).strip("-")[:40]
    line = label.line
    if not re.fullmatch(r"[a-z0-9-]{1,24}", line):
        line = hashlib.sha256(line.encode()).hexdigest()[:12]
    return "-".join(part for part in (page, digest[:8], line) if part)


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
