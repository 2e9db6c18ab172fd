"""Documents in zip archives: listed without unpacking, unpacked one at a time in memory, within limits."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from text_recognizer.images import ImageError

MAX_MEMBER = 500_000_000  # bytes of a document, unpacked: a member is held in memory
_MAX_MEMBERS = 1_000_000
#: What zipfile raises for damaged archives; RuntimeError: encrypted, NotImplementedError: of an unknown method.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)


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
