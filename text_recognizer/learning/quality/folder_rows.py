"""Folders with a manifest (`lines.tsv` and `lines/`), read row by row, whatever is wrong with some of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from text_recognizer.images import open_image, to_gray
from text_recognizer.learning.datasets.own_folder import REQUIRED, SPLITS
from text_recognizer.learning.quality.findings import Concern, Finding, count, error
from text_recognizer.learning.quality.lines import Gathered, Gray, InspectedLine, UnusableImageError, page_of
from text_recognizer.lines_tsv import TABLE, read_table

#: Columns that training needs of IAM; of a folder of one's own it is those of `data.manifest`.
IAM_COLUMNS = ("line_id", "split", "writer", "kind", "text")

_NEEDED = ("line_id", "text")  # without these nothing can be inspected

Row = dict[str, str]


def manifest_lines(folder: Path, columns: tuple[str, ...] = REQUIRED, suffix: str = ".png") -> Gathered:
    """The lines of a folder, and what is wrong with its table. columns: that it must have; suffix: of its images.

    Raises FileNotFoundError without a table, and ValueError for one that cannot be read at all.
    """
    table = folder / TABLE
    rows, findings = _rows(table, columns)
    findings += [*_identifiers(rows), *_splits(rows)]
    lines, seen = [], Counter[str]()
    for row in rows:
        name = row["line_id"]
        seen[name] += 1
        again = f" (row {row['row']})" if seen[name] > 1 else ""
        lines.append(
            InspectedLine(
                name + again,
                row["text"],
                row.get("split", ""),
                row.get("writer", ""),
                _page(row),
                f"{table.name}, row {row['row']}",
                _fetcher(folder / "lines" / f"{name}{suffix}", row.get("sha256", "")),
            )
        )
    return Gathered(folder.name, f"lines of {table}", "lines", lines, findings)


def _rows(table: Path, columns: tuple[str, ...]) -> tuple[list[Row], list[Finding]]:
    """The rows that have as many columns as the head, with `row`, their number in the file."""
    if not table.is_file():
        raise FileNotFoundError(f"there is no {table.name} in {table.parent}")
    found = read_table(table)
    found.require(_NEEDED)
    findings = []
    missing = [name for name in columns if name not in found.columns]
    if missing:
        findings.append(
            error("columns", f"The table lacks the columns {', '.join(missing)}.", "Training needs them: add them.")
        )
    if broken := found.torn():
        concerns = [Concern(f"row {number}", f"{len(row)} columns: {_start(row)}") for number, row in broken]
        findings.append(
            error(
                "rows",
                f"{count(len(broken), 'row')} with more or fewer columns than the head ({len(found.columns)}).",
                "A tab or a line break stands in a text, or a column is missing: write one row a line.",
                concerns,
            )
        )
    return [row | {"row": str(number)} for number, row in found.whole()], findings


def _start(row: tuple[str, ...]) -> str:
    text = " | ".join(row)
    return text if len(text) < 60 else f"{text[:60]}…"


def _identifiers(rows: list[Row]) -> list[Finding]:
    findings = []
    twice = [name for name, number in Counter(row["line_id"] for row in rows).items() if number > 1]
    if twice:
        findings.append(
            error(
                "identifiers",
                f"{count(len(twice), 'identifier')} given to more than one row.",
                "The rows share one image file, so all but one have another's image: number them anew.",
                (Concern(name, _where(name, rows)) for name in twice),
            )
        )
    odd = [row for row in rows if not row["line_id"] or Path(row["line_id"]).name != row["line_id"]]
    if odd:
        findings.append(
            error(
                "identifier-names",
                f"{count(len(odd), 'identifier')} that cannot name a file in lines/.",
                "Use letters, digits and hyphens.",
                (Concern(f"row {row['row']}", repr(row["line_id"])) for row in odd),
            )
        )
    return findings


def _where(name: str, rows: list[Row]) -> str:
    return "rows " + ", ".join(row["row"] for row in rows if row["line_id"] == name)


def _splits(rows: list[Row]) -> list[Finding]:
    odd = [row for row in rows if "split" in row and row["split"] not in SPLITS]
    if not odd:
        return []
    return [
        error(
            "splits",
            f"{count(len(odd), 'row')} of a split that is none of {', '.join(SPLITS)}.",
            "No training and no evaluation will ever see them: correct the column.",
            (Concern(row["line_id"], f"row {row['row']}: {row['split']!r}") for row in odd),
        )
    ]


def _page(row: Row) -> str:
    """Forms name their page; elsewhere the identifier does."""
    if row.get("form"):
        return f"{row['form']}, {row.get('writer', '')}, page {row.get('page', '')}"
    return page_of(row["line_id"])


def _fetcher(path: Path, digest: str) -> Callable[[], tuple[Gray, str]]:
    def fetch() -> tuple[Gray, str]:
        if path.parent.name != "lines" or not path.is_file():
            raise UnusableImageError("missing-image", f"{path.name} is missing")
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if digest and found != digest:
            raise UnusableImageError("sha256", f"{path.name} is another file than the table says")
        try:
            return to_gray(open_image(data)), found
        except (ValueError, OSError) as problem:
            raise UnusableImageError("broken-image", f"{path.name}: {problem}") from problem

    return fetch
