"""What people said in Label Studio, into a labelling folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from text_recognizer.images import ImageError
from text_recognizer.service.labeling.exchange.exchange import ForeignPage, ImportReport, take_over
from text_recognizer.service.labeling.exchange.label_studio_reading import Annotation, Task, lines_of, read_export
from text_recognizer.service.labeling.exchange.pages import PageFinder
from text_recognizer.service.labeling.folder import LabelingFolder
from text_recognizer.service.labeling.labels import now


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
