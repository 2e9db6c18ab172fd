"""What the model read in pages: a file a page, in the package's JSON format, with the names of its lines."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from text_recognizer.folders import write_file
from text_recognizer.page import Line, Page, Polygon
from text_recognizer.service.labeling.overlap import SAME_LINE, best_overlap


class Readings:
    """The folder of the files, made when the first one is written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, page: str) -> tuple[Page | None, list[str]]:
        """The reading of a page and the names of its lines; None where there is none.

        One that is damaged is as good as none: the model reads the page again.
        """
        try:
            data = json.loads(self._file(page).read_bytes())
            reading, names = Page.from_dict(data), [str(name) for name in data["ids"]]
        except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
            return None, []
        return (reading, names) if len(set(names)) == len(reading.lines) == len(names) else (None, [])

    def write(self, page: str, reading: Page, labelled: Mapping[str, Polygon]) -> None:
        """Keep a reading of a page. labelled: outlines of lines that have labels, by name.

        Lines that were known already keep their names. Raises OSError.
        """
        before, names = self.read(page)
        known = dict(zip(names, (line.polygon for line in before.lines), strict=True)) if before else {}
        data = replace(reading, source=page).to_dict() | {"ids": _named(reading.lines, known | dict(labelled))}
        write_file(self._file(page), (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode())

    def stamp(self, page: str) -> tuple[int, int] | None:
        """What changes when the reading of a page does; None where there is none."""
        try:
            status = self._file(page).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def _file(self, page: str) -> Path:
        name = quote(page, safe=" ")
        if len(name) > 180:  # file systems allow 255 bytes
            name = f"{name[:120]}-{hashlib.sha256(page.encode()).hexdigest()[:16]}"
        return self._folder / f"{name}.json"


def _named(lines: Sequence[Line], known: Mapping[str, Polygon]) -> list[str]:
    """Names for the lines of a new reading: of the known lines that they cover, or new ones."""
    left = dict(known)
    numbers = [int(match[1]) for name in known if (match := re.fullmatch(r"l(\d{1,9})", name))]
    number, names = max(numbers, default=0), []
    for line in lines:
        found, overlap = best_overlap(line.polygon, list(left.values()))
        if overlap >= SAME_LINE:
            names.append(list(left)[found])
            del left[names[-1]]
        else:
            number += 1
            names.append(f"l{number:04d}")
    return names
