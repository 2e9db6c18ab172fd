"""XML, written and safely read: what ALTO, PAGE XML and hOCR share, blocks of lines, coordinates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder, indent, tostring
from xml.parsers import expat

from text_recognizer.formats.format import FormatError
from text_recognizer.page import REGION_KINDS, Line, Page, Point, Polygon, Region, Word

LARGEST = 64 * 2**20  # bytes; a page has a few hundred thousand
_DEEPEST = 200  # elements in one another; a page has about ten
# What XML 1.0 has no way to write: most control characters, halves of surrogate pairs and two non-characters.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Words that say what a region is, beyond our own: of SegmOnto (eScriptorium), and of programs for print.
_KINDS = {"margintextzone": "marginalia", "marginal": "marginalia", "margin": "marginalia", "title": "heading"}


def to_bytes(root: Element, declaration: bool = True) -> bytes:
    """The element as a UTF-8 file, indented. Characters that XML cannot hold become U+FFFD, each one."""
    indent(root)
    text = tostring(root, encoding="unicode").replace("\r", "&#13;")  # in text it would be read as a newline
    head = '<?xml version="1.0" encoding="UTF-8"?>\n' if declaration else ""
    return f"{head}{writable(text)}\n".encode()


def writable(text: str) -> str:
    """The text with U+FFFD for each character that XML cannot hold."""
    return _UNWRITABLE.sub("\ufffd", text)


def parse_xml(data: bytes, doctype: bool = False) -> Element:
    """The root of an XML file, names of elements and attributes without their namespaces.

    doctype: allow a document type; what it points to is not read. Entities that a file declares are refused in any
    case, for they can name files or grow without end ("billion laughs"). Raises FormatError for such a file, for one
    that is not well-formed, for one of more than 64 MiB, and for one too deep.
    """
    if len(data) > LARGEST:
        raise FormatError(f"this file has more than {LARGEST // 2**20} MiB")
    builder, depth = TreeBuilder(), 0

    def refuse(*_: object) -> NoReturn:
        raise FormatError("this file declares a document type or entities: refused, remove the <!DOCTYPE ...>")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise FormatError(f"this file has elements more than {_DEEPEST} deep")
        builder.start(_local(name), {_local(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_local(name))

    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    if not doctype:
        parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError) as error:
        raise FormatError(f"this is not well-formed XML: {error}") from error
    root: Element = builder.close()
    return root


def number(value: float) -> str:
    """A number as both schemas take it: whole ones without a point, others with all their digits."""
    return str(int(value)) if value == int(value) else repr(value)


def to_number(text: str | None, what: str, default: float | None = None) -> float:
    """The number that an attribute holds; `default` where it is missing. Raises FormatError where it is none."""
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e12:  # neither infinite nor NaN
        raise FormatError(f"{what} is no number: {text!r}")
    return value


def to_confidence(text: str | None, default: float) -> float:
    """A confidence of 0 to 1; `default` where it is missing or no number, for no page is lost by it."""
    try:
        return min(1.0, max(0.0, to_number(text, "a confidence", default)))
    except FormatError:
        return default


def box(points: Polygon) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of points; zeros where there are none."""
    across, down = [x for x, _ in points], [y for _, y in points]
    return (min(across), min(down), max(across), max(down)) if points else (0.0, 0.0, 0.0, 0.0)


def rectangle(left: float, top: float, right: float, bottom: float) -> Polygon:
    """The corners of a box, clockwise from the left upper one."""
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def points(values: list[float]) -> Polygon:
    """Points of x, y, x, y. Raises FormatError where their number is odd."""
    if len(values) % 2:
        raise FormatError("points have an odd number of values")
    pairs: list[Point] = list(zip(values[::2], values[1::2], strict=True))
    return tuple(pairs)


def placed_words(line: Line) -> tuple[Word, ...]:
    """The words of a line where they make up its text; none where they do not, as after a correction of the line."""
    return line.words if " ".join(word.text for word in line.words) == line.text else ()


def mean_confidence(words: tuple[Word, ...]) -> float:
    """Mean confidence of words, weighted by their characters: of a line whose file gives none. 1 without words."""
    weights = [max(1, len(word.text)) for word in words]
    return sum(w * word.confidence for w, word in zip(weights, words, strict=True)) / sum(weights) if words else 1.0


