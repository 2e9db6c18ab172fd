"""The elements of ALTO 2 to 4 (Library of Congress): lines with their text, outline and baseline."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from text_recognizer.learning.data.page_elements import Points, XmlLine, XmlPage, regions_of_lines


def read_alto(root: Element) -> XmlPage:
    """The page of an ALTO file. Raises ValueError where it has none, or a coordinate is no number."""
    page = root.find("Layout/Page")
    if page is None:
        raise ValueError("an <alto> without a <Page>")
    regions = regions_of_lines(page, "ID")
    lines = [
        XmlLine(line.get("ID", str(number)), line_text(line), _outline(line), _baseline(line), regions[line])
        for number, line in enumerate(page.iter("TextLine"))
    ]
    name = (root.findtext("Description/sourceImageInformation/fileName") or "").strip()
    return XmlPage(name, float(page.get("WIDTH", "0")), float(page.get("HEIGHT", "0")), lines)


def line_text(line: Element) -> str:
    """CONTENT of the strings, a space for each SP; between all strings where a program wrote no SP at all."""
    parts = [(child.tag, child.get("CONTENT", "")) for child in line if child.tag in ("String", "SP", "HYP")]
    if all(tag != "SP" for tag, _ in parts):
        return "".join(f" {text}" if tag == "String" else text for tag, text in parts).strip()
    return "".join(" " if tag == "SP" else text for tag, text in parts).strip()


def _outline(line: Element) -> Points:
    """The polygon, or the box where there is none."""
    polygon = line.find("Shape/Polygon")
    if polygon is not None:
        return _pairs(polygon.get("POINTS", ""))
    box = [line.get(key) for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    if None in box:
        return []
    x, y, w, h = (float(value or 0) for value in box)
    return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]


def _baseline(line: Element) -> Points:
    """BASELINE: points in ALTO 4, one height in the versions before."""
    values = line.get("BASELINE", "").replace(",", " ").split()
    if len(values) != 1:
        return _pairs(line.get("BASELINE", ""))
    left = float(line.get("HPOS", "0"))
    return [(left, float(values[0])), (left + float(line.get("WIDTH", "0")), float(values[0]))]


def _pairs(text: str) -> Points:
    """Points of "x,y x,y" and of "x y x y": both are written."""
    values = [float(value) for value in text.replace(",", " ").split()]
    if len(values) % 2:
        raise ValueError(f"points with an odd number of values: {text!r}")
    return list(zip(values[::2], values[1::2], strict=True))
