"""The elements of PAGE XML of 2010 to 2024 as a page, of whatever program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from text_recognizer.formats.blocks import Block, LineMark, in_order, kind_of
from text_recognizer.formats.format import FormatError
from text_recognizer.formats.xml_files import mean_confidence, points, to_confidence, to_number
from text_recognizer.page import Line, Page, Polygon, Word


def read_page(root: Element) -> tuple[Page, tuple[LineMark, ...]]:
    """The page of a PAGE file, and the marks of its lines.

    Raises FormatError where it has no page, or a coordinate is no number.
    """
    page = root.find("Page")
    if page is None:
        raise FormatError("this PAGE XML has a <PcGts> without a <Page>")
    holders = (part for part in page.iter() if part.tag == "TextRegion" or part.find("TextLine") is not None)
    blocks = [_block(region) for region in holders]
    order = list(_references(page.find("ReadingOrder")))
    lines, regions, marks = in_order(blocks, order + _users(page).get("lineOrder", "").split())
    width, height = (int(to_number(page.get(key), key, 0.0)) for key in ("imageWidth", "imageHeight"))
    items = [item for item in root.findall("Metadata/MetadataItem") if item.get("type") == "processingStep"]
    models = {item.get("name", ""): item.get("value", "") for item in items}
    return Page(lines, width, height, page.get("imageFilename") or None, models, regions), marks


def _block(region: Element) -> Block:
    kind = region.get("type") or _custom_kind(region)
    column = _users(region).get("column", "")
    return Block(
        region.get("id", ""),
        kind_of(kind) if kind else None,
        _points(region.find("Coords")),
        int(column) if column.isdecimal() else None,
        tuple((_mark(line), _line(line)) for line in region.findall("TextLine")),
    )


def _custom_kind(region: Element) -> str | None:
    """The kind that Transkribus gives in `custom`: "structure {type:marginalia;}"."""
    found = re.search(r"structure\s*\{[^}]*\btype:([^;}]+)", region.get("custom", ""))
    return found[1] if found else None


def _mark(line: Element) -> LineMark:
    """What our own files say in `custom`: "labeling {status:model;}"."""
    found = re.search(r"labeling\s*\{[^}]*\bstatus:\s*(model|illegible)\b", line.get("custom", ""))
    return LineMark(line.get("id", ""), found[1] if found else "")


def _line(line: Element) -> Line:
    words = tuple(_word(word) for word in line.findall("Word"))
    text, confidence = _text(line)
    if text is None:
        text = " ".join(word.text for word in words)
    sure = to_confidence(confidence, mean_confidence(words))
    return Line(text, _points(line.find("Coords")), sure, _points(line.find("Baseline")), words)


def _word(word: Element) -> Word:
    text, confidence = _text(word)
    if text is None:
        text = "".join(_text(glyph)[0] or "" for glyph in word.findall("Glyph"))
    sure = tuple(to_confidence(value, 0.0) for value in _users(word).get("characterConfidences", "").split())
    return Word(text, _points(word.find("Coords")), to_confidence(confidence, 1.0), sure)


def _text(element: Element) -> tuple[str | None, str | None]:
    """Text and confidence: of several transcriptions the one with the lowest index; None where there is none."""
    several = element.findall("TextEquiv")
    if not several:
        return None, None
    best = min(several, key=lambda equivalent: to_number(equivalent.get("index"), "an index", 0.0))
    return best.findtext("Unicode") or best.findtext("PlainText") or "", best.get("conf")


def _references(order: Element | None) -> Iterator[str]:
    """Identifiers of regions as groups in one another have them, by their index where they have one."""
    if order is None:
        return
    for child in sorted(order, key=lambda child: to_number(child.get("index"), "an index", 0.0)):
        if child.get("regionRef"):
            yield child.get("regionRef", "")
        yield from _references(child)


def _users(element: Element) -> dict[str, str]:
    return {a.get("name", ""): a.get("value", "") for a in element.findall("UserDefined/UserAttribute")}


def _points(element: Element | None) -> Polygon:
    """Points of PAGE: `points="x,y x,y"`, and before 2013 elements `<Point x="" y=""/>`; none where all are one."""
    if element is None:
        return ()
    if "points" in element.attrib:
        values = element.attrib["points"].replace(",", " ").split()
    else:
        values = [point.get(key, "0") for point in element.findall("Point") for key in ("x", "y")]
    found = points([to_number(value, "a coordinate") for value in values])
    return found if len(set(found)) > 1 else ()
