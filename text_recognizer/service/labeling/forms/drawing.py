"""Drawings of text, lines and cells, in millimetres from the top left corner, as vectors in a PDF.

Text is set in Helvetica, one of the fonts that every viewer and printer brings along (ISO 32000-1, 9.6.2.2), so that
none has to be installed or shipped; it knows the characters of Windows-1252.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from text_recognizer.formats.pdf_file import PRODUCER, PdfFile, stream, text_string

_POINTS = 72 / 25.4  # of a millimetre


class Drawing:
    """One page of width x height millimetres."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._operators: list[str] = []

    def text(self, x: float, y: float, size: float, text: str, bold: bool = False, gray: float = 0.0) -> None:
        """Text from x on, its baseline at y, `size` millimetres high; characters outside of Windows-1252 become "?"."""
        coded = text.encode("cp1252", "replace").hex().upper()
        place = f"{_number(x * _POINTS)} {_number((self.height - y) * _POINTS)}"
        font = f"/F{2 if bold else 1} {_number(size * _POINTS)} Tf"
        self._operators.append(f"BT {_number(gray)} g {font} {place} Td <{coded}> Tj ET")

    def rectangle(self, box: Sequence[float], line: float = 0.25, gray: float = 0.0) -> None:
        """The outline of a box (x, y, width, height), its line `line` millimetres wide around the middle of it."""
        self._operators.append(f"{_number(line * _POINTS)} w {_number(gray)} G {self._box(*box)} re S")

    def line(self, x: float, y: float, length: float, line: float = 0.25, gray: float = 0.0) -> None:
        """A horizontal line from x on, its middle at y."""
        self._operators.append(f"{_number(gray)} g {self._box(x, y - line / 2, length, line)} re f")

    def cells(self, x: float, y: float, side: float, dark: NDArray[np.bool_]) -> None:
        """A square grid of dark and light cells (N, N), `side` millimetres wide."""
        cell = side / len(dark)
        boxes = [
            self._box(x + begin * cell, y + row * cell, (end - begin) * cell, cell)
            for row, values in enumerate(dark)
            for begin, end in _runs(values)
        ]
        # One path, for between neighbours that are filled one by one some viewers leave a light seam.
        self._operators.append("0 g " + " ".join(f"{box} re" for box in boxes) + " f")

    def content(self) -> bytes:
        """The page's content stream."""
        return "\n".join(self._operators).encode("ascii")

    def _box(self, x: float, y: float, width: float, height: float) -> str:
        bottom = self.height - y - height
        return " ".join(_number(value * _POINTS) for value in (x, bottom, width, height))


def pdf_of(pages: Sequence[Drawing], title: str) -> bytes:
    """The pages as a PDF file (1.4); the same pages give the same bytes."""
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    fonts = [
        f"<</Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding>>".encode()
        for name in ("Helvetica", "Helvetica-Bold")
    ]
    objects = [b"<</Type /Catalog /Pages 2 0 R>>", f"<</Type /Pages /Kids [{kids}] /Count {len(pages)}>>".encode()]
    objects += fonts
    for number, page in enumerate(pages):
        size = f"{_number(page.width * _POINTS)} {_number(page.height * _POINTS)}"
        objects.append(
            f"<</Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] /Contents {6 + 2 * number} 0 R "
            "/Resources <</Font <</F1 3 0 R /F2 4 0 R>>>>>>".encode()
        )
        objects.append(stream(page.content()))
    objects.append(f"<</Title {text_string(title)} /Producer {PRODUCER}>>".encode())
    target = io.BytesIO()
    file = PdfFile(target, "1.4")
    for number, body in enumerate(objects, 1):
        file.put(number, body)
    file.close(root=1, info=len(objects))
    return target.getvalue()


def _runs(values: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where runs of True begin and end."""
    edges = np.flatnonzero(np.diff(np.r_[False, values, False].astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
