"""hOCR 1.2: a page as a web page whose elements say where they stand in the image.

Several pages make one file; identifiers begin with the number of their page there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from text_recognizer.formats.format import Format, Picture
from text_recognizer.formats.xml import box, placed_words, regions_or_whole, writable
from text_recognizer.page import Line, Page, Polygon, Region, Word

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />
<title>Text</title>
<meta name="ocr-system" content="{system}" />
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_wconf" />
</head>
<body>
"""
_FOOT = "</body>\n</html>\n"
_IDENTIFIER = re.compile(rb' id="(page|area|par|line|word)_1(?=[_"])')  # text and titles have no bare quotes
_PAGE_NUMBER = re.compile(rb'(<div class="ocr_page"[^>]*; ppageno )0(">)')


class HocrFormat(Format):
    """hOCR 1.2 in XHTML, a page or several."""

    name = "hocr"
    suffix = ".hocr"
    media_type = "application/xhtml+xml"
    several = True

    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """The page as a web page."""
        models = ", ".join(page.models.values())
        head = _HEAD.format(system=escape(f"Text Recognizer ({models})" if models else "Text Recognizer"))
        return writable(head + "".join(f"{row}\n" for row in _page(page)) + _FOOT).encode()

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """One web page; the head is that of the first."""
        number = 0
        for number, part in enumerate(parts, 1):
            head, body = _split(part.read_bytes())
            if number == 1:
                target.write(head)
            body = _IDENTIFIER.sub(rb' id="\1_%d' % number, body)
            target.write(_PAGE_NUMBER.sub(rb"\g<1>%d\2" % (number - 1), body, count=1))
        target.write(_FOOT.encode() if number else (_HEAD.format(system="Text Recognizer") + _FOOT).encode())


def _split(data: bytes) -> tuple[bytes, bytes]:
    start, end = data.index(b"<body>\n") + len(b"<body>\n"), data.rindex(b"</body>")
    return data[:start], data[start:end]


def _page(page: Page) -> Iterator[str]:
    source = "" if page.source is None else f'image "{_quoted(page.source)}"; '
    place = f"bbox 0 0 {page.width} {page.height}"
    yield f'<div class="ocr_page" id="page_1" title="{escape(source)}{place}; ppageno 0">'
    parts = enumerate(regions_or_whole(page), 1)
    areas = groupby(parts, key=lambda part: part[1][0].column if part[1][0] else None)
    for count, (_, members) in enumerate(areas, 1):
        inside = list(members)
        around = [_outline(page, region, lines) for _, (region, lines) in inside]
        yield f'<div class="ocr_carea" id="area_1_{count}" title="{_bbox(_all(around))}">'
        for number, (region, lines) in inside:
            yield from _paragraph(page, region, lines, number)
        yield "</div>"
    yield "</div>"


def _paragraph(page: Page, region: Region | None, lines: tuple[int, ...], number: int) -> Iterator[str]:
    kind = f"; x_kind {region.kind}" if region else ""
    yield f'<p class="ocr_par" id="par_1_{number}" title="{_bbox(_outline(page, region, lines))}{kind}">'
    for line in lines:
        yield _line(page.lines[line], line + 1)
    yield "</p>"


def _line(line: Line, number: int) -> str:
    words = placed_words(line)
    text = " ".join(_word(word, f"{number}_{place}") for place, word in enumerate(words, 1)) or escape(line.text)
    title = f"{_bbox(line.polygon)}{_baseline(line)}; x_wconf {round(100 * line.confidence)}"
    return f'<span class="ocr_line" id="line_1_{number}" title="{title}">{text}</span>'


def _word(word: Word, number: str) -> str:
    title = f"{_bbox(word.polygon)}; x_wconf {round(100 * word.confidence)}"
    if word.character_confidences:
        title += "; x_confs " + " ".join(str(round(100 * value)) for value in word.character_confidences)
    return f'<span class="ocrx_word" id="word_1_{number}" title="{title}">{escape(word.text)}</span>'


def _baseline(line: Line) -> str:
    """Slope and height of the straight line through the baseline, from the left lower corner of the box."""
    if len(line.baseline) < 2 or not line.polygon:
        return ""
    left, _, _, bottom = box(line.polygon)
    across = [x - left for x, _ in line.baseline]
    down = [y - bottom for _, y in line.baseline]
    middle, level = sum(across) / len(across), sum(down) / len(down)
    spread = sum((x - middle) ** 2 for x in across)
    slope = sum((x - middle) * (y - level) for x, y in zip(across, down, strict=True)) / spread if spread else 0.0
    return f"; baseline {round(slope, 4) + 0.0:g} {round(level - slope * middle) + 0:d}"


def _outline(page: Page, region: Region | None, lines: tuple[int, ...]) -> Polygon:
    return region.polygon if region else _all([page.lines[line].polygon for line in lines])


def _all(polygons: list[Polygon]) -> Polygon:
    return tuple(point for polygon in polygons for point in polygon)


def _bbox(polygon: Polygon) -> str:
    return "bbox " + " ".join(str(round(value)) for value in box(polygon))


def _quoted(text: str) -> str:
    """A name as a property holds it, in quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
