"""Documents of several pages: PDF files and TIFF stacks, opened page by page; an image is a document of one page."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from text_recognizer.images.open import (
    DAMAGE,
    KNOWN_FORMATS,
    MAX_PIXELS,
    ImageError,
    check_size,
    count_frames,
    image_header,
    pixels_of,
    read_file,
)

PDF_DPI = 200  # handwriting's strokes are four pixels wide; more only costs time
_PDF_PIXELS = 40_000_000  # a page of unusual size is rendered coarser rather than refused
#: To be held by whoever calls PDFium, which is not safe in several threads.
PDFIUM = threading.RLock()


class Document:
    """The pages of a file in memory. Iterate, or ask for `page(number)` from 0; use as a context, or `close()`.

    Pages are decoded when asked for and not kept. `page` may be called from several threads.
    """

    def __init__(self, name: str, kind: str, count: int, max_pixels: int) -> None:
        self.name, self.kind, self._count, self.max_pixels = name, kind, count, max_pixels

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self.page(number) for number in range(len(self)))

    def page(self, number: int) -> NDArray[np.uint8]:
        """Page `number` as uint8 (H, W) or (H, W, 3) RGB, upright. Raises ImageError where it is damaged."""
        raise NotImplementedError

    def has_text(self, number: int) -> bool:  # noqa: ARG002
        """Whether page `number` holds text beside its picture, as a PDF from a word processor or a recogniser does."""
        return False

    def resolution(self, number: int) -> float | None:  # noqa: ARG002
        """Pixels an inch of page `number` as `page` gives it, where the file says."""
        return None

    def close(self) -> None:
        """Give back what is held."""

    def __enter__(self) -> Document:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_document(
    source: str | Path | bytes,
    max_pixels: int = MAX_PIXELS,
    max_pages: int = 10_000,
    dpi: int = PDF_DPI,
    name: str | None = None,
) -> Document:
    """The document in a file or in the bytes of one: PDF, or any format of `open_image`.

    max_pixels: of a page. max_pages: longer documents are refused. dpi: at which PDF pages are rendered. name: what
    messages call it, by default its path.
    Raises ImageError (a ValueError) where it cannot be read: damaged, encrypted, of an unknown kind, too long.
    """
    name = name or ("the document" if isinstance(source, bytes) else str(source))
    data = source if isinstance(source, bytes) else read_file(Path(source))
    if not data:
        raise ImageError(f"{name} is empty (0 bytes)")
    document: Document
    if data[:1024].lstrip().startswith(b"%PDF-"):
        document = _PdfDocument(data, name, max_pixels, dpi)
    else:
        document = _ImageDocument(data, name, max_pixels, max_pages + 1)
    if len(document) > max_pages:
        document.close()
        raise ImageError(f"{name} has more pages than the limit of {max_pages}: split it")
    return document


class _ImageDocument(Document):
    """An image, or the frames of a TIFF, up to `max_count` of them."""

    def __init__(self, data: bytes, name: str, max_pixels: int, max_count: int) -> None:
        self._data = data
        try:
            with image_header(data) as image:
                kind = image.format or "image"
                count = count_frames(image, max_count)
        except ImageError:
            raise
        except UnidentifiedImageError as error:
            raise ImageError(f"{name} is nothing that can be read (known: {KNOWN_FORMATS}, PDF)") from error
        except DAMAGE as error:
            raise ImageError(f"{name} is damaged or cut short: {error}") from error
        super().__init__(name, kind, count, max_pixels)

    def page(self, number: int) -> NDArray[np.uint8]:
        """See `Document.page`."""
        name = self.name if len(self) == 1 else f"page {number + 1} of {self.name}"
        try:
            with image_header(self._data) as image:
                if number:
                    image.seek(number)
                return pixels_of(image, name, self.max_pixels)
        except ImageError:
            raise
        except DAMAGE as error:
            raise ImageError(f"{name} is damaged or cut short: {error}") from error

    def resolution(self, number: int) -> float | None:
        """See `Document.resolution`."""
        try:
            with image_header(self._data) as image:
                if number:
                    image.seek(number)
                dpi = float(image.info["dpi"][0])
        except (ImageError, *DAMAGE):
            return None
        return dpi if 30 <= dpi <= 4800 else None  # programs that do not know it write 1


class _PdfDocument(Document):
    """Pages of a PDF, rendered by PDFium."""

    def __init__(self, data: bytes, name: str, max_pixels: int, dpi: int) -> None:
        import pypdfium2  # here, so that reading images does not load it

        self._dpi, self._error = dpi, pypdfium2.PdfiumError
        with PDFIUM:
            try:
                self._pdf: Any = pypdfium2.PdfDocument(io.BytesIO(data).getvalue())
                count = len(self._pdf)
            except pypdfium2.PdfiumError as error:
                if "password" in str(error).lower():
                    raise ImageError(f"{name} is encrypted: save it without a password first") from error
                raise ImageError(f"{name} is a damaged PDF: {error}") from error
            except DAMAGE as error:
                raise ImageError(f"{name} is a damaged PDF: {error}") from error
        if count == 0:
            raise ImageError(f"{name} is a PDF without pages")
        super().__init__(name, "PDF", count, max_pixels)

    def page(self, number: int) -> NDArray[np.uint8]:
        """See `Document.page`."""
        name = f"page {number + 1} of {self.name}"
        with PDFIUM:
            try:
                page = self._pdf[number]
                pixels = page.render(scale=self._scale(page, name)).to_pil().convert("RGB")
                page.close()
            except ImageError:
                raise
            except (self._error, *DAMAGE) as error:  # whatever PDFium and its wrapper stumble over
                raise ImageError(f"{name} cannot be rendered: {error}") from error
        return pixels_of(pixels, name, self.max_pixels)

    def has_text(self, number: int) -> bool:
        """See `Document.has_text`."""
        with PDFIUM:
            try:
                page = self._pdf[number]
                text = page.get_textpage()
                found = text.count_chars() > 0
                text.close()
                page.close()
            except (self._error, *DAMAGE):
                return False  # rendering it says what is the matter
        return found

    def resolution(self, number: int) -> float | None:
        """See `Document.resolution`."""
        with PDFIUM:
            try:
                page = self._pdf[number]
                scale = self._scale(page, self.name)
                page.close()
            except (ImageError, self._error, *DAMAGE):
                return None
        return 72 * scale

    def _scale(self, page: Any, name: str) -> float:
        """Pixels a point (1/72 inch) at which to render. Raises ImageError where no scale makes a sensible picture."""
        width, height = page.get_size()
        limit = 0.99 * min(self.max_pixels, _PDF_PIXELS)  # sides are rounded up
        scale = min(self._dpi / 72, math.sqrt(limit / max(1.0, width * height)))
        # A page as thin as a hair and a hundred kilometres long has a small area, and is a row of too many pixels.
        check_size(math.ceil(width * scale), math.ceil(height * scale), name, self.max_pixels)
        return scale

    def close(self) -> None:
        """See `Document.close`."""
        with PDFIUM:
            self._pdf.close()

    def __del__(self) -> None:
        # One that nobody closed: pypdfium2 would give it back without our lock, while another thread renders.
        if hasattr(self, "_pdf"):
            self.close()


def is_shown_by_browsers(document: Document) -> bool:
    """Whether a browser shows the file itself as the page, so that it needs no picture of it."""
    return document.kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP")


def encoded_page(pixels: NDArray[np.uint8], quality: int = 85) -> bytes:
    """A page image as JPEG, for showing and keeping."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
