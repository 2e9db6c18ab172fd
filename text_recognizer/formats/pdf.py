"""PDF: the picture of the page, and its text over it, invisible, to be searched, selected and copied."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from text_recognizer.formats.format import Format, Picture
from text_recognizer.page import Page


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
        from text_recognizer.formats.pdf_objects import write_pdf
        from text_recognizer.formats.pdf_page import picture_page  # here, as it brings NumPy and Pillow

        if picture is None:
            raise ValueError("a PDF shows the picture of the page, and none was given")
        if min(page.width, page.height) <= 0:
            raise ValueError("a PDF needs the width and the height of the page's picture, and the page has none")
        file = io.BytesIO()
        write_pdf([picture_page(page, picture)], file)
        return file.getvalue()

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """See `Format.join`. The title is that of the first part. Raises ValueError for a part of another origin."""
        from text_recognizer.formats.pdf_objects import read_part, write_pdf

        write_pdf(map(read_part, parts), target)
