"""Files to send: good ones in many formats, and such as nobody sends in good faith."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

from PIL import Image

PNG_START = b"\x89PNG\r\n\x1a\n"


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def stack(images: Sequence[Image.Image], format: str, **options: object) -> bytes:
    """A document of several pages, as PDF or TIFF."""
    return encoded(images[0], format, save_all=True, append_images=list(images[1:]), **options)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, pixels: bytes = b"") -> bytes:
    """A gray PNG that claims a size, with chunks before its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return PNG_START + head + b"".join(chunks) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def blank_png(side: int) -> bytes:
    """A whole PNG of side x side white pixels, a thousandth of that in bytes."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * side
    return png(side, side, pixels=b"".join([packer.compress(row) for _ in range(side)]) + packer.flush())


def bomb(megabytes: int) -> bytes:
    """Zeros by the megabyte, compressed."""
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(megabytes)]) + packer.flush()


def tiff(pages: int, last: int = 0) -> bytes:
    """A TIFF stack of 16 x 16 pixels a page. last: offset of the directory after the last page; 8 makes a loop."""
    entries = [(256, 16), (257, 16), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 16), (279, 256)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in entries)
    out = b"II*\0" + struct.pack("<I", 8)
    size = len(directory) + 4
    parts = [directory + struct.pack("<I", 8 + size * k) for k in range(1, pages)]
    return out + b"".join(parts) + directory + struct.pack("<I", last) + bytes(256)


def pdf(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A PDF file of these objects; the first is the catalogue."""
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, start)


def pdf_page(box: bytes = b"0 0 200 200", count: int = 1, trailer: bytes = b"") -> bytes:
    """A PDF of one empty page with this MediaBox. count: of pages, as the file claims."""
    pages = b"<</Type/Pages/Kids[3 0 R]/Count %d>>" % count
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[%s]>>" % box
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", pages, page], trailer)


def locked_pdf() -> bytes:
    """A PDF that nobody opens without its password."""
    locks = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>/ID[<00><00>]" % (b"41" * 32, b"42" * 32)
    return pdf_page(trailer=locks)


def many_scans(scans: int) -> bytes:
    """A progressive JPEG with its last scan over and over: each costs a decoder a pass over all pixels."""
    data = encoded(Image.new("L", (2000, 2000), 255), "JPEG", progressive=True)
    last = data[data.rfind(b"\xff\xda") : -2]
    return data[:-2] + last * scans + data[-2:]
