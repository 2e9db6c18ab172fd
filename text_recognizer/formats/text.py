"""Plain text, one line of the page a row."""

from __future__ import annotations

from text_recognizer.page import Page


def to_text(page: Page) -> str:
    """The lines of the page in reading order, each ended by a newline."""
    return "".join(f"{line.text}\n" for line in page.lines)
