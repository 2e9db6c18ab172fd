"""The table of a folder of lines of handwriting, `lines.tsv`: UTF-8, tab-separated, nothing quoted, a row a line.

The image of a line lies beside it, in `lines/<line_id>.png`. People mend such tables by hand, on Windows too, so a mark
of the byte order and other line ends are read like none.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TABLE = "lines.tsv"

_NAMED = 5  # so many rows are named


@dataclass(frozen=True)
class LineTable:
    """A table that was read. columns: its head, () for an empty file. rows: number in the file and fields of each."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def require(self, columns: Sequence[str]) -> None:
        """Raises ValueError where some of the columns are not there."""
        if missing := [name for name in columns if name not in self.columns]:
            raise ValueError(f"{self.path} has no column {', '.join(missing)}")

    def whole(self) -> list[tuple[int, dict[str, str]]]:
        """The rows that have as many fields as the head, each with its number in the file."""
        return [
            (number, dict(zip(self.columns, fields, strict=True)))
            for number, fields in self.rows
            if len(fields) == len(self.columns)
        ]

    def torn(self) -> list[tuple[int, tuple[str, ...]]]:
        """The other rows."""
        return [(number, fields) for number, fields in self.rows if len(fields) != len(self.columns)]

    def records(self) -> list[tuple[int, dict[str, str]]]:
        """All rows, each with its number in the file. Raises ValueError where some have not as many fields as the
        head."""
        if torn := [str(number) for number, _ in self.torn()]:
            more = f" and {len(torn) - _NAMED} more" if len(torn) > _NAMED else ""
            raise ValueError(
                f"{self.path}, line {', '.join(torn[:_NAMED])}{more}: not as many fields as the head has; a tab or a "
                "line break in a text?"
            )
        return self.whole()


def read_table(path: Path) -> LineTable:
    """The table in a file; empty lines in it are passed over. Raises OSError, and ValueError where it is no such
    table."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows = [(reader.line_num, tuple(fields)) for fields in reader if fields]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no table in UTF-8: {error}") from error
    columns = rows[0][1] if rows else ()
    return LineTable(path, columns, tuple(rows[1:]))


def table_bytes(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """The file of a table. Fields hold neither tabs nor line breaks, as texts in their normal form do not."""
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    return text.getvalue().encode()