def _local(name: str) -> str:
    return name.rpartition("}")[2]


@dataclass(frozen=True)
class LineMark:
    """What a file says of a line beside what it holds: its identifier there, and what is known of its text.

    status: "model" where nobody has looked at what the model read, "illegible" where somebody has and could not read
    it; "" where nothing is said. Only files that we have written say it.
    """

    identifier: str
    status: str = ""


@dataclass(frozen=True)
class Block:
    """A block of a file: its identifier, its kind (None: the file says none), its outline, its column, its lines.

    lines: each with its mark, in the order of the file.
    """

    identifier: str
    kind: str | None
    polygon: Polygon
    column: int | None
    lines: tuple[tuple[LineMark, Line], ...]


def kind_of(label: str) -> str:
    """The kind of region that a word of another program means; what is not known is a paragraph."""
    label = label.strip().lower()
    if label in REGION_KINDS:
        return label
    return _KINDS.get(label.partition(":")[0], "paragraph")


def in_order(
    blocks: Sequence[Block], order: Sequence[str]
) -> tuple[tuple[Line, ...], tuple[Region, ...], tuple[LineMark, ...]]:
    """Lines and regions of a page, and the marks of the lines.

    order: identifiers of blocks and of lines, as the file's reading order has them; what is not named there follows,
    in the order of the file. One block alone of which no kind is known says nothing, and makes no region.
    """
    rank: dict[str, int] = {}
    for place, identifier in enumerate(order):
        rank.setdefault(identifier, place)
    last = len(order)
    blocks = [block for block in blocks if block.lines or block.kind is not None]
    blocks.sort(key=lambda block: rank.get(block.identifier, last))
    lines = [(mark, line, number) for number, block in enumerate(blocks) for mark, line in block.lines]
    places = sorted(range(len(lines)), key=lambda place: rank.get(lines[place][0].identifier, last))
    found = tuple(lines[place][1] for place in places)
    marks = tuple(lines[place][0] for place in places)
    if all(block.kind is None for block in blocks) and len(blocks) <= 1:
        return found, (), marks
    numbers = {place: number for number, place in enumerate(places)}
    held: list[list[int]] = [[] for _ in blocks]
    for place, (_, _, block) in enumerate(lines):
        held[block].append(numbers[place])
    regions = tuple(
        Region(block.kind or "paragraph", block.polygon, tuple(members), block.column)
        for block, members in zip(blocks, held, strict=True)
    )
    return found, regions, marks


def marks_or_numbers(page: Page, marks: Sequence[LineMark]) -> Sequence[LineMark]:
    """A mark for each line to write: those given, else their numbers. Raises ValueError for too few or too many."""
    if marks and len(marks) != len(page.lines):
        raise ValueError(f"{len(marks)} marks are given for {len(page.lines)} lines")
    return marks or [LineMark(f"line_{number}") for number in range(len(page.lines))]


def line_order(page: Page) -> list[int]:
    """The numbers of the lines as the regions hold them, one region after the other."""
    return [number for region in page.regions for number in region.lines] or list(range(len(page.lines)))


def regions_or_whole(page: Page) -> list[tuple[Region | None, tuple[int, ...]]]:
    """Each region with its lines; None with all lines where a page has lines and no regions."""
    if page.regions:
        return [(region, region.lines) for region in page.regions]
    return [(None, tuple(range(len(page.lines))))] if page.lines else []


def scaled(page: Page, size: tuple[int, int] | None) -> Page:
    """The page as of an image of that width and height; as it is where size is None or its own size is unknown (0)."""
    if size is None or size == (page.width, page.height) or page.width <= 0 or page.height <= 0:
        return page
    across, down = size[0] / page.width, size[1] / page.height

    def moved(points: Polygon) -> Polygon:
        return tuple((x * across, y * down) for x, y in points)

    def line(old: Line) -> Line:
        words = tuple(replace(word, polygon=moved(word.polygon)) for word in old.words)
        return replace(old, polygon=moved(old.polygon), baseline=moved(old.baseline), words=words)

    return replace(
        page,
        lines=tuple(line(old) for old in page.lines),
        regions=tuple(replace(region, polygon=moved(region.polygon)) for region in page.regions),
        width=size[0],
        height=size[1],
    )
