"""Pages to write as PDF, and what pdftotext and PDFium make of the files."""

from __future__ import annotations

import ctypes
import math
import re
import shutil
import subprocess
from contextlib import closing
from html import unescape
from pathlib import Path

import numpy as np
import pypdfium2
import pypdfium2.raw as raw
import pytest

from tests.conftest import SAMPLES
from text_recognizer.formats.format import Picture
from text_recognizer.page import Line, Page, Word

LETTER = SAMPLES / "letter.jpg"
POPPLER = pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils is not installed")
DPI = 144  # a pixel is half a point
Box = tuple[float, float, float, float]


def picture(pixels: np.ndarray | None = None, encoded: bytes | None = None, dpi: float | None = DPI) -> Picture:
    """A picture of those pixels, or else of that file, whose pixels nobody may ask for."""

    def unwanted() -> np.ndarray:
        raise AssertionError("the pixels were not needed")

    return Picture(encoded, unwanted if pixels is None else lambda: pixels, dpi)


def paper(width: int = 600, height: int = 400) -> Picture:
    return picture(np.full((height, width), 255, np.uint8))


def line(
    text: str, left: float, bottom: float, angle: float = 0.0, height: float = 30.0, baseline: bool = True
) -> Line:
    """A line of words that begins at a point and rises by an angle in degrees; a character is 15 pixels wide."""
    along = np.array([math.cos(math.radians(angle)), -math.sin(math.radians(angle))])
    up = np.array([along[1], -along[0]])

    def quad(begin: float, end: float, below: float, above: float) -> tuple[tuple[float, float], ...]:
        ends = ((begin, above), (end, above), (end, below), (begin, below))
        return tuple(tuple((np.array([left, bottom]) + a * along + b * up).tolist()) for a, b in ends)

    words, begin = [], 0.0
    for text_of_word in text.split():
        end = begin + 15.0 * len(text_of_word)
        words.append(Word(text_of_word, quad(begin, end, -8, height - 8), 0.9))
        begin = end + 15.0
    whole = quad(-5, begin, -10, height)
    feet = quad(0, begin - 15, 0, 0)
    return Line(text, whole, 0.9, (feet[3], feet[2]) if baseline else (), tuple(words))


def begin(count: int, angle: float) -> tuple[float, float]:
    """Where a line of so many characters begins, so that its middle is that of the page."""
    return 300 - 7.5 * count * math.cos(math.radians(angle)), 200 + 7.5 * count * math.sin(math.radians(angle))


def page_of(*lines: Line, size: tuple[int, int] = (600, 400)) -> Page:
    return Page(lines, *size, source="scans/Brief an Émile.jpg#page=7")


def run(*command: object) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def saved(data: bytes, folder: Path, name: str = "page.pdf") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def opened(source: bytes | Path) -> closing[pypdfium2.PdfDocument]:
    return closing(pypdfium2.PdfDocument(source))


def poppler_words(path: Path) -> list[tuple[str, Box]]:
    """The words that pdftotext finds, in the order of the file, with their boxes in points, y down."""
    page = run("pdftotext", "-raw", "-bbox", path, "-")
    rows = re.findall(r'<word xMin="(.+?)" yMin="(.+?)" xMax="(.+?)" yMax="(.+?)">(.+?)</word>', page)
    return [(unescape(row[4]), tuple(map(float, row[:4]))) for row in rows]


def pdfium_words(data: bytes) -> list[tuple[str, Box]]:
    """The words that PDFium finds, likewise, on the first page as it is shown, cropped and turned."""
    with opened(data) as pdf:
        text = pdf[0].get_textpage()
        words = []
        for match in re.finditer(r"\S+", text.get_text_range()):
            boxes = [text.get_charbox(number) for number in range(*match.span())]
            points = np.array([on_screen(pdf[0], x, y) for box in boxes for x in box[::2] for y in box[1::2]])
            words.append((match[0], (*points.min(axis=0), *points.max(axis=0))))
    return words


def on_screen(sheet: pypdfium2.PdfPage, x: float, y: float) -> tuple[float, float]:
    """Where a point of a page's own coordinates is shown, in points, y down."""
    width, height = sheet.get_size()
    across, down = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(sheet, 0, 0, round(100 * width), round(100 * height), 0, x, y, across, down)
    return across.value / 100, down.value / 100


def pdfium_text(data: bytes, number: int = 0) -> str:
    with opened(data) as pdf:
        return pdf[number].get_textpage().get_text_range().replace("\r", "")


def rendered(data: bytes, scale: float = 1.0) -> np.ndarray:
    with opened(data) as pdf:
        return np.array(pdf[0].render(scale=scale).to_pil().convert("RGB"))


def box_of(polygon: tuple[tuple[float, float], ...], scale: float) -> Box:
    points = np.array(polygon) * scale
    return (*points.min(axis=0), *points.max(axis=0))


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def shared(one: Box, other: Box) -> float:
    """The area of two boxes' intersection."""
    return area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    return shared(one, other) / (area(one) + area(other) - shared(one, other))
