"""The elements of ALTO 2 to 4 as a page, of whatever program."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from text_recognizer.formats.format import FormatError
from text_recognizer.formats.xml import (
    Block,
    LineMark,
    in_order,
    kind_of,
    mean_confidence,
    points,
    rectangle,
    to_confidence,
    to_number,
)
from text_recognizer.page import Line, Page, Polygon, Word

_Tags = dict[str, tuple[str, str]]  # identifier -> type and label


def read_alto(root: Element) -> tuple[Page, tuple[LineMark, ...]]:
    """The page of an ALTO file, in the file's units, and the marks of its lines.

    Raises FormatError where it has no page, or several.
    """
    pages = root.findall("Layout/Page")
    if len(pages) != 1:
        raise FormatError(f"this ALTO file holds {len(pages)} pages, and one is read")
    page = pages[0]
    tags = {tag.get("ID", ""): (tag.get("TYPE", ""), tag.get("LABEL", "")) for tag in root.findall("Tags/*")}
    known = {element.get("id", ""): element for element in root.findall("Tags/OtherTag/XmlData/line")}
    blocks = [_block(block, tags, known) for block in page.iter("TextBlock")]
    order = [name for reference in _references(root) for name in reference.get("REF", "").split()]
    lines, regions, marks = in_order(blocks, order)
    width, height = (int(to_number(page.get(key), key, 0.0)) for key in ("WIDTH", "HEIGHT"))
    source = root.findtext("Description/sourceImageInformation/fileName") or None
    return Page(lines, width, height, source, _models(root), regions), marks


def line_text(line: Element) -> str:
    """CONTENT of the strings, a space for each SP between them; between all where a program wrote no SP at all."""
    return "".join(text for text, _ in _strings(line))


def _strings(line: Element) -> Iterator[tuple[str, Element | None]]:
    """The text of each String with the element, the spaces and the hyphen between and after them with None."""
    parts = [child for child in line if child.tag in ("String", "SP", "HYP")]
    while parts and parts[-1].tag == "SP":
        parts.pop()
    spaced = any(part.tag == "SP" for part in parts)
    begun = False
    for part in parts:
        if part.tag == "String":
            if begun and not spaced:
                yield " ", None
            yield part.get("CONTENT", ""), part
            begun = True
        elif begun:
            yield (" " if part.tag == "SP" else part.get("CONTENT", "")), None


def _block(block: Element, tags: _Tags, known: dict[str, Element]) -> Block:
    labels = [tags[name] for name in block.get("TAGREFS", "").split() if name in tags]
    kinds = [label for kind, label in labels if kind not in ("column", "lines")]
    columns = [label for kind, label in labels if kind == "column" and label.isdecimal()]
    return Block(
        block.get("ID", ""),
        kind_of(kinds[0]) if kinds else None,
        _outline(block),
        int(columns[0]) if columns else None,
        tuple((_mark(line, known), _line(line, known)) for line in block.findall("TextLine")),
    )


def _mark(line: Element, known: dict[str, Element]) -> LineMark:
    identifier = line.get("ID", "")
    status = known[identifier].get("status", "") if identifier in known else ""
    return LineMark(identifier, status if status in ("model", "illegible") else "")


def _line(line: Element, known: dict[str, Element]) -> Line:
    text, found = line_text(line), known.get(line.get("ID", ""))
    words = _words(line)
    if found is None and any(len(word.text.split()) != 1 for word in words):
        words = ()  # a program that knows no words wrote the whole line into one String
    elif found is not None and found.get("words") == "none":
        words = ()
    confidence = mean_confidence(words)
    if not words:  # the one String is the line
        confidence = to_confidence(next((s.get("WC") for s in line.findall("String")), None), 1.0)
    if found is not None:
        confidence = to_confidence(found.get("confidence"), confidence)
    return Line(text, _outline(line), confidence, _baseline(line), words)


def _words(line: Element) -> tuple[Word, ...]:
    """A word a String. A hyphen belongs to the last word."""
    words: list[Word] = []
    for text, string in _strings(line):
        if string is not None:
            glyphs = [glyph.get("GC") for glyph in string.findall("Glyph")]
            sure = tuple(to_confidence(glyph, 0.0) for glyph in glyphs) if None not in glyphs else ()
            words.append(Word(text, _outline(string), to_confidence(string.get("WC"), 1.0), sure))
        elif text.strip() and words:
            last = words[-1]
            words[-1] = Word(last.text + text, last.polygon, last.confidence)
    return tuple(words)


def _references(root: Element) -> Iterator[Element]:
    order = root.find("ReadingOrder")
    return order.iter("ElementRef") if order is not None else iter(())


def _models(root: Element) -> dict[str, str]:
    steps = root.findall("Description/Processing")
    named = [(step.findtext("processingStepDescription"), step.findtext("processingStepSettings")) for step in steps]
    return {role: identity for role, identity in named if role is not None and identity is not None}


def _outline(element: Element) -> Polygon:
    """The polygon, or the box where there is none; no points where there is neither."""
    polygon = element.find("Shape/Polygon")
    if polygon is not None:
        return _points(polygon.get("POINTS", ""))
    values = [element.get(key) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    if None in values:
        return ()
    x, y, w, h = (to_number(value, "a coordinate") for value in values)
    return rectangle(x, y, x + w, y + h)


def _baseline(line: Element) -> Polygon:
    """BASELINE: points since ALTO 4.2, one height before."""
    text = line.get("BASELINE", "")
    values = text.replace(",", " ").split()
    if len(values) != 1:
        return _points(text)
    left = to_number(line.get("HPOS"), "HPOS", 0.0)
    level = to_number(values[0], "BASELINE")
    return ((left, level), (left + to_number(line.get("WIDTH"), "WIDTH", 0.0), level))


def _points(text: str) -> Polygon:
    """Points of "x,y x,y", of "x y x y" and of "(x,y) (x,y)": all are written."""
    for mark in ",()":
        text = text.replace(mark, " ")
    return points([to_number(value, "a coordinate") for value in text.split()])
