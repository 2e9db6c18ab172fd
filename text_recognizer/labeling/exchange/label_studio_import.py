"""Label Studio's JSON export: tasks, annotations and lines, into a labelling folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from text_recognizer.images import ImageError
from text_recognizer.labeling.exchange.annotations import ForeignLine, ForeignPage, ImportReport, clipped, take_over
from text_recognizer.labeling.exchange.label_studio import ILLEGIBLE
from text_recognizer.labeling.exchange.pages import PageFinder
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.labels import now
from text_recognizer.page import Polygon

_SHAPES = {"rectangle": "rectangle", "rectanglelabels": "rectangle", "polygon": "polygon", "polygonlabels": "polygon"}
_NO_SHAPES = ("textarea", "labels", "choices", "rating", "taxonomy", "number", "datetime", "pairwise")
_SAME_SHAPE = 0.02  # between the proportions of two pictures that are one in two sizes


def annotators_of(given: Iterable[str]) -> dict[str, str]:
    """Names by what a file has for them, of "NAME" (for everybody, key "") and "NUMBER=NAME". Raises ValueError."""
    names: dict[str, str] = {}
    for entry in given:
        user, equals, name = entry.rpartition("=")
        if not name.strip() or (equals and not user.strip()):
            raise ValueError(f"{entry!r} is no annotator: give NAME for all, or NUMBER=NAME for one of Label Studio")
        names[user.strip()] = name.strip()
    return names


def import_label_studio(
    folder: LabelingFolder, finder: PageFinder, path: Path, names: Mapping[str, str], report: ImportReport
) -> None:
    """Add what an export of Label Studio says to the labels of a folder.

    names: of annotators, see `annotators_of`. What cannot be used is added to the problems of the report, and all else
    is imported. Raises ValueError where the file is no such export, OSError.
    """
    skipped = 0
    for task in read_export(path.read_bytes()):
        where = f"{path.name}, task {task.number}"
        try:
            page = finder.find(task.names)
            height, width = folder.pixels(page).shape[:2]
        except (ValueError, ImageError) as error:
            report.problems.append(f"{where}: {error}")
            continue
        for annotation in task.annotations:
            if annotation.cancelled:
                skipped += 1
                continue
            try:
                found, left_out = _page(page, task, annotation, names, (width, height))
                report.problems += [f"{where}: {reason}" for reason in left_out]
                take_over(folder, found, report, where)
            except ValueError as error:
                report.problems.append(f"{where}: {error}")
    if skipped:
        report.notes.append(f"{path.name}: {skipped} annotations were skipped in Label Studio, and say nothing")


def _page(
    page: str, task: Task, annotation: Annotation, names: Mapping[str, str], size: tuple[int, int]
) -> tuple[ForeignPage, list[str]]:
    """What an annotation says of a page, and what of it was left out, and why."""
    if not annotation.results:
        raise ValueError(f"{_name(annotation, names)} submitted it without a single region: taken for a mistake")
    lines, left_out = lines_of(annotation, *size)
    shown = {str(result.get("id")) for result in annotation.results}
    gone = tuple(line for line in task.lines if line not in shown)
    found = ForeignPage(page, _name(annotation, names), _time(annotation), "label-studio", tuple(lines), gone)
    return found, left_out


def _name(annotation: Annotation, names: Mapping[str, str]) -> str:
    user = annotation.user
    known = f"user {user}" if user.isdecimal() else user or "label-studio"
    return names.get(user) or names.get("") or known


def _time(annotation: Annotation) -> str:
    """The time as labels have it; now where the file has none."""
    try:
        moment = datetime.fromisoformat(annotation.time)
    except ValueError:
        return now()
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Annotation:
    """What one annotator said of a task. user: their number as text, or their e-mail address, or "". time: as in the
    file, or "". cancelled: the task was skipped. results: as in the file."""

    user: str
    time: str
    cancelled: bool
    results: list[dict[str, Any]]


@dataclass(frozen=True)
class Task:
    """A task. number: its id. names: of its picture, the surest first. lines: that were shown, by our names."""

    number: str
    names: tuple[str, ...]
    lines: tuple[str, ...]
    annotations: tuple[Annotation, ...]


def read_export(data: bytes) -> list[Task]:
    """The tasks of an export, those without annotations left out. Raises ValueError where it is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is not JSON: {error}: export from Label Studio as JSON") from error
    tasks = found if isinstance(found, list) else [found]
    if not tasks:
        raise ValueError("this export holds no tasks: nothing is annotated yet")
    if any(not isinstance(task, dict) for task in tasks):
        raise ValueError("this is no export of Label Studio: export as JSON")
    if any("annotation_id" in task and "annotations" not in task for task in tasks):
        raise ValueError(
            "this is JSON-MIN, in which nothing says which text belongs to which region: export as JSON instead"
        )
    if all("annotations" not in task for task in tasks):
        raise ValueError("there are no annotations in this file: export them from Label Studio as JSON")
    try:
        read = [_task(task) for task in tasks]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no export of Label Studio: {type(error).__name__} {error}") from error
    return [task for task in read if task.annotations]


