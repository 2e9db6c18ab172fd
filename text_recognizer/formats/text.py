"""Plain text: one line of the page a row, or one paragraph a row."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from text_recognizer.formats.flowing import paragraphs
from text_recognizer.formats.format import Format, Picture
from text_recognizer.page import Page


def to_text(page: Page) -> str:
    """The lines of the page in reading order, each ended by a newline."""
    return "".join(f"{line.text}\n" for line in page.lines)


class TextFormat(Format):
    """Plain text in UTF-8, a line of the page a row; a form feed between pages."""

    name = "txt"
    suffix = ".txt"
    media_type = "text/plain"
    several = True

    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """The lines, each ended by a newline."""
        return to_text(page).encode("utf-8", "backslashreplace")

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """The pages with a form feed between them."""
        for number, part in enumerate(parts):
            target.write(b"\f" * (number > 0) + part.read_bytes())


class ParagraphsFormat(TextFormat):
    """Plain text in UTF-8, a paragraph a row with its hyphens at line ends undone, an empty row between paragraphs."""

    name = "paragraphs"

    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """The paragraphs."""
        return "\n".join(f"{text}\n" for text in paragraphs(page)).encode("utf-8", "backslashreplace")
