"""Plain text: one line of the page a row, or one paragraph a row.

Text that flows: the lines of a region joined into a paragraph, words that were parted at line ends made whole.

Markdown (CommonMark): headings, paragraphs, and notes in the margin as quotes, for reading and for editors.

CSV (RFC 4180): a row a line of the page, for spreadsheets and statistics.

The text is written as it was read, also where it begins with = + - or @, which spreadsheets may take for a formula:
import the column as text where a page comes from somebody who is not trusted.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from text_recognizer.formats.format import Format, Picture
from text_recognizer.formats.xml import box, number
from text_recognizer.page import Page, Region

#: What writers and transcribers part words with at the end of a line.
HYPHENS = "-=¬‐"

_SPECIAL = re.compile(r"([\\`*_\[\]<>&~|$#])")  # anywhere; beyond CommonMark those of GitHub: ~ | $
_BEGINNING = re.compile(r"^([-+=]|[0-9]{1,9}(?=[.)]))")  # lists, rules and underlines begin a row
_PREFIXES = {"heading": "## ", "marginalia": "> "}

#: What each row holds. Lines, regions and columns are counted from 1; coordinates are pixels, confidences 0 to 1.
COLUMNS = (
    *("source", "line", "region", "kind", "column"),
    *("left", "top", "right", "bottom", "confidence", "text"),
)
_HEADER = (",".join(COLUMNS) + "\r\n").encode()


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
        for index, part in enumerate(parts):
            target.write(b"\f" * (index > 0) + part.read_bytes())


class ParagraphsFormat(TextFormat):
    """Plain text in UTF-8, a paragraph a row with its hyphens at line ends undone, an empty row between paragraphs."""

    name = "paragraphs"

    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """The paragraphs."""
        return "\n".join(f"{text}\n" for text in paragraphs(page)).encode("utf-8", "backslashreplace")


def paragraphs(page: Page) -> list[str]:
    """The text of each region in reading order, or of the whole page where it has no regions; empty ones left out."""
    return [text for _, text in flowing_regions(page)]


def flowing_regions(page: Page) -> list[tuple[Region | None, str]]:
    """Each region with its text as one paragraph; the region is None where the page has none. Empty ones left out."""
    parts: list[tuple[Region | None, Sequence[int]]] = [(region, region.lines) for region in page.regions]
    parts = parts or [(None, range(len(page.lines)))]
    joined = ((region, join_lines([page.lines[number].text for number in lines])) for region, lines in parts)
    return [(region, text) for region, text in joined if text]


def join_lines(lines: Sequence[str]) -> str:
    """Lines as one paragraph.

    A line that ends in a letter and one of `HYPHENS`, before a line that begins with a lower-case letter, is joined to
    it without the hyphen. Before a capital or a digit a real hyphen belongs to both ("Saint-" and "Denis", "1914-" and
    "1918") and is kept. Every other end of a line becomes a space. Hyphens of compounds in lower case ("peut-" and
    "être") are lost by this rule: only a dictionary could tell them apart.
    """
    text = ""
    for line in (" ".join(line.split()) for line in lines):
        if parted(text, line):
            text = text[:-1] + line
        else:
            text += line if compound(text, line) else f" {line}".rstrip()
    return text.strip()


def parted(before: str, after: str) -> bool:
    """Whether a word is parted between the end of one line and the beginning of the next."""
    return before[-1:] in tuple(HYPHENS) and before[-2:-1].isalpha() and after[:1].islower()


def compound(before: str, after: str) -> bool:
    """Whether the hyphen between the end of one line and the beginning of the next joins two words or numbers."""
    return before[-1:] in ("-", "‐") and before[-2:-1].isalnum() and after[:1].isalnum()


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
        for index, part in enumerate(parts):
            text = part.read_bytes()
            target.write(b"---\n" * (index > 0) + b"\n" * (index > 0 and text != b""))
            target.write(text + b"\n" * (text != b""))


def escaped(text: str) -> str:
    """A row of text that Markdown shows as it is."""
    text = _SPECIAL.sub(r"\\\1", text)
    return _BEGINNING.sub(lambda found: f"\\{found[1]}" if found[1] in "-+=" else f"{found[1]}\\", text)


class CsvFormat(Format):
    """CSV in UTF-8 with a header, rows ended by CR LF."""

    name = "csv"
    suffix = ".csv"
    media_type = "text/csv"
    several = True

    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """The lines of the page in reading order; the header alone where it has none."""
        places = {line: (count, region) for count, region in enumerate(page.regions, 1) for line in region.lines}
        target = io.StringIO(newline="")
        rows = csv.writer(target)
        for count, line in enumerate(page.lines):
            part, region = places.get(count, ("", None))
            kind, column = (region.kind, region.column) if region else ("", None)
            edges = [number(edge) for edge in box(line.polygon)] if line.polygon else [""] * 4
            where = [page.source or "", count + 1, part, kind, "" if column is None else column + 1]
            rows.writerow([*where, *edges, round(line.confidence, 4), line.text])
        return _HEADER + target.getvalue().encode("utf-8", "backslashreplace")

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """All rows under one header; `source` tells the pages apart."""
        target.write(_HEADER)
        for part in parts:
            target.write(part.read_bytes().removeprefix(_HEADER))
