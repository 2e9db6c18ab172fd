"""Which pages of a document: "1-3,7", or "5-" for all from the fifth."""

from __future__ import annotations

import re


class PageNumbers:
    """Page numbers from 1 that a text such as "1-3,7" or "5-" names; an empty text names all. Raises ValueError."""

    def __init__(self, text: str = "") -> None:
        self.text = "".join(text.split())
        self._ranges = [_range(part) for part in self.text.split(",")] if self.text else [(1, None)]

    def of(self, count: int) -> list[int]:
        """Those that a document of `count` pages has, in the document's order."""
        return sorted(
            {
                number
                for first, last in self._ranges
                for number in range(first, min(count, count if last is None else last) + 1)
            }
        )


def _range(part: str) -> tuple[int, int | None]:
    found = re.fullmatch(r"([0-9]{1,9})(?:(-)([0-9]{0,9}))?", part)
    if found is None:
        raise ValueError(f"--pages takes numbers and ranges such as 1-3,7 or 5-, not {part!r}")
    first = int(found[1])
    last = first if found[2] is None else int(found[3]) if found[3] else None
    if first < 1 or (last is not None and last < first):
        raise ValueError(f"--pages counts from 1 and upwards, not {part!r}")
    return first, last
