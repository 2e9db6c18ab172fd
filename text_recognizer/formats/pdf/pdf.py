"""PDF: the picture of the page, and its text over it, invisible, to be searched, selected and copied."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.formats.format import Format, Picture
from text_recognizer.formats.pdf.text_layer import TextLayer, unicode_map
from text_recognizer.formats.pdf.writer import (
    CID_FONT,
    CONTENT,
    DOCUMENT,
    ELEMENT,
    FONT,
    IMAGE,
    MARKS,
    PAGE,
    PAGES,
    SECTION,
    UNICODE,
    PagePart,
    stream,
)
from text_recognizer.images.open import DAMAGE, image_header
from text_recognizer.page import Page

USUAL_DPI = 200  # where a file does not say; an A4 page then has 1654 x 2339 pixels
_LEAST_DPI = 100  # cameras and drawing programs write 72 or 96 where they know nothing
_LONGEST = 14400  # points: the side of the largest page that PDF's readers need to show (ISO 32000-1, C.2)

_ORIENTATION = 0x0112  # the EXIF tag
#: How the unit square of an image is laid onto that of the page, by EXIF orientation: the six numbers of a PDF matrix.
_UPRIGHT = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
_SPACES = {"L": "DeviceGray", "RGB": "DeviceRGB", "CMYK": "DeviceCMYK"}


class PdfFormat(Format):
    """PDF 1.7 (ISO 32000-1): a searchable page.

    A JPEG file is kept byte for byte, any other picture without loss. Each word lies over its ink, along the baseline
    of its line; paragraphs, headings and notes in the margin are tagged, in reading order. The same page gives the
    same bytes: the file has no date.
    """

    name = "pdf"
    suffix = ".pdf"
    media_type = "application/pdf"
    several = True
    needs_image = True

    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """See `Format.write`. Raises ValueError without a picture, or where a line with text has no outline."""
        from text_recognizer.formats.pdf.writer import write_pdf

        if picture is None:
            raise ValueError("a PDF shows the picture of the page, and none was given")
        if min(page.width, page.height) <= 0:
            raise ValueError("a PDF needs the width and the height of the page's picture, and the page has none")
        file = io.BytesIO()
        write_pdf([picture_page(page, picture)], file)
        return file.getvalue()

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """See `Format.join`. The title is that of the first part. Raises ValueError for a part of another origin."""
        from text_recognizer.formats.pdf.writer import read_part, write_pdf

        write_pdf(map(read_part, parts), target)


def picture_page(page: Page, picture: Picture) -> PagePart:
    """The page with its picture, and its text over it. Raises ValueError where a line with text has no place."""
    image = page_image(picture)
    points = points_a_pixel(page, picture.dpi)
    text = TextLayer(page, points)
    width, height = page.width * points, page.height * points
    turned = " ".join(map(str, image.matrix))
    content = f"/Artifact BMC\nq {width:.3f} 0 0 {height:.3f} 0 0 cm {turned} cm /I Do Q\nEMC\n".encode() + text.content
    resources = f"/Font <</F {FONT} 0 R>> /XObject <</I {IMAGE} 0 R>>"
    return _part(page, (width, height), text, content, resources, image.body)


def text_page(page: Page, points: float) -> PagePart:
    """The page with its text only, to be laid over another one. points: a pixel's size in points."""
    text = TextLayer(page, points)
    size = page.width * points, page.height * points
    return _part(page, size, text, text.content, f"/Font <</F {FONT} 0 R>>", b"null")


def points_a_pixel(page: Page, dpi: float | None) -> float:
    """A pixel's size in points of 1/72 inch: of so many pixels an inch, or of a usual number where that is unknown."""
    if dpi is None or not math.isfinite(dpi) or dpi < _LEAST_DPI:
        dpi = USUAL_DPI
    return min(72 / dpi, _LONGEST / max(page.width, page.height))


