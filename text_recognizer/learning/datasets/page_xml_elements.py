"""The elements of PAGE XML, and a page of it or of ALTO as it is in the file, in the file's units.

The elements of ALTO 2 to 4 (Library of Congress): lines with their text, outline and baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class XmlLine:
    """A line as a file has it: where it is in the file, text, outline and baseline in the file's units, its region."""

    identifier: str
    text: str
    polygon: Points
    baseline: Points
    region: str


@dataclass(frozen=True)
class XmlPage:
    """A file's page: the name of its image, its width and height in the file's units (0: unknown), its lines."""

    picture: str
    width: float
    height: float
    lines: list[XmlLine]


def read_page_elements(root: Element) -> XmlPage:
    """The page of a PAGE file: lines of all regions in the order of the file, nested regions included.

    Raises ValueError where it has no page, or a coordinate is no number.
    """
    page = root.find("Page")
    if page is None:
        raise ValueError("a <PcGts> without a <Page>")
    regions = regions_of_lines(page, "id")
    lines = [
        XmlLine(
            line.get("id", str(number)),
            _unicode(line),
            _points(line.find("Coords")),
            _points(line.find("Baseline")),
            regions[line],
        )
        for number, line in enumerate(page.iter("TextLine"))
    ]
    return XmlPage(
        page.get("imageFilename", ""), float(page.get("imageWidth", "0")), float(page.get("imageHeight", "0")), lines
    )


def regions_of_lines(page: Element, key: str) -> dict[Element, str]:
    """The identifier of what each line stands in: its attribute `key`, or else its number on the page."""
    return {
        line: region.get(key) or f"region {number}"
        for number, region in enumerate(page.iter())
        for line in region.findall("TextLine")
    }


def _unicode(line: Element) -> str:
    """The transcription of a line: of several, the one with index 0, or else the first; or that of its words."""
    several = line.findall("TextEquiv")
    several.sort(key=lambda equivalent: int(equivalent.get("index") or 0))
    for equivalent in several[:1]:
        return equivalent.findtext("Unicode") or equivalent.findtext("PlainText") or ""
    return " ".join(text for text in map(_unicode, line.findall("Word")) if text)


def _points(element: Element | None) -> Points:
    """Points of PAGE: `points="x,y x,y"`, and before 2013 elements `<Point x="" y=""/>`."""
    if element is None:
        return []
    if "points" in element.attrib:
        return [(float(x), float(y)) for x, _, y in (pair.partition(",") for pair in element.attrib["points"].split())]
    return [(float(point.get("x", "0")), float(point.get("y", "0"))) for point in element.findall("Point")]


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
