"""PAGE XML content of 2019-07-15 (Pletschacher and Antonacopoulos, ICPR 2010): what tools of the field exchange.

What PAGE has no place for stands in its elements for users (UserAttribute): the column of a region, the confidences
of the characters of a word, whose places are not known, and the order of lines where regions do not give it.

The elements of PAGE XML of 2010 to 2024 as a page, of whatever program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement

from text_recognizer.formats.format import Format, FormatError, Picture
from text_recognizer.formats.xml import (
    Block,
    LineMark,
    box,
    in_order,
    kind_of,
    line_order,
    marks_or_numbers,
    mean_confidence,
    number,
    parse_xml,
    placed_words,
    points,
    rectangle,
    regions_or_whole,
    scaled,
    to_bytes,
    to_confidence,
    to_number,
)
from text_recognizer.page import Line, Page, Polygon, Word

NAMESPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


class PageXmlFormat(Format):
    """PAGE XML of 2019, read back without loss; also reads PAGE of 2010 to 2024 of other programs."""

    name = "page"
    suffix = ".page.xml"
    media_type = "application/xml"

    def write(self, page: Page, picture: Picture | None = None, marks: Sequence[LineMark] = ()) -> bytes:
        """The page as a PAGE file. It says when it was written, as the schema demands: two are not the same bytes.

        marks: one a line, or none. Their identifiers are NCNames of XML, unlike each other and all else in the file.
        """
        marks = marks_or_numbers(page, marks)
        schema = f"{NAMESPACE} {NAMESPACE}/pagecontent.xsd"
        root = Element("PcGts", {"xmlns": NAMESPACE, "xmlns:xsi": _INSTANCE, "xsi:schemaLocation": schema})
        _metadata(root, page)
        size = {"imageWidth": str(page.width), "imageHeight": str(page.height)}
        sheet = SubElement(root, "Page", {"imageFilename": page.source or ""} | size)
        _reading_order(sheet, page, marks)
        for count, (region, lines) in enumerate(regions_or_whole(page)):
            element = SubElement(sheet, "TextRegion", {"id": f"region_{count}"})
            if region is None:
                _coords(element, _around([page.lines[n].polygon for n in lines]))
            else:
                element.set("type", region.kind)
                _coords(element, region.polygon)
                if region.column is not None:
                    _user_defined(element, {"column": str(region.column)})
            for line in lines:
                _line(element, page.lines[line], line, marks[line])
            _text(element, "\n".join(page.lines[line].text for line in lines), None)
        return to_bytes(root)

    def read(self, data: bytes, size: tuple[int, int] | None = None) -> Page:
        """The page of a PAGE file of any program."""
        root = parse_xml(data)
        if root.tag != "PcGts":
            raise FormatError(f"this is not PAGE XML: its root is <{root.tag}>")
        return scaled(read_page(root)[0], size)


def _metadata(root: Element, page: Page) -> None:
    now = datetime.now(UTC).replace(microsecond=0, tzinfo=None).isoformat()  # PAGE wants UTC, and says it nowhere
    metadata = SubElement(root, "Metadata")
    SubElement(metadata, "Creator").text = "Text Recognizer"
    SubElement(metadata, "Created").text = now
    SubElement(metadata, "LastChange").text = now
    for role, identity in page.models.items():
        SubElement(metadata, "MetadataItem", {"type": "processingStep", "name": role, "value": identity})


def _reading_order(sheet: Element, page: Page, marks: Sequence[LineMark]) -> None:
    if not page.regions:
        return
    group = SubElement(SubElement(sheet, "ReadingOrder"), "OrderedGroup", {"id": "order"})
    for count, _ in enumerate(page.regions):
        SubElement(group, "RegionRefIndexed", {"index": str(count), "regionRef": f"region_{count}"})
    if line_order(page) != list(range(len(page.lines))):
        names = " ".join(mark.identifier for mark in marks)
        _user_defined(sheet, {"lineOrder": names})


def _line(region: Element, line: Line, count: int, mark: LineMark) -> None:
    element = SubElement(region, "TextLine", {"id": mark.identifier})
    if mark.status:
        element.set("custom", f"labeling {{status:{mark.status};}}")
    _coords(element, line.polygon)
    if line.baseline:
        _coords(element, line.baseline, "Baseline")
    for place, word in enumerate(placed_words(line)):
        _word(element, word, f"word_{count}_{place}")
    _text(element, line.text, line.confidence)


def _word(line: Element, word: Word, name: str) -> None:
    element = SubElement(line, "Word", {"id": name})
    _coords(element, word.polygon)
    _text(element, word.text, word.confidence)
    if word.character_confidences:
        values = " ".join(number(value) for value in word.character_confidences)
        _user_defined(element, {"characterConfidences": values})


def _coords(element: Element, polygon: Polygon, tag: str = "Coords") -> None:
    """Points as the schema has them: whole numbers, none negative, two at least; what has no place is at 0,0 twice."""
    polygon = polygon + polygon[-1:] if len(polygon) == 1 else polygon
    points = " ".join(f"{max(0, round(x))},{max(0, round(y))}" for x, y in polygon) or "0,0 0,0"
    SubElement(element, tag, {"points": points})


def _around(polygons: list[Polygon]) -> Polygon:
    points = tuple(point for polygon in polygons for point in polygon)
    return rectangle(*box(points)) if points else ()


def _text(element: Element, text: str, confidence: float | None) -> None:
    known = {} if confidence is None else {"conf": number(confidence)}
    SubElement(SubElement(element, "TextEquiv", known), "Unicode").text = text


def _user_defined(element: Element, values: dict[str, str]) -> None:
    holder = SubElement(element, "UserDefined")
    for name, value in values.items():
        SubElement(holder, "UserAttribute", {"name": name, "type": "xsd:string", "value": value})


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
        tuple((_mark(line), _read_line(line)) for line in region.findall("TextLine")),
    )


def _custom_kind(region: Element) -> str | None:
    """The kind that Transkribus gives in `custom`: "structure {type:marginalia;}"."""
    found = re.search(r"structure\s*\{[^}]*\btype:([^;}]+)", region.get("custom", ""))
    return found[1] if found else None


def _mark(line: Element) -> LineMark:
    """What our own files say in `custom`: "labeling {status:model;}"."""
    found = re.search(r"labeling\s*\{[^}]*\bstatus:\s*(model|illegible)\b", line.get("custom", ""))
    return LineMark(line.get("id", ""), found[1] if found else "")


def _read_line(line: Element) -> Line:
    words = tuple(_read_word(word) for word in line.findall("Word"))
    text, confidence = _read_text(line)
    if text is None:
        text = " ".join(word.text for word in words)
    sure = to_confidence(confidence, mean_confidence(words))
    return Line(text, _points(line.find("Coords")), sure, _points(line.find("Baseline")), words)


def _read_word(word: Element) -> Word:
    text, confidence = _read_text(word)
    if text is None:
        text = "".join(_read_text(glyph)[0] or "" for glyph in word.findall("Glyph"))
    sure = tuple(to_confidence(value, 0.0) for value in _users(word).get("characterConfidences", "").split())
    return Word(text, _points(word.find("Coords")), to_confidence(confidence, 1.0), sure)


def _read_text(element: Element) -> tuple[str | None, str | None]:
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
