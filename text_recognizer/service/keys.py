"""API keys: made here, kept only as hashes, compared in constant time.

A key is 32 random bytes, so one round of SHA-256 is enough: there is no dictionary to try.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

_ENTRY = re.compile(r"(?P<name>[\w.@-]{1,64}):(?P<hash>[0-9a-f]{64})")


def new_key(name: str) -> tuple[str, str]:
    """A new key for `name` and the entry "name:hash" that the server keeps. Raises ValueError for an odd name."""
    key = f"tr_{secrets.token_urlsafe(32)}"
    entry = f"{name}:{_hash(key)}"
    if not _ENTRY.fullmatch(entry):
        raise ValueError(f"{name!r} is no name for a key: letters, digits and . _ @ - are, 64 at most")
    return key, entry


class ApiKeys:
    """The keys that a server takes; with none of them, everyone may ask."""

    def __init__(self, entries: Iterable[str], file: Path | None = None) -> None:
        lines = list(entries)
        if file is not None:
            lines += [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        self._names: dict[str, str] = {}
        for line in lines:
            if not line or line.startswith("#"):
                continue
            found = _ENTRY.fullmatch(line)
            if found is None:
                raise ValueError("an API key must be given as name:hash with the SHA-256 in hexadecimal: see `api-key`")
            self._names[found["hash"]] = found["name"]
        if file is not None and not self._names:
            raise ValueError(f"{file} holds no API key; without one the server would be open to everyone")

    def __bool__(self) -> bool:
        return bool(self._names)

    @property
    def names(self) -> set[str]:
        """Of all keys."""
        return set(self._names.values())

    def name_of(self, key: str) -> str | None:
        """Whose key it is; None where nobody's."""
        found = _hash(key)
        name = None
        for known, owner in self._names.items():
            if hmac.compare_digest(known, found):
                name = owner
        return name


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
