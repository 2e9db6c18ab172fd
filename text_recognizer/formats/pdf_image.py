"""The picture of a page as an object of a PDF: a JPEG file as it is, anything else without loss."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.formats.format import Picture
from text_recognizer.formats.pdf_file import stream
from text_recognizer.images.open import DAMAGE, image_header

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
