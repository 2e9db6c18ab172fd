"""Folders that appear whole or not at all, under keys that change with what they were made from."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(folder: Path, replace: bool = False) -> Iterator[Path]:
    """A new folder to write into; it takes its place as `folder` at the end, or vanishes with an exception.

    Where `folder` is there already (another process has made it meanwhile), it stays, unless it is to be replaced.
    """
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    old = partial.with_name(f"{partial.name}.old")
    try:
        yield partial
        if replace and folder.exists():
            folder.rename(old)
        if not folder.exists():
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def fingerprint(*parts: object) -> str:
    """Eight characters that change with the parts; a path counts with its place, its size and its time of change."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
        if isinstance(part, Path) and part.exists():
            status = part.stat()
            digest.update(f"{part.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:8]
