"""The frame of a PDF file (ISO 32000-1, 7.5): objects one after the other, their table, the trailer."""

from __future__ import annotations

import zlib
from typing import BinaryIO

PRODUCER = "(Text Recognizer)"


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
