"""The objects of our PDF files, written one after the other, and files of one page read back to be joined.

A file begins with `SHARED` objects that all its pages need; from `FIRST` on, each page has its own: see pdf.py.
References are written "N 0 R". What a page's objects refer to is either shared or follows in the same page, so a page
moves to another file by counting its own numbers from elsewhere.

The frame of a PDF file (ISO 32000-1, 7.5): objects one after the other, their table, the trailer.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

CATALOG, PAGES, INFO, STRUCTURE, DOCUMENT, PARENTS, CID_FONT, DESCRIPTOR, FONT_FILE, GLYPHS = range(1, 11)
#: The numbers that a page's own objects begin with; its structure elements follow from ELEMENT on.
PAGE, CONTENT, FONT, UNICODE, IMAGE, MARKS, SECTION, ELEMENT = range(11, 19)
_GLYPHLESS = Path(__file__).with_name("glyphless.ttf")
_REFERENCE = re.compile(rb"(\d+) 0 R\b")
_PARENTS_KEY = b"/StructParents 0"  # of each page by itself

PRODUCER = "(Text Recognizer)"


@dataclass(frozen=True)
class PagePart:
    """A page's own objects, the first of which has the number PAGE, and the title of its file (empty for none)."""

    objects: list[bytes]
    title: str = ""


def write_pdf(parts: Iterable[PagePart], target: BinaryIO) -> None:
    """Write the pages as one file into `target`, which need not be able to seek. The title is that of the first page.

    Holds one page at a time, and a few numbers of each. Raises ValueError where there are none.
    """
    file = PdfFile(target, "1.7")
    bases: list[int] = []  # what is added to the numbers of each page's own objects
    title, base = "", 0
    for part in parts:
        title = title if bases else part.title
        for number, body in enumerate(part.objects, PAGE):
            file.put(base + number, _moved(body, base, len(bases)))
        bases.append(base)
        base += len(part.objects)
    if not bases:
        raise ValueError("a PDF has one page at least")
    for number, body in _shared(bases, title):
        file.put(number, body)
    file.close(CATALOG, INFO)


def read_part(path: Path) -> PagePart:
    """The page of a file of one page that `write_pdf` wrote. Raises ValueError where it is no such file."""
    data = path.read_bytes()
    try:
        objects = dict(_objects(data))
    except ValueError:
        objects = {}
    if PRODUCER.encode() not in objects.get(INFO, b"") or b"/Count 1>>" not in objects.get(PAGES, b""):
        raise ValueError(f"{path} is not a PDF of one page that was written here")
    title = re.search(rb"/Title <FEFF([0-9A-F]*)>", objects[INFO])
    return PagePart(
        [objects[number] for number in range(PAGE, len(objects) + 1)],
        bytes.fromhex(title[1].decode()).decode("utf-16-be", "replace") if title else "",
    )


