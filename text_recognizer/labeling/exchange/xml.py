"""PAGE XML and ALTO files of Transkribus, eScriptorium, kraken and others, into a labelling folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

from text_recognizer.formats import FormatError
from text_recognizer.formats.alto_reader import read_alto
from text_recognizer.formats.page_xml import read_page
from text_recognizer.formats.xml import LineMark, parse_xml, scaled
from text_recognizer.images import ImageError
from text_recognizer.labeling.exchange.annotations import ForeignLine, ForeignPage, ImportReport, clipped, take_over
from text_recognizer.labeling.exchange.pages import PageFinder
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.labels import now
from text_recognizer.page import Line, Page, Polygon

_SAME_SHAPE = 0.02  # between the proportions of the image in the folder and of the one that the file is of
_ABOVE, _BELOW = 0.03, 0.012  # of the height of the page: how far a line reaches from its baseline if nobody says

_READERS: dict[str, tuple[str, Callable[[Element], tuple[Page, tuple[LineMark, ...]]]]] = {
    "PcGts": ("page", read_page),
    "alto": ("alto", read_alto),
}


def import_xml(folder: LabelingFolder, finder: PageFinder, path: Path, annotator: str, report: ImportReport) -> None:
    """Add the lines of a PAGE or ALTO file that have a text to the labels of a folder.

    annotator: whose labels they are; "" for the name of the format. Lines that cannot be used are added to the problems
    of the report, what was done with the others to its notes. Raises ValueError where the whole file is refused,
    OSError.
    """
    root = parse_xml(path.read_bytes())
    if root.tag == "mets":
        report.notes.append(f"{path.name} is a METS file, which lists others and holds no lines")
        return
    if root.tag not in _READERS:
        raise ValueError(f"it is neither PAGE XML nor ALTO: its root is <{root.tag}>")
    origin, read = _READERS[root.tag]
    found, marks = read(root)
    name = _page_of(finder, path, found.source or "", report)
    try:
        height, width = folder.pixels(name).shape[:2]
    except ImageError as error:
        raise ValueError(f"its image cannot be read: {error}") from error
    page = _fitted(found, (width, height), path, report)
    lines = _lines(page, marks, path, report)
    said = ForeignPage(name, annotator or origin, now(), origin, tuple(lines))
    take_over(folder, said, report, path.name)


def _page_of(finder: PageFinder, path: Path, source: str, report: ImportReport) -> str:
    """The page that a file is of: by the image that it names, else by its own name. Says what was done."""
    own = path.name.removesuffix(".xml").removesuffix(".page").removesuffix(".alto")
    base = source.replace("\\", "/").rpartition("/")[2]
    places = [f"{path.parent.as_posix()}/{base}"] * bool(base)
    name = finder.find([source, *places, f"{path.parent.as_posix()}/{own}.xml"])
    if source != name:
        said = f"its image {source!r} is taken to be" if source else "it names no image, and is taken to be of"
        report.notes.append(f"{path.name}: {said} {name}")
    return name


def _fitted(page: Page, size: tuple[int, int], path: Path, report: ImportReport) -> Page:
    """The page in pixels of its image. Raises FormatError where the image is another one."""
    width, height = size
    if page.width <= 0 or page.height <= 0:
        return replace(page, width=width, height=height)
    if size == (page.width, page.height):
        return page
    if abs(width / height * page.height / page.width - 1) > _SAME_SHAPE:
        raise FormatError(
            f"it is of an image of {page.width} x {page.height}, and the image in the folder has {width} x {height} "
            "pixels: another one, or turned or cropped since"
        )
    report.notes.append(f"{path.name}: scaled from {page.width} x {page.height} to {width} x {height} pixels")
    return scaled(page, size)


def _lines(page: Page, marks: tuple[LineMark, ...], path: Path, report: ImportReport) -> list[ForeignLine]:
    """The lines that somebody has transcribed; says how many are left out."""
    lines, silent, unseen = [], 0, 0
    for mark, line in zip(marks, page.lines, strict=True):
        if mark.status == "model":
            unseen += 1
        elif mark.status != "illegible" and not line.text.strip():
            silent += 1
        else:
            try:
                lines.append(_line(mark, line, page.width, page.height))
            except ValueError as error:
                report.problems.append(f"{path.name}: line {mark.identifier or '?'} is left out: {error}")
    if silent:
        report.notes.append(f"{path.name}: {silent} lines without text are left out")
    if unseen:
        report.notes.append(f"{path.name}: {unseen} lines are a model's reading that nobody has checked: left out")
    return lines


def _line(mark: LineMark, line: Line, width: int, height: int) -> ForeignLine:
    polygon = line.polygon
    if len(polygon) < 3:
        if len(line.baseline) < 2:
            raise ValueError("it has neither an outline nor a baseline")
        polygon = _around(line.baseline, height)
    illegible = mark.status == "illegible"
    status, text = ("illegible", "") if illegible else ("labeled", line.text)
    return ForeignLine(mark.identifier, status, text, clipped(polygon, width, height), line.baseline)


def _around(baseline: Polygon, height: int) -> Polygon:
    above = tuple((x, y - _ABOVE * height) for x, y in baseline)
    below = tuple((x, y + _BELOW * height) for x, y in baseline)
    return above + tuple(reversed(below))
