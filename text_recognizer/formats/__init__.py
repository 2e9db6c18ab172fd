"""A page written as a file that other programs open, and read back."""

from __future__ import annotations

from text_recognizer.formats.alto import AltoFormat
from text_recognizer.formats.format import Format, FormatError, Picture
from text_recognizer.formats.hocr import HocrFormat
from text_recognizer.formats.json_format import JsonFormat, to_json
from text_recognizer.formats.page_xml import PageXmlFormat
from text_recognizer.formats.pdf.pdf import PdfFormat
from text_recognizer.formats.text import CsvFormat, MarkdownFormat, ParagraphsFormat, TextFormat, to_text

#: Every format by its name.
FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        TextFormat(),
        ParagraphsFormat(),
        MarkdownFormat(),
        JsonFormat(),
        AltoFormat(),
        PageXmlFormat(),
        HocrFormat(),
        CsvFormat(),
        PdfFormat(),
    )
}

__all__ = ["FORMATS", "Format", "FormatError", "Picture", "to_json", "to_text"]
