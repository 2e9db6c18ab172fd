"""Lines to choose from, of a labelling folder or of a folder of line images, and the choice as a file.

In a labelling folder the choice is `labeling/order.json`, {"made": time, "strategy": name, "lines": [[page, line],
...]}, the line most worth labelling first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from text_recognizer import TextRecognizer
from text_recognizer.atomic_files import write_file
from text_recognizer.images import ImageError, open_image
from text_recognizer.labeling.active_learning import Unlabelled, unlabelled
from text_recognizer.labeling.folder import WORK, LabelingFolder, QueueLine
from text_recognizer.labeling.labels import now
from text_recognizer.labeling.pages import SUFFIXES
from text_recognizer.page import Line

ORDER = "order.json"
_TOGETHER = 32  # line images that are read at once
_PAGE_SHAPE = 0.5  # height by width from which an image is rather a page than a line
_LOOKED_AT = 20  # images that say which of both a folder holds


def is_labeling_folder(folder: Path) -> bool:
    """Whether pages in a folder were read for labelling."""
    return (folder / WORK).is_dir()


def pages_to_read(folder: LabelingFolder, models: Mapping[str, str] | None = None) -> list[str]:
    """Pages without a reading; with models also those that others have read."""
    found = []
    for page in folder.pages():
        reading = folder.reading(page)
        if reading is None or (models is not None and dict(reading.models) != dict(models)):
            found.append(page)
    return found


def read_pages(
    folder: LabelingFolder, pages: Iterable[str], recognizer: TextRecognizer, complain: Callable[[str], None]
) -> None:
    """Read pages and keep the readings. complain: told of pages that cannot be read, which are passed over."""
    for page in pages:
        try:
            folder.store_reading(page, recognizer.read(folder.pixels(page)))
        except ImageError as error:
            complain(str(error))


def lines_of_pages(folder: LabelingFolder) -> tuple[list[Unlabelled], list[Unlabelled]]:
    """The lines that nobody has labelled, and those that have a text already, of all pages that were read."""
    waiting, labelled = [], []
    for page in folder.pages():
        reading = folder.reading(page)
        read = {line.polygon: line for line in reading.lines} if reading else {}
        for line in folder.lines(page):
            known = unlabelled(page, line.id, _as_read(line, read.get(line.polygon)))
            if not line.opinions:
                waiting.append(known)
            elif any(label.status == "labeled" for label in line.opinions):
                labelled.append(known)
    return waiting, labelled


def _as_read(line: QueueLine, read: Line | None) -> Line:
    """The reading of a line with its words; without them where people have moved the line."""
    return read or Line(line.text, line.polygon, line.confidence)


def line_images(folder: Path) -> list[Path]:
    """The images below a folder of line images.

    Raises FileNotFoundError where the folder is not there, ValueError where it holds no images, or pages.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: name one of pages or of line images")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES - {".pdf"})
    if not paths:
        raise ValueError(f"there are no images in {folder}: name a folder of pages or of line images")
    shapes = [shape for path in paths[:: max(1, len(paths) // _LOOKED_AT)] if (shape := _shape(path)) is not None]
    if sum(shape > _PAGE_SHAPE for shape in shapes) > len(shapes) / 2:
        raise ValueError(f"the images in {folder} look like pages, not like lines: read them first, with --unit page")
    return paths


def _shape(path: Path) -> float | None:
    """Height by width of an image; None where it cannot be read, of which reading it complains."""
    try:
        image = open_image(path)
    except ImageError:
        return None
    return image.shape[0] / image.shape[1]


def lines_of_images(
    folder: Path, paths: Sequence[Path], recognizer: TextRecognizer, complain: Callable[[str], None]
) -> Iterator[Unlabelled]:
    """Line images with what is read of them, named by their paths below the folder; images beside one another in a
    folder count as a page. complain: told of images that cannot be read, which are passed over."""
    for start in range(0, len(paths), _TOGETHER):
        images, names = [], []
        for path in paths[start : start + _TOGETHER]:
            try:
                images.append(open_image(path))
            except ImageError as error:
                complain(str(error))
                continue
            names.append(path.relative_to(folder))
        for name, line in zip(names, recognizer.read_lines(images), strict=True):
            yield unlabelled(name.parent.as_posix(), name.as_posix(), line)


def read_order(folder: Path) -> list[tuple[str, str]]:
    """The page and the name of each line of the choice in a labelling folder; none where nothing was chosen."""
    try:
        rows = json.loads((folder / WORK / ORDER).read_bytes())["lines"]
        return [(str(page), str(line)) for page, line in rows]
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return []  # the queue goes on without it


def order_of(strategy: str, lines: Iterable[Unlabelled]) -> dict[str, Any]:
    """The choice in a form that JSON can hold."""
    return {"made": now(), "strategy": strategy, "lines": [[line.page, line.line] for line in lines]}


def write_order(folder: LabelingFolder, strategy: str, lines: Iterable[Unlabelled]) -> Path:
    """Put the choice where the queue looks for it, in place of the one before. Raises OSError."""
    path = folder.folder / WORK / ORDER
    write_file(path, as_json(order_of(strategy, lines)))
    return path


def images_of(strategy: str, lines: Iterable[Unlabelled]) -> dict[str, Any]:
    """A choice of line images in a form that JSON can hold, with what was read of each."""
    chosen = [{"image": one.line, "read": one.text, "confidence": round(one.confidence, 4)} for one in lines]
    return {"made": now(), "strategy": strategy, "lines": chosen}


def as_json(content: dict[str, Any]) -> bytes:
    """A file of it."""
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