def lines_of(annotation: Annotation, width: int, height: int) -> tuple[list[ForeignLine], list[str]]:
    """The lines of an annotation on a page of width x height pixels, and what was left out, and why.

    Raises ValueError where the annotation is of a picture of another shape.
    """
    regions: dict[str, list[dict[str, Any]]] = {}
    for result in annotation.results:
        if "id" in result and isinstance(result.get("value"), dict):
            regions.setdefault(str(result["id"]), []).append(result)
    for results in regions.values():
        _check_picture(results[0], width, height)
    lines, left_out = [], []
    for identifier, results in regions.items():
        try:
            line = _line(identifier, results, width, height)
        except ValueError as error:
            left_out.append(f"region {identifier} is left out: {error}")
        else:
            if line is not None:
                lines.append(line)
    return lines, left_out


def _task(task: Mapping[str, Any]) -> Task:
    data = task["data"]
    texts = [value for value in data.values() if isinstance(value, str) and not value.startswith("data:")]
    names = [data.get("page"), task.get("storage_filename"), task.get("file_upload"), *texts]
    lines = data.get("lines")
    annotations = [_annotation(found) for found in task.get("annotations", ())]
    return Task(
        str(task.get("id", "?")),
        tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name)),
        tuple(str(line) for line in lines) if isinstance(lines, list) else (),
        tuple(sorted(annotations, key=lambda annotation: annotation.time)),
    )


def _annotation(found: Mapping[str, Any]) -> Annotation:
    results = [result for result in found.get("result") or () if isinstance(result, dict)]
    time = found.get("updated_at") or found.get("created_at") or ""
    return Annotation(_user(found.get("completed_by")), str(time), bool(found.get("was_cancelled")), results)


def _user(completed_by: Any) -> str:
    """Exports have a number, an object or an address, as they were made."""
    if isinstance(completed_by, dict):
        name = " ".join(str(completed_by.get(key) or "") for key in ("first_name", "last_name")).strip()
        completed_by = completed_by.get("email") or name or completed_by.get("id")
    return "" if completed_by is None else str(completed_by)


def _check_picture(result: Mapping[str, Any], width: int, height: int) -> None:
    if result.get("image_rotation"):
        raise ValueError(
            f"the picture was turned by {result['image_rotation']} degrees in Label Studio: turn the file instead"
        )
    across, down = result.get("original_width"), result.get("original_height")
    if not isinstance(across, int | float) or not isinstance(down, int | float) or across <= 0 or down <= 0:
        return
    if abs(across / down * height / width - 1) > _SAME_SHAPE:
        raise ValueError(
            f"its picture has {across} x {down} pixels, the page {width} x {height}: "
            "another one, or turned or cropped since"
        )


def _line(identifier: str, results: list[dict[str, Any]], width: int, height: int) -> ForeignLine | None:
    """The line that a region is; None where it has no place on the page, as the answer to a question has none."""
    polygon = _outline(results, width, height)
    if polygon is None:
        return None
    polygon = clipped(polygon, width, height)
    if any(kind.casefold() == ILLEGIBLE.casefold() for kind in _values(results, ("labels", "choices"))):
        return ForeignLine(identifier, "illegible", "", polygon)
    texts = [text for text in _values(results, ("text",)) if text.strip()]
    if not texts:
        raise ValueError(f"it has no text: type one, or mark it as {ILLEGIBLE}, or delete it")
    if len(texts) > 1:
        raise ValueError(f"it has {len(texts)} texts, and a line has one")
    return ForeignLine(identifier, "labeled", texts[0], polygon)


def _values(results: Iterable[Mapping[str, Any]], endings: tuple[str, ...]) -> Iterator[str]:
    """Texts or labels of a region: each is a list, or the text alone."""
    for result in results:
        for key, value in result["value"].items():
            if key.endswith(endings):
                yield from (str(item) for item in (value if isinstance(value, list) else [value]))


def _outline(results: list[dict[str, Any]], width: int, height: int) -> Polygon | None:
    kinds = [str(result.get("type")) for result in results]
    odd = [kind for kind in kinds if kind not in _SHAPES and kind not in _NO_SHAPES]
    if odd:
        raise ValueError(f"it was drawn as {odd[0]!r}, and lines are rectangles or polygons: draw it anew")
    try:
        for value in (result["value"] for result in results):
            if "points" in value:
                return tuple((float(x) * width / 100, float(y) * height / 100) for x, y in value["points"])
            if "width" in value:
                return _rectangle(value, width, height)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"its place is damaged: {type(error).__name__} {error}") from error
    return None


def _rectangle(value: Mapping[str, Any], width: int, height: int) -> Polygon:
    """The corners of a rectangle, which is turned around its left upper corner, clockwise, by degrees."""
    x, y, w, h = (float(value[key]) / 100 for key in ("x", "y", "width", "height"))
    left, top, across, down = x * width, y * height, w * width, h * height
    angle = math.radians(float(value.get("rotation") or 0))
    cos, sin = math.cos(angle), math.sin(angle)
    corners = ((0.0, 0.0), (across, 0.0), (across, down), (0.0, down))
    return tuple((left + a * cos - b * sin, top + a * sin + b * cos) for a, b in corners)
