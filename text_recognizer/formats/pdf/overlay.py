"""The text of pages laid over those of the PDF that they were read from, which keeps all that it has."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from text_recognizer.formats.format import FormatError
from text_recognizer.formats.pdf.pdf import text_page
from text_recognizer.formats.pdf.writer import write_pdf
from text_recognizer.images.document import PDFIUM
from text_recognizer.page import Page

_Matrix = tuple[float, float, float, float, float, float]


def add_text(source: Path | bytes, pages: Iterable[tuple[int, Page]], target: BinaryIO) -> None:
    """Write the PDF `source` into `target` with the text of pages over it, invisible, each word over its ink.

    pages: the index of a page, from 0, and what was read on a picture of all of it, upright, of any size, such as
    `images.open_document` gives. Pages may be made while they are taken. Text that the PDF has already is kept beside.
    Raises FormatError where it is no PDF that can be opened, and ValueError where it has no such page.
    """
    import pypdfium2  # here, so that other formats do not load it

    try:
        with PDFIUM:
            pdf = pypdfium2.PdfDocument(source)
        try:
            for number, page in pages:
                with PDFIUM:
                    _lay_over(pdf, number, page)
            with PDFIUM:
                pdf.save(target)
        finally:
            with PDFIUM:
                pdf.close()
    except pypdfium2.PdfiumError as error:
        raise FormatError(f"no text can be added to a PDF that is damaged or encrypted: {error}") from error


def _lay_over(pdf: Any, number: int, page: Page) -> None:
    """Add the text of a page to the page of that index."""
    import pypdfium2

    if not 0 <= number < len(pdf):
        raise ValueError(f"the PDF has {len(pdf)} pages: there is none of the index {number}")
    if min(page.width, page.height) <= 0:
        raise ValueError(f"the size of the picture of page {number + 1} is not known")
    sheet = pdf[number]
    width, height = sheet.get_size()
    points = width / page.width
    file = io.BytesIO()
    write_pdf([text_page(page, points)], file)
    text = pypdfium2.PdfDocument(file.getvalue())
    layer = text.page_as_xobject(0, pdf)
    shown = layer.as_pageobject()
    stretch = height / (page.height * points)  # pictures have whole pixels: almost 1
    shown.set_matrix(pypdfium2.PdfMatrix(1, 0, 0, stretch, 0, 0).multiply(pypdfium2.PdfMatrix(*_placing(sheet))))
    sheet.insert_obj(shown)
    sheet.gen_content()
    layer.close()
    text.close()
    sheet.close()


def _placing(sheet: Any) -> _Matrix:
    """The matrix from a page as it is shown, from its lower left corner, to the coordinates that the PDF gives it."""
    left, bottom, right, top = sheet.get_bbox()
    matrices: dict[int, _Matrix] = {
        0: (1, 0, 0, 1, left, bottom),
        90: (0, 1, -1, 0, right, bottom),
        180: (-1, 0, 0, -1, right, top),
        270: (0, -1, 1, 0, left, top),
    }
    return matrices[sheet.get_rotation()]
