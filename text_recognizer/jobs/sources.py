"""What there is to read: files, folders, globs, zip archives and stdin as documents, in natural order."""

from __future__ import annotations

import glob
import os
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from text_recognizer.images import ImageError

#: Files of folders and archives that are taken for documents; a file that is named itself may end as it likes.
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".pdf"))
ARCHIVES = frozenset((".zip",))
STDIN = "-"

MAX_MEMBER = 500_000_000  # bytes of a document, unpacked: a member is held in memory
_MAX_MEMBERS = 1_000_000
#: What zipfile raises for damaged archives; RuntimeError: encrypted, NotImplementedError: of an unknown method.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Source:
    """A document that is to be read.

    path: the file that holds its bytes, "-" for those of stdin. name: how it is shown and recorded; no other has it.
    parts: where it is among the inputs, its folders and its file's name. member: which entry of the zip archive at
    `path` it is, from 0. size: bytes, as far as is known. error: why there is nothing to open.
    """

    path: str
    name: str
    parts: tuple[str, ...]
    member: int | None = None
    size: int = 0
    error: str | None = None


class Sources:
    """The documents that arguments of the command stand for. Iterate, as often as needed: nothing is kept.

    arguments: files, folders (with all that is in them, but for hidden files), globs, zip archives, "-". skip: a folder
    that is passed over, because outputs lie there. passed_over: how many files of folders and archives were of no kind
    that is known, counted by the last iteration. A document that several arguments stand for comes once.
    """

    def __init__(self, arguments: Iterable[str], skip: Path | None = None) -> None:
        self.arguments = list(arguments)
        self._skip = skip.resolve() if skip is not None else None
        self.passed_over = 0

    def __iter__(self) -> Iterator[Source]:
        self.passed_over = 0
        several = len(self.arguments) > 1
        seen: set[str] | None = set() if several else None
        bases: Counter[str] = Counter()
        for argument in self.arguments:
            for source in self._of(argument, several, bases):
                if seen is not None:
                    if source.name in seen:
                        continue
                    seen.add(source.name)
                yield source

    def _of(self, argument: str, several: bool, bases: Counter[str]) -> Iterator[Source]:
        if argument == STDIN:
            yield Source(STDIN, STDIN, ("stdin",))
        elif not os.path.lexists(argument) and glob.has_magic(argument):
            yield from self._matches(argument)
        elif Path(argument).is_dir():
            base: tuple[str, ...] = ()
            if several:  # each folder has one of its own in the outputs
                name = Path(argument).resolve().name
                bases[name] += 1
                base = (name if bases[name] == 1 else f"{name}-{bases[name]}",)
            yield from self._folder(Path(argument), base)
        else:
            yield from _file(Path(argument), ())

    def _matches(self, pattern: str) -> Iterator[Source]:
        """What a glob matches; outputs mirror the folders after the part of it that is fixed."""
        fixed = 0
        parts = PurePath(pattern).parts
        while not glob.has_magic(parts[fixed]):
            fixed += 1
        found = sorted(glob.iglob(pattern, recursive=True), key=natural)  # noqa: PTH207 - pathlib's takes no whole path
        if not found:
            yield Source(pattern, shown(pattern), (shown(pattern),), error=f"{shown(pattern)} matches no file")
        for match in map(Path, found):
            base = PurePath(match).parts[fixed:]
            if match.is_dir() and "**" not in parts:
                yield from self._folder(match, base)
            elif match.is_file():
                yield from self._known(match, base[:-1])

    def _folder(self, folder: Path, base: tuple[str, ...]) -> Iterator[Source]:
        if self._skip is not None and folder.resolve() == self._skip:
            return
        try:
            entries = sorted(folder.iterdir(), key=lambda entry: natural(entry.name))
        except OSError as error:
            message = f"{shown(folder)} cannot be listed: {error.strerror or error}"
            yield Source(str(folder), shown(folder), (*base, shown(folder.name)), error=message)
            return
        folders = []
        for entry in entries:
            if entry.is_dir():
                if not entry.name.startswith(".") and not entry.is_symlink():  # links may go round in circles
                    folders.append(entry)
            else:
                yield from self._known(entry, base)
        for entry in folders:
            yield from self._folder(entry, (*base, entry.name))

    def _known(self, path: Path, base: tuple[str, ...]) -> Iterator[Source]:
        """A file that nobody named itself."""
        if not path.name.startswith(".") and path.suffix.lower() in SUFFIXES | ARCHIVES and path.is_file():
            yield from _file(path, base, self)
        else:
            self.passed_over += 1


