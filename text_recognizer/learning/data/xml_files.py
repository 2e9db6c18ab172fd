"""XML from anywhere, read safely: no document types, no entities of its own, nothing fetched."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

_LARGEST = 64 * 2**20  # bytes; the ground truth of a page has a few hundred thousand


def parse_xml(path: Path, doctype: bool = False) -> Element:
    """The root of an XML file, names of elements and attributes without their namespaces.

    doctype: allow a document type; what it points to is not read. Entities that a file declares are refused
    in any case, for they can name files or grow without end ("billion laughs"). Raises ValueError, with the
    path, for such a file, for one that is not well-formed and for one of more than 64 MiB.
    """

    def refuse(*_: object) -> NoReturn:
        raise ValueError(f"{path} declares a document type or entities: refused, remove the <!DOCTYPE ...>")

    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path} has more than {_LARGEST // 2**20} MiB")
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: builder.start(
        _local(name), {_local(key): value for key, value in attributes.items()}
    )
    parser.EndElementHandler = lambda name: builder.end(_local(name))
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    if not doctype:
        parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise ValueError(f"{path} is not well-formed XML: {error}") from error
    root = builder.close()
    if not isinstance(root, Element):
        raise ValueError(f"{path} holds no element")
    return root


def _local(name: str) -> str:
    return name.rpartition("}")[2]
