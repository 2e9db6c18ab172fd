"""The tasks of a whole folder in one file, which Label Studio imports."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from text_recognizer.images import ImageError
from text_recognizer.service.labeling.exchange.label_studio import Link, task_of
from text_recognizer.service.labeling.folder import LabelingFolder


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
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            for page in pages:
                try:
                    task = task_of(folder, page, link)
                except ImageError as error:
                    complain(str(error))
                    failed += 1
                    continue
                file.write((",\n" if tasks else "[\n") + json.dumps(task, ensure_ascii=False))
                tasks += 1
                lines += len(task["data"]["lines"])
            file.write("\n]\n")
        if not tasks:
            raise ValueError(f"no page of {folder.folder} could be opened")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return TasksReport(tasks, lines, failed)
