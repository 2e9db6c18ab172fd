"""One page: opened, read, written. What a process of a job does, and the recipe that it reads by."""

from __future__ import annotations

import errno
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from text_recognizer.formats import FORMATS
from text_recognizer.formats.format import Picture
from text_recognizer.images import ImageError
from text_recognizer.images.document import PDF_DPI, encoded_page
from text_recognizer.images.open import MAX_PIXELS
from text_recognizer.images.preparation import prepare_steps
from text_recognizer.jobs.documents import OpenDocument, Opener, UnreadableError
from text_recognizer.jobs.outputs import Outputs
from text_recognizer.jobs.sources import Source
from text_recognizer.page import Line, Page

if TYPE_CHECKING:
    from text_recognizer import TextRecognizer


#: What no page of a job survives: a disk that is full, over its quota, or not to be written any more.
_FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

UNITS = ("page", "paragraph", "line", "character")


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


@dataclass(frozen=True)
class Recipe:
    """How to read: see `TextRecognizer` for the models and for looks (test-time augmentation).

    unit: what an image holds, one of `UNITS`. model: of lines, characters or paragraphs; None for the usual one.
    prepare: what is done to the picture of a page before: none, auto, or steps with commas between them. dpi: at which
    pages of PDF files are rendered. threads: of the networks, by default one a core. Raises ValueError for an unknown
    step.
    """

    unit: str = "page"
    model: str | None = None
    detector: str = "auto"
    language: str = "auto"
    looks: int = 1
    prepare: str = "auto"
    dpi: int = PDF_DPI
    threads: int | None = None
    max_pixels: int = MAX_PIXELS

    def settings(self) -> dict[str, Any]:
        """What decides, beside the models, what is read; a page read with others is read again."""
        return {"unit": self.unit, "looks": self.looks, "prepare": ",".join(self.steps), "dpi": self.dpi}

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the preparation of pages."""
        if self.unit != "page":
            return ()
        return prepare_steps(self.prepare if self.prepare in ("none", "auto") else self.prepare.split(","))

    def __post_init__(self) -> None:
        _ = self.steps


class Reader:
    """A recogniser made by a recipe, its models loaded. Raises ValueError where one cannot be used."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.recognizer = _recognizer(recipe)
        self.models: Mapping[str, str] = _models(self.recognizer, recipe)

    def read(self, pixels: NDArray[np.uint8], source: str) -> Page:
        """The page that an image (H, W) or (H, W, 3) uint8 holds. source: for `Page.source`."""
        unit = self.recipe.unit
        if unit == "page":
            return replace(self.recognizer.read(pixels, prepare=self.recipe.steps), source=source)
        if unit == "paragraph":
            return replace(self.recognizer.read_paragraph(pixels), source=source)
        read = self.recognizer.read_characters if unit == "character" else self.recognizer.read_lines
        line: Line = read([pixels])[0]
        return Page((line,) if line.text else (), pixels.shape[1], pixels.shape[0], source, self.models)


def _recognizer(recipe: Recipe) -> TextRecognizer:
    from text_recognizer import TextRecognizer

    common: dict[str, Any] = {"threads": recipe.threads, "max_pixels": recipe.max_pixels, "detector": recipe.detector}
    if recipe.unit == "character":
        return TextRecognizer(characters=recipe.model or "characters", **common)
    if recipe.unit == "paragraph":
        return TextRecognizer(paragraphs=recipe.model or "paragraphs", **common)
    return TextRecognizer(lines=recipe.model or "lines", language=recipe.language, looks=recipe.looks, **common)


def _models(recognizer: TextRecognizer, recipe: Recipe) -> dict[str, str]:
    """The identities of what reads; asking loads it, so that what is wrong is said before anything is read."""
    if recipe.unit == "character":
        return {"characters": recognizer.character_reader.bundle.identity}
    if recipe.unit == "paragraph":
        paragraphs = recognizer.paragraph_reader.bundle.identity
        return {"detector": recognizer.detector.bundle.identity, "paragraphs": paragraphs}
    if recipe.unit == "line":
        return recognizer.line_models()
    return {"detector": recognizer.detector.bundle.identity} | recognizer.line_models()
