"""A folder of lines with their text, made of scanned forms, that grows with every scan.

Layout: `lines.tsv` (`line_table.py`) with the columns of `COLUMNS`, the gray lines in `lines/<line_id>.png`; what
`text-recognizer feedback export` writes, with other columns about where a line comes from. `LineSource(name="folder")`
reads it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from text_recognizer.alphabet import normalize_text
from text_recognizer.folders import write_file
from text_recognizer.images.normalize import Gray
from text_recognizer.line_table import TABLE, read_table, table_bytes
from text_recognizer.service.labeling.forms.boxes import trimmed
from text_recognizer.service.labeling.forms.codes import digest
from text_recognizer.service.labeling.forms.scan import ScannedSheet

COLUMNS = (
    *("line_id", "split", "writer", "kind", "text", "sha256", "source"),
    *("form", "page", "row", "photo", "photo_sha256", "consent", "licence"),
)
SPLITS = ("form", "train", "val", "test")  # form: as the form's JSON says


@dataclass(frozen=True)
class Terms:
    """What is written with every line. consent: how it was given. split: of `SPLITS`."""

    writer: str = ""
    consent: str = "ticked"
    licence: str = ""
    split: str = "form"


@dataclass(frozen=True)
class NewLine:
    """A line that was added: its row of the table, and its image (H, W)."""

    row: dict[str, str]
    image: Gray


class Collection:
    """The folder. Lines are only ever added: one that is there stays as it is.

    Raises ValueError where the folder holds something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._table = folder / TABLE
        self.rows = _read_table(self._table)
        if folder.exists() and not self._table.is_file() and any(folder.iterdir()):
            raise ValueError(f"{folder} holds something that is no collection of lines: name another folder")

    def add(self, sheets: Iterable[tuple[ScannedSheet, Terms]]) -> tuple[list[NewLine], int]:
        """Add the filled boxes of sheets. Returns the new lines, and how many were there already.

        A line is known by writer, form, page and row. The images are written first and the table is replaced at the
        end, whole, so that an interrupted scan leaves the folder as it was, perhaps with images that nothing names.
        """
        known = {row["line_id"] for row in self.rows}
        found = [
            NewLine(_row(sheet, terms, number, text, split), image)
            for sheet, terms in sheets
            for number, text, split, image in ((n, row.text, row.split, image) for n, row, image in sheet.filled())
        ]
        new = [self._stored(line) for line in found if line.row["line_id"] not in known]
        if new:
            self.rows += [line.row for line in new]
            write_file(self._table, table_bytes(COLUMNS, [[row[name] for name in COLUMNS] for row in self.rows]))
        return new, len(found) - len(new)

    def _stored(self, line: NewLine) -> NewLine:
        """The line with its image written, trimmed, and the hash of that."""
        image = trimmed(line.image)
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        write_file(self.folder / "lines" / f"{line.row['line_id']}.png", buffer.getvalue())
        return NewLine(line.row | {"sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}, image)


def _row(sheet: ScannedSheet, terms: Terms, number: int, text: str, split: str) -> dict[str, str]:
    form, page = sheet.form, sheet.page.number
    writer = normalize_text(terms.writer or form.writer) or f"form-{form.identifier}"
    return {
        "line_id": f"{form.identifier}-{digest(writer)}-{page:02d}-{number:02d}",
        "split": split if terms.split == "form" else terms.split,
        "writer": writer,
        "kind": "gray",
        "text": normalize_text(text),
        "sha256": "",
        "source": "forms",
        "form": form.identifier,
        "page": str(page),
        "row": str(number),
        "photo": normalize_text(sheet.photo.name),
        "photo_sha256": sheet.photo.digest,
        "consent": terms.consent,
        "licence": normalize_text(terms.licence),
    }


def _read_table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    table = read_table(path)
    if table.columns != COLUMNS:
        raise ValueError(f"{path} was not made from forms, its columns are others: name another folder")
    return [row for _, row in table.records()]
