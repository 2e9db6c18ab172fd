"""A document's bytes and pages, the last one kept open, and the choice of its pages: "1-3,7" or "5-"."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

from text_recognizer.images import ImageError, open_document
from text_recognizer.images.open import read_file
from text_recognizer.jobs.sources import STDIN, Archive, Source

MAX_PAGES = 100_000


class OpenDocument:
    """A document that is open. sha256: of its bytes. jpeg: they themselves, where they are a JPEG picture."""

    def __init__(self, source: Source, data: bytes, sha256: str, max_pixels: int, dpi: int) -> None:
        self.name, self.sha256 = source.name, sha256
        self.document = open_document(data, max_pixels, MAX_PAGES, dpi, source.name)
        self.jpeg = data if self.document.kind == "JPEG" else None

    def __len__(self) -> int:
        return len(self.document)

    def page_source(self, number: int) -> str:
        """What page `number`, from 1, is called: see `Page.source`."""
        return page_source(self.name, number, len(self))


class Opener:
    """Opens documents, and keeps the last one and the last archive. max_pixels, dpi: of `images.open_document`."""

    def __init__(self, max_pixels: int, dpi: int) -> None:
        self.max_pixels, self.dpi = max_pixels, dpi
        self._last: OpenDocument | None = None
        self._archive: Archive | None = None

    def open(self, source: Source) -> OpenDocument:
        """The document. Raises UnreadableError where it cannot be read, ImageError where there is nothing to read."""
        if self._last is not None and self._last.name == source.name:
            return self._last
        self.close()
        data = self._fetch(source)
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            self._last = OpenDocument(source, data, sha256, self.max_pixels, self.dpi)
        except ImageError as error:
            raise UnreadableError(str(error), sha256) from error
        return self._last

    def close(self) -> None:
        """Give the last document back."""
        if self._last is not None:
            self._last.document.close()
            self._last = None

    def _fetch(self, source: Source) -> bytes:
        """The bytes of a document. Raises ImageError."""
        if source.error is not None:
            raise ImageError(source.error)
        if source.path == STDIN:
            return sys.stdin.buffer.read()
        path = Path(source.path)
        if source.member is None:
            return read_file(path)
        if self._archive is None or self._archive.path != path:
            if self._archive is not None:
                self._archive.close()
            self._archive = Archive(path)
        return self._archive.read(source.member)


class UnreadableError(ImageError):
    """A document that has bytes, but no pages that can be read. sha256: of the bytes."""

    def __init__(self, message: str, sha256: str) -> None:
        super().__init__(message)
        self.sha256 = sha256


def page_source(name: str, number: int, count: int) -> str:
    """What page `number`, from 1, of a document of `count` pages is called (RFC 8118)."""
    return name if count == 1 else f"{name}#page={number}"


class PageNumbers:
    """Page numbers from 1 that a text such as "1-3,7" or "5-" names; an empty text names all. Raises ValueError."""

    def __init__(self, text: str = "") -> None:
        self.text = "".join(text.split())
        self._ranges = [_range(part) for part in self.text.split(",")] if self.text else [(1, None)]

    def of(self, count: int) -> list[int]:
        """Those that a document of `count` pages has, in the document's order."""
        return sorted(
            {
                number
                for first, last in self._ranges
                for number in range(first, min(count, count if last is None else last) + 1)
            }
        )


def _range(part: str) -> tuple[int, int | None]:
    found = re.fullmatch(r"([0-9]{1,9})(?:(-)([0-9]{0,9}))?", part)
    if found is None:
        raise ValueError(f"--pages takes numbers and ranges such as 1-3,7 or 5-, not {part!r}")
    first = int(found[1])
    last = first if found[2] is None else int(found[3]) if found[3] else None
    if first < 1 or (last is not None and last < first):
        raise ValueError(f"--pages counts from 1 and upwards, not {part!r}")
    return first, last
