"""JSON: everything that a page knows, as `docs/formats.md` and the schema beside this file describe it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from text_recognizer.formats.format import Format, FormatError, Picture
from text_recognizer.formats.xml import scaled
from text_recognizer.page import Page

#: The JSON Schema (draft 2020-12) of a page.
SCHEMA = Path(__file__).with_name("page.schema.json")


def to_json(page: Page) -> str:
    """The page as JSON with an indent of two, ended by a newline."""
    return json.dumps(page.to_dict(), ensure_ascii=False, indent=2) + "\n"


class JsonFormat(Format):
    """JSON (RFC 8259): one page is an object, several are a list of them."""

    name = "json"
    suffix = ".json"
    media_type = "application/json"
    several = True

    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """The page as an object."""
        return to_json(page).encode("utf-8", "backslashreplace")

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """A list of the pages."""
        opening = b"[\n"
        for part in parts:
            target.write(opening + part.read_bytes().rstrip(b"\n"))
            opening = b",\n"
        target.write(b"[]\n" if opening == b"[\n" else b"\n]\n")

    def read(self, data: bytes, size: tuple[int, int] | None = None) -> Page:
        """The page of an object; also of a list that holds one."""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"this is not JSON: {error}") from error
        if isinstance(found, list):
            if len(found) != 1:
                raise FormatError(f"this JSON holds {len(found)} pages, and one is read")
            found = found[0]
        try:
            page = Page.from_dict(found)
        except (ValueError, OverflowError) as error:
            raise FormatError(f"this JSON holds no page: {error}") from error
        return scaled(page, size)
