"""Text that flows: the lines of a region joined into a paragraph, words that were parted at line ends made whole."""

from __future__ import annotations

from collections.abc import Sequence

from text_recognizer.page import Page, Region

#: What writers and transcribers part words with at the end of a line.
HYPHENS = "-=¬‐"


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