def _objects(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The objects of one of our files by number, from 1, found by its table. Nothing where there is no such table."""
    end = max(0, data.rfind(b"\ntrailer\n"))
    table = data.rfind(b"\nxref\n0 ", 0, end) + 1
    rows = data[table:end].split(b"\n")[3:] if table else []  # after "xref", the count, and the row of object 0
    places = [(int(row[:10]), number) for number, row in enumerate(rows, 1)]
    ends = dict(zip(sorted(places), [*sorted(places)[1:], (table, 0)], strict=True))
    for place, number in places:
        begin = data.index(b"obj\n", place) + len(b"obj\n")
        yield number, data[begin : ends[place, number][0] - len(b"\nendobj\n")]


def _moved(body: bytes, base: int, page: int) -> bytes:
    """A page's object with its own references counted from `base`, for the page of that index."""
    if not base:
        return body
    head, separator, data = body.partition(b"stream\n")

    def shifted(match: re.Match[bytes]) -> bytes:
        number = int(match[1])
        return b"%d 0 R" % (number if number < PAGE else number + base)

    return _REFERENCE.sub(shifted, head).replace(_PARENTS_KEY, b"/StructParents %d" % page) + separator + data


def _shared(bases: list[int], title: str) -> Iterator[tuple[int, bytes]]:
    """The objects that all pages need, with their numbers."""
    pages = " ".join(f"{base + PAGE} 0 R" for base in bases)
    sections = " ".join(f"{base + SECTION} 0 R" for base in bases)
    marks = " ".join(f"{page} {base + MARKS} 0 R" for page, base in enumerate(bases))
    named = f"/Title {text_string(title)} " if title else ""
    bodies = {
        CATALOG: f"<</Type /Catalog /Pages {PAGES} 0 R /StructTreeRoot {STRUCTURE} 0 R /MarkInfo <</Marked true>>>>",
        PAGES: f"<</Type /Pages /Kids [{pages}] /Count {len(bases)}>>",
        INFO: f"<<{named}/Producer {PRODUCER}>>",
        STRUCTURE: f"<</Type /StructTreeRoot /K {DOCUMENT} 0 R /ParentTree {PARENTS} 0 R "
        f"/ParentTreeNextKey {len(bases)}>>",
        DOCUMENT: f"<</Type /StructElem /S /Document /P {STRUCTURE} 0 R /K [{sections}]>>",
        PARENTS: f"<</Nums [{marks}]>>",
    }
    for number, body in bodies.items():
        yield number, body.encode()
    yield from _font()


@cache
def _font() -> tuple[tuple[int, bytes], ...]:
    """The font without glyphs. Its measures are those of make_glyphless_font.py."""
    font = _GLYPHLESS.read_bytes()
    descriptor = (
        f"<</Type /FontDescriptor /FontName /Glyphless /Flags 4 /FontBBox [0 -220 500 650] /ItalicAngle 0 "
        f"/Ascent 650 /Descent -220 /CapHeight 650 /StemV 80 /FontFile2 {FONT_FILE} 0 R>>"
    )
    cid_font = (
        "<</Type /Font /Subtype /CIDFontType2 /BaseFont /Glyphless /DW 500 /CIDToGIDMap "
        f"{GLYPHS} 0 R /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> "
        f"/FontDescriptor {DESCRIPTOR} 0 R>>"
    )
    return (
        (CID_FONT, cid_font.encode()),
        (DESCRIPTOR, descriptor.encode()),
        (FONT_FILE, stream(font, f"/Length1 {len(font)}")),
        (GLYPHS, stream(b"\0\1" * 0x10000)),  # every character is the glyph 1
    )


class PdfFile:
    """A PDF file that is being written into `target`, which need not be able to seek. version: of PDF, "1.7"."""

    def __init__(self, target: BinaryIO, version: str) -> None:
        header = f"%PDF-{version}\n".encode() + b"%\xe2\xe3\xcf\xd3\n"  # four bytes that say that the file is not text
        self._target, self._position = target, len(header)
        self._places: dict[int, int] = {}
        target.write(header)

    def put(self, number: int, body: bytes) -> None:
        """Write an object. Numbers begin with 1 and come in any order; none may be missing in the end."""
        self._places[number] = self._position
        whole = b"%d 0 obj\n%b\nendobj\n" % (number, body)
        self._target.write(whole)
        self._position += len(whole)

    def close(self, root: int, info: int) -> None:
        """Write the table and the trailer. root, info: the numbers of the catalogue and of what is said of the file."""
        size = len(self._places) + 1
        rows = b"".join(b"%010d 00000 n \n" % self._places[number] for number in range(1, size))
        self._target.write(b"xref\n0 %d\n0000000000 65535 f \n" % size + rows)
        entries = f"/Size {size} /Root {root} 0 R /Info {info} 0 R"
        self._target.write(f"trailer\n<<{entries}>>\nstartxref\n{self._position}\n%%EOF\n".encode())


def stream(data: bytes, entries: str = "", packed: bool = False) -> bytes:
    """A stream object. entries: of its dictionary. packed: whether the data are as these say; else Flate packs them."""
    if not packed:
        data, entries = zlib.compress(data, 9), f"{entries} /Filter /FlateDecode"
    return f"<<{entries} /Length {len(data)}>>\nstream\n".encode() + data + b"\nendstream"


def text_string(text: str) -> str:
    """Any text as a string of a PDF."""
    return f"<FEFF{text.encode('utf-16-be', 'replace').hex().upper()}>"
