"""The files that a job writes: their names, pages of a document, files of several pages."""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from text_recognizer.atomic_files import WORK, remove_folder, unfinished, whole_file, write_file
from text_recognizer.formats import FORMATS
from text_recognizer.formats.format import Format, Picture
from text_recognizer.page import Page

_LONGEST = 160  # bytes of a name: file systems take 255, and suffixes, numbers and temporary names are added
_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]")


@dataclass(frozen=True)
class Outputs:
    """The files of one document in the output folder.

    stem: see `Names`. count: pages of the document, all of them. formats: names. version: of what it is read
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
            write_file(self._file_of(form, number), form.write(page, picture), self._work)

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
            with whole_file(self.whole(form), unfinished(self._work)) as file:
                form.join(parts, file)
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


class Names:
    """Gives every document a stem: a path relative to the output folder, to which suffixes of formats are added.

    given: the stems that documents got in earlier runs, by the document's name; they keep them. Otherwise the first
    document gets its own name without the suffix. One that would share its outputs gets its name with the suffix, or
    with a number where that is the same, too. Names that some file system holds for the same (large and small letters,
    composed and decomposed accents) are the same here. suffixes: of all formats there are.
    """

    def __init__(self, given: Mapping[str, str], suffixes: Iterable[str] = ()) -> None:
        self._given = given
        #: a.alto + .xml and a + .alto.xml are one file.
        self._first_halves = tuple({suffix[: suffix.rindex(".")] for suffix in suffixes} - {""})
        self._taken: dict[str, str] = {}  # key of a stem -> that of the file that has it
        self._folders_of_pages: set[str] = set()
        for name, stem in given.items():
            self._take(self._key(stem), _same(name.rpartition("/")[2]))

    def stem(self, name: str, parts: tuple[str, ...]) -> str:
        """The stem of a document. name: of the document. parts: its folders among the inputs, and its file's name."""
        if name in self._given:
            return self._given[name]
        *folders, file = map(_harmless, parts)
        folder = PurePosixPath(*map(_shortened, folders))
        own = PurePosixPath(file).stem
        holder = self._taken.get(self._key(str(folder / _shortened(own))))
        wished = [own] if holder == _same(file) else [own, file]
        for candidate in itertools.chain(wished, (f"{own}-{number}" for number in itertools.count(2))):
            stem = str(folder / _shortened(candidate))
            if self._is_free(self._key(stem)):
                break
        self._take(self._key(stem), _same(file))
        return stem

    def _key(self, stem: str) -> str:
        key = _same(stem)
        for half in self._first_halves:
            key = key.removesuffix(half)
        return key

    def _is_free(self, key: str) -> bool:
        """Whether no other document has the same files, nor one whose pages are files in a folder of its own."""
        folder, _, last = key.rpartition("/")
        if key in self._taken or key in self._folders_of_pages:
            return False
        return not (_is_page(last) and folder in self._taken)

    def _take(self, key: str, file: str) -> None:
        self._taken[key] = file
        folder, _, last = key.rpartition("/")
        if folder and _is_page(last):
            self._folders_of_pages.add(folder)


def page_name(number: int) -> str:
    """The name of page `number`, from 1, where pages are files of their own."""
    return f"{number:04d}"


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _is_page(name: str) -> bool:
    return name.isdecimal() and len(name) >= 4


def _harmless(name: str) -> str:
    """A name that a file can have anywhere: composed, without control characters, bytes that are no UTF-8 as %ff."""
    composed = unicodedata.normalize("NFC", name)
    fit = _UNFIT.sub(lambda found: f"%{ord(found[0]) & 0xFF:02x}" if found[0] >= "\ud800" else "_", composed)
    return fit if fit.strip(".") else f"_{fit}"


def _shortened(name: str) -> str:
    """A name short enough for file systems, with a part of its hash where something was cut off."""
    data = name.encode()
    if len(data) <= _LONGEST:
        return name
    return data[: _LONGEST - 9].decode("utf-8", "ignore") + "~" + hashlib.sha256(data).hexdigest()[:8]
