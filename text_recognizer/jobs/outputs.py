"""Where the pages of a document are written, and its files of several pages, put together at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from text_recognizer.formats import FORMATS
from text_recognizer.formats.format import Format, Picture
from text_recognizer.jobs.files import WORK, remove_folder, write_bytes, write_whole
from text_recognizer.jobs.names import page_name
from text_recognizer.page import Page


@dataclass(frozen=True)
class Outputs:
    """The files of one document in the output folder.

    stem: see `names.Names`. count: pages of the document, all of them. formats: names. version: of what it is read
    with; parts that were read with something else are not mixed.

    A document of one page is STEM.suffix. One of several is STEM.suffix too, where the format can hold them: its pages
    are parts in the working folder until all are there. Otherwise it is the folder STEM, with a file a page.
    """

    folder: Path
    stem: str
    count: int
    formats: tuple[str, ...]
    version: str

    @property
    def joined(self) -> list[Format]:
        """The formats of which the document is one file, put together from parts."""
        return [form for form in map(FORMATS.__getitem__, self.formats) if self.count > 1 and form.several]

    def whole(self, form: Format) -> Path:
        """The file of a document."""
        return self.folder / f"{self.stem}{form.suffix}"

    def part(self, form: Format, page: int) -> Path:
        """The part of a file that is put together later."""
        return self._parts / f"{page_name(page)}{form.suffix}"

    def files(self, page: int) -> list[Path]:
        """The files in which page `page`, from 1, is in the end."""
        return [self.whole(form) if form in self.joined else self._file_of(form, page) for form in self._forms]

    def write(self, page: Page, number: int, picture: Picture) -> None:
        """Write page `number` in all formats. Raises OSError, and ValueError where a format cannot hold the page."""
        for form in self._forms:
            write_bytes(self._file_of(form, number), form.write(page, picture), self._work)

    def missing(self, read: Iterable[int]) -> list[int]:
        """Those pages of `read` whose files are not there."""
        own = [form for form in self._forms if form not in self.joined]
        return [number for number in read if not all(self._file_of(form, number).exists() for form in own)]

    def without_parts(self, read: Iterable[int]) -> list[int]:
        """Those pages of `read` that joining would leave out."""
        return [number for number in read if not all(self.part(form, number).exists() for form in self.joined)]

    def is_joined(self) -> bool:
        """Whether the files of several pages are there, and no part has been written since."""
        there = all(self.whole(form).exists() for form in self.joined)
        return there and (not self._parts.exists() or self._mark.exists())

    def begin(self) -> None:
        """Before parts are written: those of other versions go, and what is joined is no more up to date."""
        self._mark.unlink(missing_ok=True)
        if self._parts.parent.exists():
            for other in self._parts.parent.iterdir():
                if other != self._parts:
                    remove_folder(other, self._work)

    def join(self, pages: Sequence[int], keep: bool) -> None:
        """Put the parts of pages together. keep: the parts, because pages are missing that may be read later."""
        for form in self.joined:
            parts = [self.part(form, number) for number in pages]
            write_whole(self.whole(form), partial(form.join, parts), self._work)
        if keep:
            self._mark.touch()
        else:
            remove_folder(self._parts.parent, self._work)

    @property
    def _forms(self) -> list[Format]:
        return [FORMATS[name] for name in self.formats]

    def _file_of(self, form: Format, number: int) -> Path:
        """The file into which page `number` is written."""
        if form in self.joined:
            return self.part(form, number)
        if self.count == 1:
            return self.whole(form)
        return self.folder / self.stem / f"{page_name(number)}{form.suffix}"

    @property
    def _work(self) -> Path:
        return self.folder / WORK

    @property
    def _parts(self) -> Path:
        document = hashlib.sha256(self.stem.encode()).hexdigest()[:24]  # short, whatever the stem
        return self._work / "parts" / document / self.version

    @property
    def _mark(self) -> Path:
        return self._parts / "joined"


def check_formats(formats: Sequence[str]) -> None:
    """Raises ValueError where two formats would be files of one name."""
    for number, name in enumerate(formats):
        for other in formats[:number]:
            if FORMATS[name].suffix == FORMATS[other].suffix and name != other:
                raise ValueError(f"{other} and {name} would be files of one name: choose one of them")
