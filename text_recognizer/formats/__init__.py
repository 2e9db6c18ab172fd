"""A page written as a file that other programs read."""

from __future__ import annotations

from collections.abc import Callable

from text_recognizer.formats.json_format import to_json
from text_recognizer.formats.text import to_text
from text_recognizer.page import Page

#: Name of a format -> (suffix of its files, a function that writes a page as text).
FORMATS: dict[str, tuple[str, Callable[[Page], str]]] = {
    "txt": (".txt", to_text),
    "json": (".json", to_json),
}

__all__ = ["FORMATS", "to_json", "to_text"]
