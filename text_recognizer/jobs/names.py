"""What outputs are called: a place of its own in the output folder for every document, the same at every run."""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

_LONGEST = 160  # bytes of a name: file systems take 255, and suffixes, numbers and temporary names are added
_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]")


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
