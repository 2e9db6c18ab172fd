"""XML files of ground truth, parsed as safely as those that are read back (`formats/xml_files.py`)."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

from text_recognizer.formats import FormatError, xml_files


def parse_xml(path: Path, doctype: bool = False) -> Element:
    """The root of an XML file, see `formats.xml_files.parse_xml`. Raises ValueError, with the path."""
    if path.stat().st_size > xml_files.LARGEST:
        raise ValueError(f"{path} has more than {xml_files.LARGEST // 2**20} MiB")
    try:
        return xml_files.parse_xml(path.read_bytes(), doctype)
    except FormatError as error:
        raise ValueError(f"{path}: {error}") from error
