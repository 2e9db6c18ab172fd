"""ALTO 4.4 (Library of Congress): what libraries keep beside the images of their books and manuscripts.

What ALTO has no place for stands in one tag, as elements without a namespace, which the standard allows there:
confidences of lines, and which lines have no words. Columns are tags of their blocks, not blocks around them, for
readers such as kraken do not look into composed blocks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from text_recognizer.formats.alto_reader import read_alto
from text_recognizer.formats.format import Format, FormatError, Picture
from text_recognizer.formats.xml import (
    LineMark,
    box,
    line_order,
    marks_or_numbers,
    number,
    parse_xml,
    placed_words,
    regions_or_whole,
    scaled,
    to_bytes,
)
from text_recognizer.page import Line, Page, Polygon, Region, Word

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"
_SCHEMA = "https://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


class AltoFormat(Format):
    """ALTO 4.4, read back without loss; also reads ALTO 2, 3 and 4 of other programs."""

    name = "alto"
    suffix = ".alto.xml"
    media_type = "application/xml"

    def write(self, page: Page, picture: Picture | None = None, marks: Sequence[LineMark] = ()) -> bytes:
        """The page as an ALTO file.

        marks: one a line, or none. Their identifiers are NCNames of XML, unlike each other and all else in the file.
        """
        marks = marks_or_numbers(page, marks)
        root = Element(
            "alto",
            {
                "xmlns": NAMESPACE,
                "xmlns:xsi": _INSTANCE,
                "xsi:schemaLocation": f"{NAMESPACE} {_SCHEMA}",
                "SCHEMAVERSION": "4.4",
            },
        )
        _description(root, page)
        _tags(root, page, marks)
        _reading_order(root, page, marks)
        _layout(root, page, marks)
        return to_bytes(root)

    def read(self, data: bytes, size: tuple[int, int] | None = None) -> Page:
        """The page of an ALTO file of any program; in the file's own units where they are not pixels, unless `size`."""
        root = parse_xml(data)
        if root.tag != "alto":
            raise FormatError(f"this is not ALTO: its root is <{root.tag}>")
        return scaled(read_alto(root)[0], size)


def _description(root: Element, page: Page) -> None:
    description = SubElement(root, "Description")
    SubElement(description, "MeasurementUnit").text = "pixel"
    if page.source is not None:
        source = SubElement(description, "sourceImageInformation")
        SubElement(source, "fileName").text = page.source
    for count, (role, identity) in enumerate(page.models.items()):
        step = SubElement(description, "Processing", {"ID": f"processing_{count}"})
        SubElement(step, "processingCategory").text = "contentGeneration"
        SubElement(step, "processingStepDescription").text = role
        SubElement(step, "processingStepSettings").text = identity
        SubElement(SubElement(step, "processingSoftware"), "softwareName").text = "Text Recognizer"


def _tags(root: Element, page: Page, marks: Sequence[LineMark]) -> None:
    """Kinds of regions, columns, and what else is known of the lines."""
    kinds = {region.kind: None for region in page.regions}
    columns = {region.column: None for region in page.regions if region.column is not None}
    if not kinds and not page.lines:
        return  # the schema takes no empty element
    tags = SubElement(root, "Tags")
    for kind in kinds:
        SubElement(tags, "OtherTag", {"ID": f"kind_{kind}", "TYPE": "region", "LABEL": kind})
    for column in columns:
        SubElement(tags, "OtherTag", {"ID": f"column_{column}", "TYPE": "column", "LABEL": str(column)})
    if page.lines:
        label = "confidences of lines, and which are given without their words"
        tag = SubElement(tags, "OtherTag", {"ID": "lines", "TYPE": "lines", "LABEL": label})
        data = SubElement(tag, "XmlData")
        for line, mark in zip(page.lines, marks, strict=True):
            known = {"xmlns": "", "id": mark.identifier, "confidence": number(line.confidence)}
            known |= {"status": mark.status} if mark.status else {}
            SubElement(data, "line", known if placed_words(line) else known | {"words": "none"})


