"""XML as this package writes it and reads it, safely for it is from anywhere, and what ALTO and PAGE share."""

from __future__ import annotations

import re
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder, indent, tostring
from xml.parsers import expat

from text_recognizer.formats.format import FormatError
from text_recognizer.page import Line, Point, Polygon, Word

LARGEST = 64 * 2**20  # bytes; a page has a few hundred thousand
_DEEPEST = 200  # elements in one another; a page has about ten
# What XML 1.0 has no way to write: most control characters, halves of surrogate pairs and two non-characters.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
