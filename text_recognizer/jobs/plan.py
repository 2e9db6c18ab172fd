"""What is to be done next: documents are opened, their pages read, the files of several pages put together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from text_recognizer.jobs.documents import PageNumbers, page_source
from text_recognizer.jobs.manifest import WHOLE, Done, Manifest, Row, version_of
from text_recognizer.jobs.outputs import Names, Outputs
from text_recognizer.jobs.pool import Lost
from text_recognizer.jobs.progress import Tally
from text_recognizer.jobs.sources import Source
from text_recognizer.jobs.worker import Answer, JoinTask, OpenTask, PageTask, Task


class DiskFullError(OSError):
    """Nothing more can be written."""


@dataclass(frozen=True)
class Terms:
    """What pages are read with and how they are written.

    models, settings: as rows of the manifest have them. retry_failed: read pages again that could not be read.
    """

    output: Path
    formats: tuple[str, ...]
    pages: PageNumbers
    models: Mapping[str, str]
    settings: Mapping[str, Any]
    retry_failed: bool = False


@dataclass
class _Document:
    """A document in work. pages: those that were asked for. todo: those not yet given out. working: how many are."""

    source: Source
    sha256: str
    outputs: Outputs
    pages: tuple[int, ...]
    todo: deque[int]
    working: int = 0


class Plan:
    """Gives out tasks and takes their answers, in any order; keeps the manifest and the tally.

    Only documents whose pages are being read are held. note: is told what the user should know.
    """

    def __init__(
        self,
        sources: Iterator[Source],
        terms: Terms,
        names: Names,
        manifest: Manifest,
        tally: Tally,
        note: Callable[[str], None],
    ) -> None:
        self._sources, self._terms, self._names = sources, terms, names
        self._manifest, self._tally, self._note = manifest, tally, note
        self._documents: dict[str, _Document] = {}
        self._stems: dict[str, str] = {}  # of documents that are being opened
        self._urgent: deque[Task] = deque()
        self._lost: set[Task] = set()

    def next(self, last: Task | None = None) -> Task | None:
        """A task; None where there is none now. last: what the process did before, whose document it has open."""
        if self._urgent:
            return self._urgent.popleft()
        document = self._documents.get(last.source.name) if last is not None else None
        if document is None or not document.todo:
            document = next((other for other in self._documents.values() if other.todo), None)
        if document is not None:
            document.working += 1
            return PageTask(document.source, document.todo.popleft(), document.outputs)
        source = next(self._sources, None)
        if source is None:
            return None
        self._stems[source.name] = self._names.stem(source.name, source.parts)
        return OpenTask(source)

    def take(self, task: Task, answer: Answer | Lost) -> None:
        """Record what became of a task. Raises DiskFullError, and OSError where the manifest cannot be written."""
        if isinstance(answer, Lost):
            if task not in self._lost:  # once more: it may have been another's fault that memory was short
                self._lost.add(task)
                self._urgent.append(task)
                return
            answer = Answer(f"{_called(task)}: {answer}")
        self._lost.discard(task)
        if answer.fatal:
            raise DiskFullError(f"{answer.error}; once there is room, the same command goes on")
        if isinstance(task, OpenTask):
            self._opened(task.source, answer)
        elif isinstance(task, PageTask):
            self._read(task, answer)
        elif answer.error is not None:
            self._tally.failed += 1
            self._note(f"the pages of {task.source.name} cannot be put together: {answer.error}")

    def _opened(self, source: Source, answer: Answer) -> None:
        stem = self._stems.pop(source.name)
        if answer.error is not None or answer.pages is None or answer.sha256 is None:
            self._unreadable(source, stem, answer)
            return
        pages = tuple(self._terms.pages.of(answer.pages))
        self._tally.total += len(pages) - 1
        if not pages:
            self._note(f"{source.name} has {answer.pages} pages, none of which --pages {self._terms.pages.text} names")
            return
        version = version_of(answer.sha256, self._terms.models, self._terms.settings)
        outputs = Outputs(self._terms.output, stem, answer.pages, self._terms.formats, version)
        done = self._manifest.done.get(source.name)
        todo = self._todo(outputs, pages, done if done is not None and done.version == version else None)
        document = _Document(source, answer.sha256, outputs, pages, deque(todo))
        if todo:
            outputs.begin()
            self._documents[source.name] = document
        elif outputs.joined and not outputs.is_joined():
            self._join(document)

    def _todo(self, outputs: Outputs, pages: tuple[int, ...], done: Done | None) -> list[int]:
        """The pages that are to be read; the others are counted."""
        if done is None:
            return list(pages)
        read = [number for number in pages if done.pages.get(number)]
        failed = {number for number in pages if done.pages.get(number) is False}
        todo = set(pages) - set(read) - (set() if self._terms.retry_failed else failed)
        todo.update(outputs.missing(read))
        if outputs.joined and (todo or not outputs.is_joined()):
            todo.update(outputs.without_parts(read))
        self._tally.failed_before += len(failed - todo)
        self._tally.before += len(set(read) - todo)
        return sorted(todo)

    def _unreadable(self, source: Source, stem: str, answer: Answer) -> None:
        """Record that a document cannot be opened, unless an earlier run has."""
        version = version_of(answer.sha256, self._terms.models, self._terms.settings)
        done = self._manifest.done.get(source.name)
        if done is not None and done.version == version and done.pages.get(WHOLE) is False:
            self._tally.failed_before += 1
            return
        self._tally.failed += 1
        self._note(answer.error or "")
        self._manifest.add(self._row(source, stem, None, answer))

    def _read(self, task: PageTask, answer: Answer) -> None:
        document = self._documents[task.source.name]
        if answer.sha256 not in (None, document.sha256):
            answer = Answer(f"{task.source.name} changed while it was read: read it again")
        answer = replace(answer, sha256=document.sha256, pages=document.outputs.count)
        self._manifest.add(self._row(task.source, task.outputs.stem, task, answer))
        if answer.error is None:
            self._tally.add_read(_called(task), answer.confidence, answer.text)
        else:
            self._tally.failed += 1
            self._note(answer.error)
        document.working -= 1
        if not document.todo and not document.working:
            del self._documents[task.source.name]
            if document.outputs.joined:
                self._join(document)

    def _join(self, document: _Document) -> None:
        done = self._manifest.done[document.source.name]
        pages = tuple(number for number in document.pages if done.pages.get(number))
        if pages:
            keep = len(pages) < len(document.pages)
            self._urgent.append(JoinTask(document.source, pages, document.outputs, keep))

    def _row(self, source: Source, stem: str, task: PageTask | None, answer: Answer) -> Row:
        outputs = task.outputs.files(task.number) if task is not None and answer.error is None else []
        return Row(
            source=source.name,
            page=None if task is None else task.number,
            pages=answer.pages,
            sha256=answer.sha256,
            status="read" if answer.error is None else "failed",
            error=answer.error,
            milliseconds=answer.milliseconds,
            confidence=answer.confidence,
            lines=answer.lines,
            text=answer.text,
            outputs=tuple(path.relative_to(self._terms.output).as_posix() for path in outputs),
            stem=stem,
            models=self._terms.models,
            settings=self._terms.settings,
        )


def _called(task: Task) -> str:
    """The page or document of a task."""
    if isinstance(task, PageTask):
        return page_source(task.source.name, task.number, task.outputs.count)
    return task.source.name