def _reading_order(root: Element, page: Page, marks: Sequence[LineMark]) -> None:
    """Blocks; or lines, where those of one block do not all stand together."""
    numbers = line_order(page)
    whole = numbers == list(range(len(numbers)))
    names = [f"block_{count}" for count, _ in enumerate(regions_or_whole(page))]
    if not whole:
        names = [mark.identifier for mark in marks]
    if names:
        group = SubElement(SubElement(root, "ReadingOrder"), "OrderedGroup", {"ID": "order"})
        for count, name in enumerate(names):
            SubElement(group, "ElementRef", {"ID": f"order_{count}", "REF": name})


def _layout(root: Element, page: Page, marks: Sequence[LineMark]) -> None:
    size = {"WIDTH": str(page.width), "HEIGHT": str(page.height)}
    known = {"ID": "page", "PHYSICAL_IMG_NR": _page_number(page.source), "PC": number(round(page.confidence, 4))}
    sheet = SubElement(SubElement(root, "Layout"), "Page", known | size)
    space = SubElement(sheet, "PrintSpace", {"HPOS": "0", "VPOS": "0"} | size)
    for count, (region, lines) in enumerate(regions_or_whole(page)):
        outline = region.polygon if region else _around([page.lines[n].polygon for n in lines])
        block = SubElement(space, "TextBlock", {"ID": f"block_{count}"} | _box(outline))
        if region is not None:
            block.set("TAGREFS", _tag_names(region))
            _shape(block, region.polygon)
        for line in lines:
            _line(block, page.lines[line], line, marks[line])


def _line(block: Element, line: Line, count: int, mark: LineMark) -> None:
    element = SubElement(block, "TextLine", {"ID": mark.identifier} | _box(line.polygon))
    if mark.status == "model":
        element.set("CS", "false")  # nobody has corrected it
    if line.baseline:
        element.set("BASELINE", _points(line.baseline))
    _shape(element, line.polygon)
    words = placed_words(line)
    for place, word in enumerate(words):
        if place:
            SubElement(element, "SP")
        _word(element, word, f"word_{count}_{place}")
    if not words:
        whole = {"ID": f"text_{count}", "CONTENT": line.text, "WC": number(line.confidence)} | _box(line.polygon)
        SubElement(element, "String", whole)


def _word(line: Element, word: Word, name: str) -> None:
    known = {"ID": name, "CONTENT": word.text, "WC": number(word.confidence)} | _box(word.polygon)
    element = SubElement(line, "String", known)
    _shape(element, word.polygon)
    if len(word.character_confidences) == len(word.text):
        for character, confidence in zip(word.text, word.character_confidences, strict=True):
            SubElement(element, "Glyph", {"CONTENT": character, "GC": number(confidence)})


def _shape(element: Element, polygon: Polygon) -> None:
    if polygon:
        SubElement(SubElement(element, "Shape"), "Polygon", {"POINTS": _points(polygon)})


def _box(polygon: Polygon) -> dict[str, str]:
    if not polygon:
        return {}
    left, top, right, bottom = box(polygon)
    return {
        "HPOS": number(left),
        "VPOS": number(top),
        "WIDTH": number(right - left),
        "HEIGHT": number(bottom - top),
    }


def _points(polygon: Polygon) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in polygon)


def _around(polygons: list[Polygon]) -> Polygon:
    return tuple(point for polygon in polygons for point in polygon)


def _tag_names(region: Region) -> str:
    column = "" if region.column is None else f" column_{region.column}"
    return f"kind_{region.kind}{column}"


def _page_number(source: str | None) -> str:
    """The number of a page of a document, which `Page.source` ends with; else 1."""
    found = re.search(r"#page=([0-9]{1,9})$", source or "")
    return found[1] if found else "1"
