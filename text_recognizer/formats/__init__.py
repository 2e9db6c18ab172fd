"""A page written as a file that other programs open, and read back.

Other packages add formats with an entry point (docs/how-to/add-a-format.md).
"""

from __future__ import annotations

from text_recognizer.formats.alto import AltoFormat
from text_recognizer.formats.format import ENTRY_POINTS, Format, FormatError, Formats, Picture
from text_recognizer.formats.hocr import HocrFormat
from text_recognizer.formats.json_format import JsonFormat, to_json
from text_recognizer.formats.page_xml import PageXmlFormat
from text_recognizer.formats.pdf.pdf import PdfFormat
from text_recognizer.formats.text import CsvFormat, MarkdownFormat, ParagraphsFormat, TextFormat, to_text

#: Every format by its name. Those of other packages are among them once one is asked for that is not here.
FORMATS = Formats()
for _format in (
    TextFormat,
    ParagraphsFormat,
    MarkdownFormat,
    JsonFormat,
    AltoFormat,
    PageXmlFormat,
    HocrFormat,
    CsvFormat,
    PdfFormat,
):
    FORMATS.register(_format)

#: Class decorator: makes a format known by its name.
register = FORMATS.register

__all__ = ["ENTRY_POINTS", "FORMATS", "Format", "FormatError", "Picture", "register", "to_json", "to_text"]
