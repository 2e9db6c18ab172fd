"""PAGE XML and ALTO of any program, as transcriptions to train with or to label from: one reader for both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from text_recognizer.alphabet import visible_text
from text_recognizer.formats.alto_reader import read_alto
from text_recognizer.formats.format import FormatError
from text_recognizer.formats.page_xml import read_page
from text_recognizer.formats.xml import LineMark
from text_recognizer.page import Line, Page

#: Roots of XML files that lie beside PAGE and ALTO and hold no lines: lists of files, and facts about a document.
INDEX_ROOTS = frozenset({"mets", "trpDocMetadata"})

_READERS: dict[str, tuple[str, Callable[[Element], tuple[Page, tuple[LineMark, ...]]]]] = {
    "PcGts": ("page", read_page),
    "alto": ("alto", read_alto),
}


@dataclass(frozen=True)
class GroundTruth:
    """format: "page" or "alto". page: in the file's units, lines in reading order. marks: one a line."""

    format: str
    page: Page
    marks: tuple[LineMark, ...]


def format_of(root: Element) -> str:
    """ "page", "alto", or "" for a file that is neither."""
    return _READERS[root.tag][0] if root.tag in _READERS else ""


def read_ground_truth(root: Element) -> GroundTruth:
    """What a PAGE or ALTO file holds; characters that show nothing are dropped from the texts.

    Raises FormatError for another file, and for one that is damaged.
    """
    if root.tag not in _READERS:
        raise FormatError(f"it is neither PAGE XML nor ALTO: its root is <{root.tag}>")
    form, read = _READERS[root.tag]
    page, marks = read(root)
    return GroundTruth(form, replace(page, lines=tuple(map(_visible, page.lines))), marks)


def _visible(line: Line) -> Line:
    words = tuple(replace(word, text=visible_text(word.text)) for word in line.words)
    return replace(line, text=visible_text(line.text), words=words)
