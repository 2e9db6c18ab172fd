"""Documents and outputs on any store that fsspec knows: a folder, s3://, gs://, az://, memory://."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from text_recognizer.jobs.sources import SUFFIXES, Source, natural


class Store:
    """A folder of a store. url: a path, or what fsspec takes. Raises ValueError for a protocol that is not known."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._files, self._root = _opened(url)

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all. name: relative to the folder. Raises OSError."""
        path = f"{self._root}/{name}"
        if not _is_local(self._files):
            self._files.pipe_file(path, data)  # object stores show a file once it is there
            return
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        partial = f"{path.rpartition('/')[0]}/.{uuid.uuid4().hex}"
        try:
            self._files.pipe_file(partial, data)
            self._files.mv(partial, path)
        finally:
            if self._files.exists(partial):
                self._files.rm_file(partial)

    def read_all(self, folder: str) -> Iterator[bytes]:
        """The files of a sub-folder, by their names; none where it is not there."""
        path = f"{self._root}/{folder}"
        for name in sorted(self._files.find(path)) if self._files.exists(path) else ():
            yield self._files.cat_file(name)


def documents(urls: Iterable[str]) -> Iterator[Source]:
    """The documents that files, folders (with all that is in them) and globs of stores stand for, each once.

    One that cannot be listed has an `error`.
    """
    seen: set[str] = set()
    for url in urls:
        try:
            for source in _documents(url):
                if source.name not in seen:
                    seen.add(source.name)
                    yield source
        except (OSError, ValueError) as error:
            yield Source(url, url, (PurePosixPath(url).name or url,), error=f"{url} cannot be listed: {error}")


def read_document(path: str) -> bytes:
    """The bytes of a document. Raises OSError."""
    files, inside = _opened(path)
    return bytes(files.cat_file(inside))


def _documents(url: str) -> Iterator[Source]:
    files, path = _opened(url)
    if any(sign in path for sign in "*?["):
        fixed = path[: min(path.index(sign) for sign in "*?[" if sign in path)].rpartition("/")[0]
        found = [name for name in files.glob(path) if files.isfile(name)]
    elif files.isdir(path):
        fixed, found = path.rstrip("/"), files.find(path)
    elif files.exists(path):
        fixed, found = path.rpartition("/")[0], [path]
    else:
        raise FileNotFoundError("it does not exist")
    for name in sorted(found, key=natural):
        parts = tuple(part for part in name.removeprefix(fixed).split("/") if part)
        known = name == path or (PurePosixPath(name).suffix.lower() in SUFFIXES and not _is_hidden(parts))
        if known:
            full = name if _is_local(files) else files.unstrip_protocol(name)
            yield Source(full, full, parts)


def _opened(url: str):  # type: ignore[no-untyped-def]
    """The file system of a URL, and the path in it."""
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ValueError(f"{url} cannot be reached: {error}") from error
    return files, path.rstrip("/")


def _is_local(files) -> bool:  # type: ignore[no-untyped-def]
    return "file" in files.protocol


def _is_hidden(parts: tuple[str, ...]) -> bool:
    return any(part.startswith(".") for part in parts)
