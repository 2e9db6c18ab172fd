"""Markdown (CommonMark): headings, paragraphs, and notes in the margin as quotes, for reading and for editors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from text_recognizer.formats.flowing import flowing_regions
from text_recognizer.formats.format import Format, Picture
from text_recognizer.page import Page

_SPECIAL = re.compile(r"([\\`*_\[\]<>&~|$#])")  # anywhere; beyond CommonMark those of GitHub: ~ | $
_BEGINNING = re.compile(r"^([-+=]|[0-9]{1,9}(?=[.)]))")  # lists, rules and underlines begin a row
_PREFIXES = {"heading": "## ", "marginalia": "> "}


class MarkdownFormat(Format):
    """Markdown, a page or several with a rule between them."""

    name = "md"
    suffix = ".md"
    media_type = "text/markdown"
    several = True

    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """A paragraph a region, its hyphens at line ends undone."""
        parts = flowing_regions(page)
        rows = [_PREFIXES.get(region.kind if region else "", "") + escaped(text) for region, text in parts]
        return "\n".join(f"{row}\n" for row in rows).encode("utf-8", "backslashreplace")

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """The pages with a rule between them."""
        for number, part in enumerate(parts):
            text = part.read_bytes()
            target.write(b"---\n" * (number > 0) + b"\n" * (number > 0 and text != b""))
            target.write(text + b"\n" * (text != b""))


def escaped(text: str) -> str:
    """A row of text that Markdown shows as it is."""
    text = _SPECIAL.sub(r"\\\1", text)
    return _BEGINNING.sub(lambda found: f"\\{found[1]}" if found[1] in "-+=" else f"{found[1]}\\", text)
