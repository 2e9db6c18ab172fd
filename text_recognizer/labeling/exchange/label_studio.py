"""Pages as tasks of Label Studio, with what is known of their lines as pre-annotations.

Label Studio's JSON format of tasks (https://labelstud.io/guide/task_format): places are percents of the picture, and a
line is three results that share one `id`: its outline, its kind, its text. The names in them are those of
`label_studio.xml`, the labelling configuration; with others Label Studio shows nothing, and does not say why.

The tasks of a whole folder in one file, which Label Studio imports.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.atomic_files import whole_file
from text_recognizer.images import ImageError
from text_recognizer.images.document import encoded_page
from text_recognizer.labeling.folder import LabelingFolder, QueueLine
from text_recognizer.page import Point, Polygon

#: Names of the tags in the labelling configuration.
IMAGE, KIND, TEXT = "image", "kind", "text"
LINE, ILLEGIBLE = "Line", "Illegible"
_SHOWN = (".png", ".jpg", ".jpeg", ".webp", ".bmp")  # what browsers show
_LARGEST_SIDE = 2400  # pixels of an embedded picture: places are percents, so it may be smaller than its page

Link = Callable[[str, NDArray[np.uint8]], str]


def labeling_config() -> str:
    """The labelling configuration, as XML."""
    return (resources.files(__package__) / "label_studio.xml").read_text(encoding="utf-8")


def image_links(images: str, folder: Path) -> Link:
    """How tasks name their picture: a function of a page and its pixels (H, W) or (H, W, 3).

    images: "embedded" puts it into the task. "local-files" names the file as Label Studio serves it from its own disk,
    where the parent of `folder` is the document root. Else what addresses begin with, to which the path of the page in
    the folder is added. Pages of PDF and TIFF files, which no browser shows, are embedded in any case.
    Raises ValueError for anything else.
    """
    if images == "embedded":
        return _embedded
    if images == "local-files":
        prefix = f"/data/local-files/?d={quote(folder.resolve().name)}/"
    elif images.startswith(("http://", "https://", "/")):
        prefix = images.rstrip("/") + "/"
    else:
        raise ValueError(
            f"{images!r} is neither embedded nor local-files nor the beginning of an address (https://...)"
        )

    def link(page: str, pixels: NDArray[np.uint8]) -> str:
        shown = page.lower().endswith(_SHOWN)
        return prefix + quote(page) if shown else _embedded(page, pixels)

    return link


def task_of(folder: LabelingFolder, page: str, link: Link) -> dict[str, Any]:
    """The task of a page. Its pre-annotation has each line with what people agreed on, else with the model's text.

    `data` names the page and the lines that are shown, so that an import knows which ones were deleted. Raises
    ImageError where the page cannot be opened.
    """
    pixels = folder.pixels(page)
    height, width = pixels.shape[:2]
    reading = folder.reading(page)
    lines = [line for line in folder.lines(page) if line.final is None or line.final.status != "no-line"]
    data = {"image": link(page, pixels), "page": page, "lines": [line.id for line in lines]}
    if not lines:
        return {"data": data}
    prediction = {
        "model_version": (reading.models.get("lines") if reading else None) or "labels",
        "score": round(float(np.mean([line.confidence for line in lines])), 4),
        "result": [result for line in lines for result in _results(line, width, height)],
    }
    return {"data": data, "predictions": [prediction]}


def _results(line: QueueLine, width: int, height: int) -> list[dict[str, Any]]:
    """The outline, the kind and the text of a line."""
    final = line.final
    illegible = final is not None and final.status == "illegible"
    text = line.text if final is None or final.status != "labeled" else final.text
    kind, place = _place(line.polygon, width, height)
    common = {
        "id": line.id,
        "to_name": IMAGE,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": round(line.confidence, 4),
    }
    results = [
        common | {"from_name": kind, "type": kind, "value": place},
        common | {"from_name": KIND, "type": "labels", "value": place | {"labels": [ILLEGIBLE if illegible else LINE]}},
    ]
    if text and not illegible:
        results.append(common | {"from_name": TEXT, "type": "textarea", "value": place | {"text": [text]}})
    return results


def _place(polygon: Polygon, width: int, height: int) -> tuple[str, dict[str, Any]]:
    """An outline as Label Studio has it: a rectangle where it is one, a polygon elsewhere; percents of the picture."""
    points = [(100 * min(max(x, 0), width) / width, 100 * min(max(y, 0), height) / height) for x, y in polygon]
    (left, top), (right, bottom) = map(min, zip(*points, strict=True)), map(max, zip(*points, strict=True))
    if len(points) == 4 and _is_box(points):
        return "rectangle", {"x": left, "y": top, "width": right - left, "height": bottom - top, "rotation": 0}
    return "polygon", {"points": [list(point) for point in points], "closed": True}


def _is_box(points: list[Point]) -> bool:
    """Whether four corners are those of an upright rectangle, one after the other."""
    across, down = sorted({x for x, _ in points}), sorted({y for _, y in points})
    if len(across) != 2 or len(down) != 2 or len(set(points)) != 4:
        return False
    return all(one[0] == other[0] or one[1] == other[1] for one, other in pairwise(points))


def _embedded(_: str, pixels: NDArray[np.uint8]) -> str:
    scale = min(1.0, _LARGEST_SIDE / max(pixels.shape[:2]))
    if scale < 1:
        size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return "data:image/jpeg;base64," + base64.b64encode(encoded_page(pixels)).decode()


@dataclass(frozen=True)
class TasksReport:
    """How many tasks were written, with how many lines, and how many pages could not be opened."""

    tasks: int
    lines: int
    failed: int


def write_tasks(
    folder: LabelingFolder, pages: Iterable[str], path: Path, link: Link, complain: Callable[[str], None]
) -> TasksReport:
    """Write a task for each page, one at a time for they may hold pictures; the file takes its place at the end.

    complain: told of pages that cannot be opened, which are left out. Raises OSError, ValueError where none is left.
    """
    tasks = lines = failed = 0
    with whole_file(path) as file:
        for page in pages:
            try:
                task = task_of(folder, page, link)
            except ImageError as error:
                complain(str(error))
                failed += 1
                continue
            file.write(((",\n" if tasks else "[\n") + json.dumps(task, ensure_ascii=False)).encode())
            tasks += 1
            lines += len(task["data"]["lines"])
        if not tasks:
            raise ValueError(f"no page of {folder.folder} could be opened")
        file.write(b"\n]\n")
    return TasksReport(tasks, lines, failed)
