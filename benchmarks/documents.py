"""Documents that benchmarks write their tables into."""

from __future__ import annotations

from pathlib import Path


def write_between(path: Path, first: str, last: str, text: str) -> None:
    """Put a text, lines of its own, between two marks of a document, in place of what stands there."""
    before, rest = path.read_text(encoding="utf-8").split(first)
    _, after = rest.split(last)
    path.write_text(f"{before}{first}\n{text}\n{last}{after}", encoding="utf-8")
