"""Which requests belong to a share of all: by a hash of their identifier, so that it can be told again."""

from __future__ import annotations

import hashlib


def in_share(request: str, share: float, purpose: str) -> bool:
    """Whether a request is among a share, from 0 to 1, of all. purpose: shares of different ones are independent."""
    digest = hashlib.sha256(f"{purpose} {request}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64
