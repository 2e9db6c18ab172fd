"""One page: opened, read, written. What a process of a job does, and all that it needs to know to do it."""

from __future__ import annotations

import errno
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from text_recognizer.formats import FORMATS
from text_recognizer.formats.format import Picture
from text_recognizer.images import ImageError
from text_recognizer.images.document import encoded_page
from text_recognizer.jobs.opening import OpenDocument, Opener, UnreadableError
from text_recognizer.jobs.outputs import Outputs
from text_recognizer.jobs.recipe import Reader, Recipe
from text_recognizer.jobs.sources import Source
from text_recognizer.page import Page

#: What no page of a job survives: a disk that is full, over its quota, or not to be written any more.
_FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class OpenTask:
    """Say how many pages a document has."""

    source: Source


@dataclass(frozen=True)
class PageTask:
    """Read page `number`, from 1, of a document, and write it."""

    source: Source
    number: int
    outputs: Outputs


@dataclass(frozen=True)
class JoinTask:
    """Put the pages of a document together. pages: which. keep: see `Outputs.join`."""

    source: Source
    pages: tuple[int, ...]
    outputs: Outputs
    keep: bool


Task = OpenTask | PageTask | JoinTask


@dataclass(frozen=True)
class Answer:
    """What became of a task.

    error: why it failed; fatal: so would every other. sha256, pages: of the document. confidence: of the page, None
    without lines. text: whether the page held text already.
    """

    error: str | None = None
    fatal: bool = False
    sha256: str | None = None
    pages: int | None = None
    milliseconds: float = 0.0
    confidence: float | None = None
    lines: int | None = None
    text: bool = False


class Worker:
    """Performs tasks with a recogniser of its own. Raises ValueError where its models cannot be used."""

    def __init__(self, recipe: Recipe) -> None:
        import cv2

        warnings.filterwarnings("ignore", module="PIL")  # of odd metadata; what cannot be read is an error of ours
        if recipe.threads is not None:
            cv2.setNumThreads(recipe.threads)
        self._reader = Reader(recipe)
        self._opener = Opener(recipe.max_pixels, recipe.dpi)
        self.models = self._reader.models

    def __call__(self, task: Task) -> Answer:
        """Perform a task; what goes wrong is in the answer."""
        begin = time.perf_counter()
        try:
            answer = self._perform(task)
        except UnreadableError as error:
            answer = Answer(str(error), sha256=error.sha256)
        except ImageError as error:
            answer = Answer(str(error))
        except OSError as error:
            answer = Answer(f"{task.source.name}: {error}", fatal=error.errno in _FATAL)
        except Exception as error:  # of a page that nobody foresaw: the others are still read
            answer = Answer(f"{task.source.name} cannot be read: {type(error).__name__}: {error}")
        return replace(answer, milliseconds=round(1000 * (time.perf_counter() - begin), 1))

    def _perform(self, task: Task) -> Answer:
        if isinstance(task, JoinTask):
            task.outputs.join(task.pages, task.keep)
            return Answer()
        document = self._opener.open(task.source)
        if isinstance(task, OpenTask):
            return Answer(sha256=document.sha256, pages=len(document))
        return self._read(task, document)

    def _read(self, task: PageTask, document: OpenDocument) -> Answer:
        known = Answer(sha256=document.sha256, pages=len(document))
        try:
            page, picture = read_page(self._reader, document, task.number, task.outputs.formats)
        except ImageError as error:
            return replace(known, error=str(error))
        task.outputs.write(page, task.number, picture)
        text = document.document.has_text(task.number - 1)
        confidence = round(page.confidence, 4) if page.lines else None
        return replace(known, confidence=confidence, lines=len(page.lines), text=text)


def worker_of(recipe: Recipe) -> Callable[[Task], Answer]:
    """The worker that reads by a recipe: what processes are started with."""
    return Worker(recipe)


def read_page(reader: Reader, document: OpenDocument, number: int, formats: Sequence[str] = ()) -> tuple[Page, Picture]:
    """Page `number`, from 1, of a document, and its picture as formats want it. Raises ImageError where it is damaged.

    A page that was rendered from a PDF is kept as JPEG: without loss it would be many times the size of the PDF.
    """
    pixels = document.document.page(number - 1)
    page = reader.read(pixels, document.page_source(number))
    encoded = document.jpeg
    if encoded is None and document.document.kind == "PDF" and any(FORMATS[name].needs_image for name in formats):
        encoded = encoded_page(pixels)
    return page, Picture(encoded, lambda: pixels, document.document.resolution(number - 1))
