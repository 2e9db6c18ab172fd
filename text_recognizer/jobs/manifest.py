"""The record of a job: a row a page in `manifest.jsonl`, only ever added to, from which a job goes on."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from text_recognizer.atomic_files import mend_tail

NAME = "manifest.jsonl"
_SYNC = 1.0  # seconds between two that wait for the disk: what is lost with the power is read again
WHOLE = 0  # stands for the page where a row is about a document


@dataclass(frozen=True)
class Row:
    """What became of a page.

    source: the document's name. page: from 1; None where the whole document failed. pages: of the document; None where
    that is not known. sha256: of the document; None where it has no bytes. status: "read" or "failed"; error says why.
    milliseconds: for opening, reading and writing. confidence: mean of the lines, None without lines. outputs: relative
    to the output folder. stem: see `outputs.Names`. text: whether the page of the PDF held text already. models,
    settings: what it was read with.
    """

    source: str
    page: int | None
    pages: int | None
    sha256: str | None
    status: str
    error: str | None = None
    milliseconds: float = 0.0
    confidence: float | None = None
    lines: int | None = None
    text: bool = False
    outputs: tuple[str, ...] = ()
    stem: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Of the document and of what it was read with."""
        return version_of(self.sha256, self.models, self.settings)


def version_of(sha256: str | None, models: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """A short text that changes with a document, the models, or the settings."""
    text = json.dumps([sha256, dict(models), dict(settings)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(slots=True)
class Done:
    """What has been done of a document. pages: its page numbers (`WHOLE` for the document) -> whether it was read."""

    stem: str
    version: str
    pages: dict[int, bool] = field(default_factory=dict)


class Manifest:
    """The manifest of an output folder, open for adding rows. A last row that is torn, for the process was killed while
    it was written, is cut off. damaged: rows that are no rows, which are passed over. Raises OSError.

    done: what has been done, by the names of documents.
    """

    def __init__(self, folder: Path, again: bool = False) -> None:
        self.path = folder / NAME
        self.damaged = 0
        if again and self.path.exists():
            self.path.replace(self.path.with_name("manifest.old.jsonl"))
        self._file = self.path.open("ab+")
        mend_tail(self._file)
        self._synced = time.monotonic()
        self.done: dict[str, Done] = {}
        for row in self._rows():
            self._count(row)

    def add(self, row: Row) -> None:
        """Add a row; it survives the end of this process at once, and that of the machine after a second."""
        text = json.dumps(asdict(row), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        self._file.write(text)
        self._file.flush()
        if time.monotonic() - self._synced > _SYNC:
            self._sync()
        self._count(row)

    def close(self) -> None:
        """Write everything to the disk."""
        self._sync()
        self._file.close()

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _count(self, row: Row) -> None:
        done = self.done.get(row.source)
        if done is None or done.version != row.version:
            done = self.done[row.source] = Done(row.stem, row.version)
        done.pages[row.page or WHOLE] = row.status == "read"
        if row.page is not None:
            done.pages.pop(WHOLE, None)  # it could be opened

    def _rows(self) -> Iterator[Row]:
        self._file.seek(0)
        for line in self._file:
            try:
                data = json.loads(line)
                row = Row(**data)
                if not isinstance(row.source, str) or not isinstance(row.stem, str):
                    raise TypeError
                yield row
            except (ValueError, TypeError):
                self.damaged += 1
        self._file.seek(0, os.SEEK_END)
