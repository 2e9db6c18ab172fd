"""Keys that change with what prepared data were made from."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(*parts: object) -> str:
    """Eight characters that change with the parts; a path counts with its place, its size and its time of change."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
        if isinstance(part, Path) and part.exists():
            status = part.stat()
            digest.update(f"{part.resolve()} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:8]