def _file(path: Path, base: tuple[str, ...], counting: Sources | None = None) -> Iterator[Source]:
    name = shown(path)
    try:
        status = path.stat()
    except OSError:
        status = None  # opening it says what is the matter
    if status is None or path.suffix.lower() not in ARCHIVES:
        piped = status is not None and (stat.S_ISFIFO(status.st_mode) or stat.S_ISCHR(status.st_mode))
        yield Source(str(path), name, (*base, path.name), size=0 if status is None or piped else status.st_size)
        return
    inside = (*base, path.stem)
    try:
        for number, member in members(path):
            parts = tuple(part for part in re.split(r"[/\\]", member.name) if part not in ("", ".", ".."))
            if not parts or PurePath(parts[-1]).suffix.lower() not in SUFFIXES or _is_hidden(parts):
                if counting is not None:
                    counting.passed_over += 1
                continue
            full = f"{name}/{shown(member.name)}" + (f" ({member.repeated + 1})" if member.repeated else "")
            yield Source(str(path), full, (*inside, *parts), number, member.size, member.error)
    except ValueError as error:
        yield Source(str(path), name, (*base, path.name), error=str(error))


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts names as people do: page 2 before page 10, large and small letters alike."""
    pieces = re.split(r"([0-9]+)", name)
    digits = [piece.lstrip("0") if number % 2 else piece.casefold() for number, piece in enumerate(pieces)]
    return [(len(piece) if number % 2 else 0, piece) for number, piece in enumerate(digits)], name


def shown(path: str | Path) -> str:
    """A path as text that every file can hold: bytes of it that are no UTF-8 as \\xff."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Member:
    """A file in an archive. repeated: how many before it have the same name. error: why it cannot be read."""

    name: str
    size: int
    repeated: int
    error: str | None


def members(path: Path) -> Iterator[tuple[int, Member]]:
    """The files in an archive with their numbers, in its order. Raises ImageError where it is none, or damaged."""
    repeated: Counter[str] = Counter()
    with _opened(path) as archive:
        for number, info in enumerate(archive.infolist()):
            if info.is_dir():
                continue
            yield number, Member(info.filename, info.file_size, repeated[info.filename], _refusal(path, info))
            repeated[info.filename] += 1


class Archive:
    """The members of an archive by number, for as long as it is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip = _opened(path)

    def read(self, number: int) -> bytes:
        """The bytes of a member. Raises ImageError where it is damaged, encrypted or too large."""
        info = self._zip.infolist()[number]
        refusal = _refusal(self.path, info)
        if refusal is not None:
            raise ImageError(refusal)
        try:
            with self._zip.open(info) as file:
                data = file.read(MAX_MEMBER + 1)  # what the archive says of its members may be wrong
        except (*_DAMAGE, MemoryError) as error:
            raise ImageError(f"{self.path}/{info.filename} is damaged: {error}") from error
        if len(data) > MAX_MEMBER:
            raise ImageError(_too_large(self.path, info))
        return data

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise ImageError(f"{path} is no zip archive, or a damaged one: {error}") from error
    if len(archive.infolist()) > _MAX_MEMBERS:
        archive.close()
        raise ImageError(f"{path} holds more than {_MAX_MEMBERS:,} files: split it")
    return archive


def _refusal(path: Path, info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & 1:
        return f"{path}/{info.filename} is encrypted: unpack the archive with its password first"
    if info.file_size > MAX_MEMBER:
        return _too_large(path, info)
    return None


def _too_large(path: Path, info: zipfile.ZipInfo) -> str:
    return f"{path}/{info.filename} is larger than {MAX_MEMBER // 1_000_000} MB unpacked: unpack it first"
