"""CSV (RFC 4180): a row a line of the page, for spreadsheets and statistics.

The text is written as it was read, also where it begins with = + - or @, which spreadsheets may take for a formula:
import the column as text where a page comes from somebody who is not trusted.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from text_recognizer.formats.format import Format, Picture
from text_recognizer.formats.xml_files import box, number
from text_recognizer.page import Page

#: What each row holds. Lines, regions and columns are counted from 1; coordinates are pixels, confidences 0 to 1.
COLUMNS = (
    *("source", "line", "region", "kind", "column"),
    *("left", "top", "right", "bottom", "confidence", "text"),
)
_HEADER = (",".join(COLUMNS) + "\r\n").encode()


class CsvFormat(Format):
    """CSV in UTF-8 with a header, rows ended by CR LF."""

    name = "csv"
    suffix = ".csv"
    media_type = "text/csv"
    several = True

    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """The lines of the page in reading order; the header alone where it has none."""
        places = {line: (count, region) for count, region in enumerate(page.regions, 1) for line in region.lines}
        target = io.StringIO(newline="")
        rows = csv.writer(target)
        for count, line in enumerate(page.lines):
            part, region = places.get(count, ("", None))
            kind, column = (region.kind, region.column) if region else ("", None)
            edges = [number(edge) for edge in box(line.polygon)] if line.polygon else [""] * 4
            where = [page.source or "", count + 1, part, kind, "" if column is None else column + 1]
            rows.writerow([*where, *edges, round(line.confidence, 4), line.text])
        return _HEADER + target.getvalue().encode("utf-8", "backslashreplace")

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """All rows under one header; `source` tells the pages apart."""
        target.write(_HEADER)
        for part in parts:
            target.write(part.read_bytes().removeprefix(_HEADER))