def _part(
    page: Page, size: tuple[float, float], text: TextLayer, content: bytes, resources: str, image: bytes
) -> PagePart:
    elements = [ELEMENT + number for number in range(len(text.elements))]
    references = " ".join(f"{element} 0 R" for element in elements)
    objects = {
        PAGE: f"<</Type /Page /Parent {PAGES} 0 R /MediaBox [0 0 {size[0]:.3f} {size[1]:.3f}] /StructParents 0 "
        f"/Tabs /S /Resources <<{resources}>> /Contents {CONTENT} 0 R>>".encode(),
        CONTENT: stream(content),
        FONT: f"<</Type /Font /Subtype /Type0 /BaseFont /Glyphless /Encoding /Identity-H "
        f"/DescendantFonts [{CID_FONT} 0 R] /ToUnicode {UNICODE} 0 R>>".encode(),
        UNICODE: stream(unicode_map(text.characters)),
        IMAGE: image,
        MARKS: f"[{references}]".encode(),
        SECTION: f"<</Type /StructElem /S /Sect /P {DOCUMENT} 0 R /K [{references}]>>".encode(),
    }
    for mark, (number, kind) in enumerate(zip(elements, text.elements, strict=True)):
        objects[number] = f"<</Type /StructElem /S /{kind} /P {SECTION} 0 R /Pg {PAGE} 0 R /K {mark}>>".encode()
    return PagePart([objects[number] for number in range(PAGE, PAGE + len(objects))], _title(page))


def _title(page: Page) -> str:
    """The name of the file that the page came from, without the page's number."""
    return PurePath((page.source or "").partition("#page=")[0]).name


@dataclass(frozen=True)
class PageImage:
    """An image object, and the matrix that lays it upright onto the unit square."""

    body: bytes
    matrix: tuple[int, ...]


def page_image(picture: Picture) -> PageImage:
    """The picture as an image object. The bytes of a JPEG file are kept, and its EXIF orientation is heeded."""
    kept = _jpeg(picture.encoded) if picture.encoded else None
    return kept or PageImage(_lossless(picture.pixels()), _UPRIGHT[1])


def _jpeg(data: bytes) -> PageImage | None:
    """The JPEG file as an image object, or None where PDF has no such JPEG files."""
    try:
        with image_header(data) as image:
            kind, size, mode, adobe = image.format, image.size, image.mode, "adobe" in image.info
            orientation = image.getexif().get(_ORIENTATION, 1)
    except DAMAGE:
        return None
    if kind not in ("JPEG", "MPO") or mode not in _SPACES:  # MPO: a camera's JPEG file with further pictures behind
        return None
    entries = _entries(size, _SPACES[mode], 8) + " /Filter /DCTDecode"
    if mode == "CMYK" and adobe:  # Adobe's programs write the complement
        entries += " /Decode [1 0 1 0 1 0 1 0]"
    return PageImage(stream(data, entries, packed=True), _UPRIGHT.get(orientation, _UPRIGHT[1]))


def _lossless(pixels: NDArray[np.uint8]) -> bytes:
    """An image object of the pixels, packed as PNG packs them, which PDF can undo."""
    if pixels.ndim == 3 and (pixels == pixels[:, :, :1]).all():
        pixels = pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    bits, colors = 8, len(image.getbands())
    if colors == 1 and np.isin(pixels, (0, 255)).all():
        image, bits = image.convert("1", dither=Image.Dither.NONE), 1
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=6)
    rows = f"/Predictor 15 /Colors {colors} /BitsPerComponent {bits} /Columns {image.width}"
    entries = _entries(image.size, "DeviceGray" if colors == 1 else "DeviceRGB", bits)
    packed = b"".join(_png_data(file.getvalue()))
    return stream(packed, f"{entries} /Filter /FlateDecode /DecodeParms <<{rows}>>", packed=True)


def _png_data(png: bytes) -> Iterator[bytes]:
    """The pieces of a PNG file that hold its pixels (IDAT; ISO/IEC 15948, 5.3)."""
    position = 8
    while position < len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        if kind == b"IDAT":
            yield png[position + 8 : position + 8 + length]
        position += 12 + length


def _entries(size: tuple[int, int], space: str, bits: int) -> str:
    kind = f"/Type /XObject /Subtype /Image /Width {size[0]} /Height {size[1]}"
    return f"{kind} /ColorSpace /{space} /BitsPerComponent {bits}"
