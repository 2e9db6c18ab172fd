"""Keys that change with what prepared data were made from."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(*parts: object) -> str:
    """Eight characters that change with the parts.

    A file counts with its name and its content, a folder with all files in it: where they lie and when they were
    written makes no difference, so that data that are copied or mounted anew need not be prepared again.
    """
    digest = hashlib.sha256()
    for part in parts:
        if not isinstance(part, Path):
            digest.update(repr(part).encode())
            continue
        for file in sorted(part.rglob("*")) if part.is_dir() else [part]:
            digest.update(file.name.encode())
            if file.is_file():
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:8]
