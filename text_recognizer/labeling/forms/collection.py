"""A folder of lines with their text, made of scanned forms, that grows with every scan.

Layout: `lines.tsv` (`lines_tsv.py`) with the columns of `COLUMNS`, the gray lines in `lines/<line_id>.png`; what
`text-recognizer feedback export` writes, with other columns about where a line comes from. `LineSource(name="folder")`
reads it.

Taking in photographs of forms: which sheets are used, which lines are new, and a word about everything else.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from text_recognizer.alphabet import normalize_text
from text_recognizer.atomic_files import write_file
from text_recognizer.images.normalize import Gray
from text_recognizer.labeling.forms.boxes import State, trimmed
from text_recognizer.labeling.forms.codes import digest
from text_recognizer.labeling.forms.form import Form
from text_recognizer.labeling.forms.printing import LINES, contact_sheet
from text_recognizer.labeling.forms.scan import Consent, Problem, ScannedSheet, best_of, scan_file
from text_recognizer.lines_tsv import TABLE, read_table, table_bytes

COLUMNS = (
    *("line_id", "split", "writer", "kind", "text", "sha256", "source"),
    *("form", "page", "row", "photo", "photo_sha256", "consent", "licence"),
)
SPLITS = ("form", "train", "val", "test")  # form: as the form's JSON says

_UNTICKED = "its lines are left out unless --consent says that the writer agrees"
_CONSENT = {
    Consent.NO: "the writer ticked that the lines may not be used: they are left out",
    Consent.OPEN: f"no box for consent is ticked: {_UNTICKED}",
    Consent.BOTH: f"both boxes for consent are ticked: {_UNTICKED}",
}


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


@dataclass
class Intake:
    """What became of some pictures. problems: what is missing now. notes: what need not worry. known: lines that
    were there already.
    """

    lines: list[NewLine] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    known: int = 0

    def splits(self) -> Counter[str]:
        """How many new lines each split has."""
        return Counter(line.row["split"] for line in self.lines)


def take_in(
    paths: Iterable[Path],
    forms: dict[str, Form],
    collection: Collection,
    terms: Terms,
    agreed: bool = False,
    said: Callable[[str], None] = lambda _: None,
) -> Intake:
    """Scan pictures and add their lines to a collection.

    agreed: the writer agrees, whatever is not ticked; a "no" that is ticked stands all the same. said: is called with
    the name of every picture when its turn comes. Of several pictures of a page the best is taken.
    """
    intake = Intake()
    scanned = []
    for path in paths:
        said(str(path))
        for result in scan_file(path, forms):
            if isinstance(result, Problem):
                intake.problems.append(result.what)
            else:
                scanned.append(result)
    usable = [sheet for sheet in _unseen(scanned, collection, intake) if _agreed(sheet, agreed, intake)]
    chosen, aside = best_of(usable)
    intake.notes += [f"{worse.name}: left aside, {better.photo.name} shows it better" for worse, better in aside]
    for sheet in chosen:
        _describe(sheet, intake)
    how = [(sheet, replace(terms, consent="ticked" if sheet.consent is Consent.YES else "given")) for sheet in chosen]
    intake.lines, intake.known = collection.add(how)
    return intake


def write_contact_sheets(folder: Path, lines: Sequence[tuple[str, NewLine]]) -> list[Path]:
    """Contact sheets of lines with a label each, numbered on from those in the folder. Returns their paths."""
    written = []
    number = 1
    for first in range(0, len(lines), LINES):
        while (folder / f"contact-{number:03d}.png").exists():
            number += 1
        path = folder / f"contact-{number:03d}.png"
        contact_sheet([(label, line.image) for label, line in lines[first : first + LINES]]).save(path, "PNG")
        written.append(path)
    return written


def _unseen(sheets: Iterable[ScannedSheet], collection: Collection, intake: Intake) -> Iterable[ScannedSheet]:
    """The sheets whose picture has not given lines before."""
    seen = {(row["photo_sha256"], row["form"], row["page"]) for row in collection.rows}
    for sheet in sheets:
        key = sheet.photo.digest, sheet.form.identifier, str(sheet.page.number)
        if key in seen:
            intake.notes.append(f"{sheet.name}: this very picture was scanned before")
        else:
            seen.add(key)
            yield sheet


def _agreed(sheet: ScannedSheet, agreed: bool, intake: Intake) -> bool:
    if sheet.consent is Consent.YES or (agreed and sheet.consent is not Consent.NO):
        return True
    intake.problems.append(f"{sheet.name}: {_CONSENT[sheet.consent]}")
    return False


def _describe(sheet: ScannedSheet, intake: Intake) -> None:
    empty = sheet.numbers(State.EMPTY)
    blank = f", empty: {_listed(empty)}" if empty else ""
    intake.sheets.append(f"{sheet.name}: {len(sheet.numbers(State.FILLED))} lines{blank}")
    for state, why in ((State.OUTSIDE, "outside of the picture"), (State.HIDDEN, "hidden, or folded away")):
        if lost := sheet.numbers(state):
            intake.problems.append(f"{sheet.name}: not read, because {why}: {_listed(lost)}")


def _listed(numbers: Sequence[int]) -> str:
    return f"{'box' if len(numbers) == 1 else 'boxes'} {', '.join(map(str, numbers))}"
