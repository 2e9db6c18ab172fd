"""What the machines of a cluster do: count pages, read them, write them to a store that fsspec knows."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from text_recognizer.formats import FORMATS
from text_recognizer.images import ImageError, open_document
from text_recognizer.jobs.documents import MAX_PAGES, Opener, PageNumbers
from text_recognizer.jobs.manifest import Row
from text_recognizer.jobs.outputs import page_name
from text_recognizer.jobs.sources import SUFFIXES, Source, natural
from text_recognizer.jobs.worker import Reader, Recipe, read_page

_OF_ONE_PAGE = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def pages_of(document: dict[str, Any], numbers: str, recipe: Recipe) -> list[dict[str, Any]]:
    """The pages of a document that are still to be read; one row with an error where it cannot be opened.

    document: source, stem, error, and done: the pages that were read before, with commas between them. Only documents
    that may have several pages are opened for it.
    """
    common = {"source": document["source"], "stem": document["stem"]}
    error, count = document["error"], 1
    if not error and not document["source"].lower().endswith(_OF_ONE_PAGE):
        try:
            data = read_document(document["source"])
            with open_document(data, recipe.max_pixels, MAX_PAGES, recipe.dpi, document["source"]) as opened:
                count = len(opened)
        except (ImageError, OSError) as trouble:
            error = str(trouble)
    if error:
        return [{**common, "page": 0, "pages": 0, "error": error}]
    done = {int(number) for number in document["done"].split(",") if number}
    todo = [number for number in PageNumbers(numbers).of(count) if number not in done]
    return [{**common, "page": number, "pages": count, "error": ""} for number in todo]


class PageReader:
    """Reads pages and writes them to a store; the last document stays open, for its pages mostly come together."""

    def __init__(self, recipe: Recipe, formats: Sequence[str], output: str) -> None:
        self._reader = Reader(recipe)
        self._formats = [FORMATS[name] for name in formats]
        self._store = Store(output)
        self._settings = recipe.settings() | {"formats": sorted(formats)}
        self._opener = StoreOpener(recipe.max_pixels, recipe.dpi)

    def __call__(self, task: dict[str, Any]) -> dict[str, str]:
        """Read the page of a row of `pages_of`. The answer has a row of the manifest, as JSON."""
        begin = time.perf_counter()
        row = self._failed(task, task["error"]) if task["error"] else self._read(task)
        spent = round(1000 * (time.perf_counter() - begin), 1)
        return {"row": json.dumps(asdict(row) | {"milliseconds": spent, "worker": os.getpid()}, ensure_ascii=False)}

    def _read(self, task: dict[str, Any]) -> Row:
        number = int(task["page"])
        try:
            document = self._opener.open(Source(task["source"], task["source"], (task["source"],)))
            page, picture = read_page(self._reader, document, number, [form.name for form in self._formats])
            outputs = []
            for form in self._formats:
                several = task["pages"] > 1
                outputs.append(f"{task['stem']}{f'/{page_name(number)}' if several else ''}{form.suffix}")
                self._store.write(outputs[-1], form.write(page, picture))
        except (ImageError, OSError) as error:
            return self._failed(task, str(error))
        except Exception as error:  # of a page that nobody foresaw: the others are still read
            return self._failed(task, f"{type(error).__name__}: {error}")
        return Row(
            source=task["source"],
            page=number,
            pages=int(task["pages"]),
            sha256=document.sha256,
            status="read",
            confidence=round(page.confidence, 4) if page.lines else None,
            lines=len(page.lines),
            text=document.document.has_text(number - 1),
            outputs=tuple(outputs),
            stem=task["stem"],
            models=self._reader.models,
            settings=self._settings,
        )

    def _failed(self, task: dict[str, Any], error: str) -> Row:
        return Row(
            source=task["source"],
            page=int(task["page"]) or None,
            pages=int(task["pages"]) or None,
            sha256=None,
            status="failed",
            error=error,
            stem=task["stem"],
            models=self._reader.models,
            settings=self._settings,
        )


class StoreOpener(Opener):
    """Opens documents of any store."""

    def _fetch(self, source: Source) -> bytes:
        return read_document(source.path)


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
