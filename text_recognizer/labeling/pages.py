"""The pages in a folder, each with a name of its own, and what the model read in them."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from text_recognizer.atomic_files import write_file
from text_recognizer.images import ImageError, open_document
from text_recognizer.labeling.outlines import SAME_LINE, best_overlap
from text_recognizer.lines_tsv import TABLE
from text_recognizer.page import Line, Page, Polygon

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".pdf"))
_SEVERAL = frozenset((".tif", ".tiff", ".pdf"))  # which may hold several pages
_FRESH = 2.0  # seconds for which a listing of the folder is taken for true

Stamp = tuple[int, int]


class UnknownPage(ValueError):  # noqa: N818
    """There is no page of that name, or not any more."""


class PageFiles:
    """The pages below a folder. Its methods may be called from several threads.

    skip: name of a folder directly below, in which there are none. Raises FileNotFoundError where the folder is not
    there, ValueError where there is no image in it or it is something else.
    """

    def __init__(self, folder: Path, skip: str) -> None:
        self.folder, self._skip = folder, skip
        if not folder.exists():
            raise FileNotFoundError(f"{folder} does not exist: name a folder of page images")
        if not folder.is_dir():
            raise ValueError(f"{folder} is a file: name the folder that it is in")
        if (folder / TABLE).is_file():
            raise ValueError(f"{folder} is a folder of lines with their text: name one of page images")
        if next(self._paths(folder), None) is None:
            kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
            raise ValueError(f"there are no images in {folder}: put some into it ({kinds})")
        self._counts: dict[Path, tuple[Stamp, int]] = {}
        self._names: dict[str, tuple[Path, int]] = {}
        self._until = 0.0
        self._lock = threading.Lock()

    def pages(self) -> list[str]:
        """The names in natural order. A document that cannot be opened has one."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._names = {name: place for path in self._paths(self.folder) for name, place in self._of(path)}
                self._until = time.monotonic() + _FRESH
            return list(self._names)

    def check(self, page: str) -> None:
        """Raises UnknownPage where there is no such page."""
        self._place(page)

    def stamp(self, page: str) -> Stamp | None:
        """What changes when the file of a page does; None where it is gone. Raises UnknownPage."""
        return _stamp(self._place(page)[0])

    def pixels(self, page: str) -> NDArray[np.uint8]:
        """The page as `images.open_document` gives it. Raises UnknownPage, ImageError."""
        path, number = self._place(page)
        if not path.exists():
            self._until = 0.0
            raise UnknownPage(f"there is no page {page!r} any more")
        with open_document(path) as document:
            if number >= len(document):
                raise ImageError(f"{path} has {len(document)} pages now, and page {number + 1} was asked for")
            return document.page(number)

    def _place(self, page: str) -> tuple[Path, int]:
        if page not in self._names:
            self.pages()
        if page not in self._names:
            self._until = 0.0  # it may have been put there a moment ago
            self.pages()
        try:
            return self._names[page]
        except KeyError:
            raise UnknownPage(f"there is no page {page!r} in {self.folder}") from None

    def _paths(self, folder: Path) -> Iterator[Path]:
        """The documents below a folder: of each folder its files first, then its folders, both in natural order."""
        folders = []
        for entry in sorted(folder.iterdir(), key=lambda entry: _natural(entry.name)):
            if entry.name.startswith(".") or not _is_text(entry.name):
                continue
            if entry.is_dir():
                if not entry.is_symlink() and entry != self.folder / self._skip:  # links may go round in circles
                    folders.append(entry)
            elif entry.suffix.lower() in SUFFIXES:
                yield entry
        for inner in folders:
            yield from self._paths(inner)

    def _of(self, path: Path) -> Iterator[tuple[str, tuple[Path, int]]]:
        name, count = path.relative_to(self.folder).as_posix(), self._count(path)
        for number in range(count):
            yield (name if count == 1 else f"{name}#page={number + 1}"), (path, number)

    def _count(self, path: Path) -> int:
        """How many pages a document has; 1 where it cannot be opened: reading it says why."""
        if path.suffix.lower() not in _SEVERAL:
            return 1
        stamp = _stamp(path)
        if path not in self._counts or self._counts[path][0] != stamp:
            try:
                with open_document(path) as document:
                    count = len(document)
            except ImageError:
                count = 1
            self._counts[path] = (stamp or (0, 0), count)
        return self._counts[path][1]


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _is_text(name: str) -> bool:
    """Whether a name can be written into a file: bytes that are no UTF-8 and line breaks cannot."""
    return not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name)


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts names as people do: page 2 before page 10, large and small letters alike."""
    pieces = re.split(r"([0-9]+)", name)
    digits = [piece.lstrip("0") if number % 2 else piece.casefold() for number, piece in enumerate(pieces)]
    return [(len(piece) if number % 2 else 0, piece) for number, piece in enumerate(digits)], name


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
