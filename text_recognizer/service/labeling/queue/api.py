"""The API of the labelling queue, route by route."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from text_recognizer import __version__
from text_recognizer.alphabet import Alphabet
from text_recognizer.images import ImageError
from text_recognizer.service.labeling.cutting import straight_baseline
from text_recognizer.service.labeling.labels import Label
from text_recognizer.service.labeling.pages import UnknownPage
from text_recognizer.service.labeling.queue.queue import LabelQueue
from text_recognizer.service.labeling.queue.reading import PageReader
from text_recognizer.service.labeling.queue.schemas import (
    Annotator,
    LabelsRequest,
    NextRequest,
    OneLabel,
    OutlineRequest,
    ReleaseRequest,
)
from text_recognizer.service.labeling.queue.views import (
    Pictures,
    agreement_view,
    page_view,
    progress_view,
    reading_view,
    recent,
    task_view,
)
from text_recognizer.service.problems import Problem

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class QueueState:
    """What the application holds. annotator: the name that is offered to whoever comes without one."""

    queue: LabelQueue
    reader: PageReader
    pictures: Pictures
    alphabet: Alphabet | None
    annotator: str = ""


def _state(request: Request) -> QueueState:
    state: QueueState = request.app.state.queue
    return state


State = Annotated[QueueState, Depends(_state)]
Name = Annotated[str, Query(min_length=1, max_length=2000)]
router = APIRouter(prefix="/v1/queue")


@router.get("/settings")
def settings(state: State) -> dict[str, Any]:
    """What the page wants to know at its start."""
    return {
        "version": __version__,
        "queue": state.queue.source.identity,
        "title": state.queue.source.title,
        "annotator": state.annotator,
        "overlap": state.queue.overlap,
        "alphabet": "".join(state.alphabet.characters) if state.alphabet else None,
    }


@router.post("/next")
def next_line(state: State, body: NextRequest) -> dict[str, Any]:
    """The next line for an annotator; where there is none, `line` is null, and the rest says why."""
    with _explained():
        if body.page is not None and state.reader.state(body.page).state == "waiting":
            state.reader.ask(body.page)
        found = _next(state, body)
        progress = state.queue.progress()
        return {
            "line": found,
            "progress": progress_view(progress, body.annotator),
            "reading": reading_view(state.queue.source, state.reader),
            "page": None if body.page is None else vars(state.reader.state(body.page)),
            "others": found is None and state.queue.others(body.annotator, body.page),
        }


def _next(state: QueueState, body: NextRequest) -> dict[str, Any] | None:
    """The next line whose page can be shown."""
    passed = set(body.passed)
    for _ in range(1000):
        task = state.queue.next(body.annotator, body.order, body.page, passed)
        if task is None:
            return None
        try:
            return task_view(state.queue.source, task, body.annotator)
        except (ImageError, UnknownPage):  # the image was deleted or damaged meanwhile
            state.queue.release(body.annotator, task.page, task.line.id)
            passed |= {(task.page, line.id) for line in state.queue.source.lines(task.page)}
    return None


@router.get("/line")
def line(state: State, page: Name, line: Name, annotator: Annotator) -> dict[str, Any]:
    """A certain line, whatever was said of it."""
    with _explained():
        found = state.queue.task(annotator, page, line)
        if found is None:
            raise Problem(404, f"there is no line {line!r} on {page}")
        return task_view(state.queue.source, found, annotator)


@router.get("/lines")
def lines(state: State, page: Name) -> dict[str, Any]:
    """A page with its lines, none of which is handed out."""
    with _explained():
        return page_view(state.queue.source, page)


@router.post("/labels")
def labels(state: State, body: LabelsRequest) -> dict[str, Any]:
    """Keep labels. Once this is answered, they are safe on disk."""
    with _explained():
        given = [_whole(one).to_label(body.annotator) for one in body.labels]
        state.queue.source.add(given)
        for label in given:
            state.queue.release(body.annotator, label.page, label.line)
        return {"kept": len(given), "unknown": _unknown(state, given)}


@router.post("/release", status_code=204)
def release(state: State, body: ReleaseRequest) -> None:
    """Leave a line to others: the page is closed."""
    state.queue.release(body.annotator, body.page, body.line)


@router.post("/read")
def read_line(state: State, body: OutlineRequest) -> dict[str, Any]:
    """What the model reads inside of an outline."""
    with _explained():
        read = state.reader.read_line(body.page, tuple(body.polygon), tuple(body.baseline))
        return {"text": read.text, "confidence": round(read.confidence, 4)}


@router.post("/picture", response_class=Response)
def line_picture(state: State, body: OutlineRequest) -> Response:
    """What an outline encloses, as the recogniser sees it but in colour: a PNG."""
    with _explained():
        picture = state.pictures.line(body.page, tuple(body.polygon), tuple(body.baseline))
        return Response(picture, media_type="image/png")


@router.get("/page", response_class=Response)
def page_picture(state: State, page: Name) -> Response:
    """A page as JPEG."""
    with _explained():
        return Response(state.pictures.page(page), media_type="image/jpeg", headers={"Cache-Control": "no-cache"})


@router.get("/pages")
def pages(state: State) -> dict[str, Any]:
    """The pages, how far the model is with each, and how many of its lines are done."""
    with _explained():
        return {"pages": [_page_row(state, page) for page in state.queue.source.pages()]}


def _page_row(state: QueueState, page: str) -> dict[str, Any]:
    progress = state.queue.progress(page)
    return {"page": page, **vars(state.reader.state(page)), "lines": progress.lines, "done": progress.done}


@router.get("/progress")
def progress(state: State, annotator: Annotator) -> dict[str, Any]:
    """How far everybody has come, how far annotators agree, and what they dispute."""
    with _explained():
        return {
            "progress": progress_view(state.queue.progress(), annotator),
            "reading": reading_view(state.queue.source, state.reader),
            "agreement": agreement_view(state.queue.agreement()),
        }


@router.get("/recent")
def recent_lines(state: State, annotator: Annotator) -> dict[str, Any]:
    """The lines that an annotator labelled last, the oldest first."""
    with _explained():
        return {"lines": recent(state.queue.source.labels(), annotator)}


def _whole(one: OneLabel) -> OneLabel:
    """A label with a baseline: one that was drawn has a straight one."""
    if one.baseline:
        return one
    return one.model_copy(update={"baseline": list(straight_baseline(tuple(one.polygon)))})


def _unknown(state: QueueState, given: list[Label]) -> str:
    """The characters of texts that the recogniser does not know: they are kept all the same."""
    return state.alphabet.missing("".join(label.text for label in given)) if state.alphabet else ""


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn errors into problems that say what is wrong."""
    try:
        yield
    except UnknownPage as error:
        raise Problem(404, str(error)) from error
    except OSError as error:
        why = "the disk is full" if error.errno in _FULL else str(error.strerror or error)
        raise Problem(507, f"the labels cannot be kept now: {why}", {"Retry-After": "5"}) from error
    except ImageError:
        raise
    except ValueError as error:
        raise Problem(422, str(error)) from error
