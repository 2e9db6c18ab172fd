"""Readings on the screen: the page alone, or several one after the other, as the format has it."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from text_recognizer.formats.format import Format, Picture
from text_recognizer.page import Page


class Screen:
    """Writes pages to stdout, each as soon as it is read. Use as a context.

    Of several, JSON is one document, a list; texts stand under the names of their pages; other formats that can hold
    several pages are one file, which comes at the end.
    """

    def __init__(self, form: Format, several: bool) -> None:
        self._form, self._several = form, several
        self._headed = form.media_type in ("text/plain", "text/markdown") or not form.several
        self._listed = form.name == "json"
        self._parts: list[Path] = []
        self._count = 0
        self._stack = ExitStack()

    def __enter__(self) -> Screen:
        if self._several and not self._headed and not self._listed:
            self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._stack:
            if not self._several or kind is not None:
                return
            if self._listed:
                _print(b"\n]\n" if self._count else b"[]\n")
            elif self._parts:
                self._form.join(self._parts, sys.stdout.buffer)
                sys.stdout.buffer.flush()

    def write(self, page: Page, picture: Picture) -> None:
        """Write one page. Raises ValueError where the format cannot hold it."""
        data = self._form.write(page, picture)
        if not self._several:
            _print(data)
        elif self._listed:
            _print((b",\n" if self._count else b"[\n") + data.rstrip(b"\n"))
        elif self._headed:
            _print(f"==> {page.source} <==\n".encode("utf-8", "backslashreplace") + data + b"\n")
        else:
            self._parts.append(self._folder / f"{self._count:06d}{self._form.suffix}")
            self._parts[-1].write_bytes(data)
        self._count += 1


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
