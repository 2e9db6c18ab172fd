"""Files of other programs, each told by what it holds, into a labelling folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from text_recognizer.formats.xml import LARGEST
from text_recognizer.labeling.exchange.annotations import ImportReport
from text_recognizer.labeling.exchange.label_studio_import import import_label_studio
from text_recognizer.labeling.exchange.pages import PageFinder
from text_recognizer.labeling.exchange.xml import import_xml
from text_recognizer.labeling.folder import LabelingFolder


def import_files(folder: LabelingFolder, files: Iterable[Path], names: Mapping[str, str], report: ImportReport) -> None:
    """Add the labels that files hold. names: of annotators, see `label_studio_import.annotators_of`.

    A file that is refused is added to the problems of the report, and the others are imported.
    """
    finder = PageFinder(folder.pages())
    for path in files:
        try:
            if _is_xml(path):
                import_xml(folder, finder, path, names.get("", ""), report)
            else:
                import_label_studio(folder, finder, path, names, report)
        except IsADirectoryError:
            report.problems.append(f"{path} is a folder: name the files in it, {path}/*.xml")
        except (ValueError, OSError) as error:
            message = str(error) if str(path) in str(error) else f"{path}: {error}"
            report.problems.append(message)


def _is_xml(path: Path) -> bool:
    """Whether a file holds XML, whatever it is called. Raises ValueError where it is neither that nor JSON."""
    with path.open("rb") as file:
        start = file.read(1024)
    first = start.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")[:1]
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):  # XML may be in UTF-16, JSON may not
        first = "<"
    if first == "<":
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST // 2**20} MiB")
        return True
    if first in ("[", "{"):
        return False
    if path.name.casefold().endswith((".csv", ".gt.txt")):
        raise ValueError("line images with their texts need no import: name their folder as --data of train")
    if start[:2] == b"PK":
        raise ValueError("it is a ZIP archive: unpack it, and name the files in it")
    raise ValueError("it is neither PAGE XML nor ALTO nor a JSON export of Label Studio")
