"""Folders and files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(folder: Path, replace: bool = False) -> Iterator[Path]:
    """A new folder to write into; it takes its place as `folder` at the end, or vanishes with an exception.

    Where `folder` is there already (another process has made it meanwhile), it stays, unless it is to be replaced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Of a name that nobody else has: process numbers are not enough where containers share a volume.
    partial = folder.with_name(f".{folder.name}.partial-{uuid.uuid4().hex}")
    partial.mkdir()
    old = partial.with_name(f"{partial.name}.old")
    try:
        yield partial
        if replace and folder.exists():
            folder.rename(old)
        if not folder.exists():
            try:
                partial.rename(folder)
            except OSError:
                if not folder.exists():  # else another one was made at this very moment
                    raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_file(path: Path, data: bytes) -> None:
    """Write a file that takes its place at the end; with an exception what stood there stays. Folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{uuid.uuid4().hex}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def append_line(path: Path, line: bytes) -> None:
    """Append a line without its line feed to a file that is made where it is missing; on the disk when this returns.

    Whole or not at all, a kill apart: that leaves a last line without a line feed, which is none and is overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        size = file.read().rfind(b"\n") + 1
        file.truncate(size)
        try:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, size)
            raise
