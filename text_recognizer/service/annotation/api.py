"""The API of the labelling queue, route by route."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from text_recognizer import __version__
from text_recognizer.alphabet import Alphabet
from text_recognizer.images import ImageError
from text_recognizer.labeling.labels import Label
from text_recognizer.labeling.outlines import straight_baseline
from text_recognizer.labeling.pages import UnknownPage
from text_recognizer.labeling.queue import ORDERS, Queue
from text_recognizer.labeling.queue_source import Pictures
from text_recognizer.service.annotation.background_reading import PageReader, PageState
from text_recognizer.service.annotation.schemas import (
    Annotator,
    LabelsRequest,
    NextRequest,
    OneLabel,
    OutlineRequest,
    ReleaseRequest,
)
from text_recognizer.service.annotation.views import agreement_view, page_view, progress_view, reading_view, task_view
from text_recognizer.service.feedback import FeedbackUnavailable
from text_recognizer.service.http.problems import Problem
from text_recognizer.service.http.schemas import IMAGE, PICTURE

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass
class QueueState:
    """What a request is answered from.

    reader: None where the model has read all pages; lines can then neither be drawn nor read again. alphabet: None
    where nobody can say which characters the recogniser knows. annotator: the name that is offered to whoever comes
    without one; known: it is the name of whoever asks, whatever they say. kind: of the queue, "label" or "review".
    longest: characters of a text. orders: of `ORDERS`.
    """

    queue: Queue
    reader: PageReader | None
    pictures: Pictures
    alphabet: Alphabet | None
    annotator: str = ""
    known: bool = False
    kind: str = "label"
    longest: int = 2000
    orders: tuple[str, ...] = ORDERS

    def who(self, said: str) -> str:
        """The annotator of a request that names one."""
        return self.annotator if self.known else said.strip()


def _state(request: Request) -> QueueState:
    find: Callable[[Request], QueueState] = request.app.state.queue
    with _explained():
        return find(request)


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
        "kind": state.kind,
        "annotator": state.annotator,
        "known": state.known,
        "overlap": state.queue.overlap,
        "orders": state.orders,
        "outlines": state.reader is not None,
        "longest": state.longest,
        "alphabet": "".join(state.alphabet.characters) if state.alphabet else None,
    }


@router.post("/next")
def next_line(state: State, body: NextRequest) -> dict[str, Any]:
    """The next line for an annotator; where there is none, `line` is null, and the rest says why."""
    who = state.who(body.annotator)
    with _explained():
        if body.page is not None and state.reader and state.reader.state(body.page).state == "waiting":
            state.reader.ask(body.page)
        found = _next(state, body, who)
        progress = state.queue.progress()
        return {
            "line": found,
            "progress": progress_view(progress, who),
            "reading": reading_view(state.reader),
            "page": None if body.page is None else _page_state(state, body.page),
            "others": found is None and state.queue.others(who, body.page),
        }


def _page_state(state: QueueState, page: str) -> dict[str, Any]:
    """How far the model is with a page."""
    return vars(state.reader.state(page) if state.reader else PageState("read"))


def _next(state: QueueState, body: NextRequest, who: str) -> dict[str, Any] | None:
    """The next line whose page can be shown."""
    passed = set(body.passed)
    for _ in range(1000):
        task = state.queue.next(who, body.order, body.page, passed)
        if task is None:
            return None
        try:
            return task_view(state.queue.source, task, who)
        except (ImageError, UnknownPage):  # the image was deleted or damaged meanwhile
            state.queue.release(who, task.page, task.line.id)
            passed.add((task.page, task.line.id))
            with contextlib.suppress(UnknownPage):
                passed |= {(task.page, line.id) for line in state.queue.source.lines(task.page)}
    return None


@router.get("/line")
def line(state: State, page: Name, line: Name, annotator: Annotator) -> dict[str, Any]:
    """A certain line, whatever was said of it."""
    with _explained():
        found = state.queue.task(state.who(annotator), page, line)
        if found is None:
            raise Problem(404, f"there is no line {line!r} on {page}")
        return task_view(state.queue.source, found, state.who(annotator))


@router.get("/lines")
def lines(state: State, page: Name) -> dict[str, Any]:
    """A page with its lines, none of which is handed out."""
    with _explained():
        return page_view(state.queue.source, page)


@router.post("/labels")
def labels(state: State, body: LabelsRequest) -> dict[str, Any]:
    """Keep labels. Once this is answered, they are safe on disk."""
    who = state.who(body.annotator)
    with _explained():
        given = [_whole(one).to_label(who) for one in body.labels]
        state.queue.source.add(given)
        for label in given:
            state.queue.release(who, label.page, label.line)
        return {"kept": len(given), "unknown": _unknown(state, given)}


@router.post("/release", status_code=204)
def release(state: State, body: ReleaseRequest) -> None:
    """Leave a line to others: the page is closed."""
    with _explained():
        state.queue.release(state.who(body.annotator), body.page, body.line)


@router.post("/read")
def read_line(state: State, body: OutlineRequest) -> dict[str, Any]:
    """What the model reads inside of an outline."""
    if state.reader is None:
        raise Problem(403, "lines are not read again here: they were read long ago")
    with _explained():
        read = state.reader.read_line(body.page, tuple(body.polygon), tuple(body.baseline))
        return {"text": read.text, "confidence": round(read.confidence, 4)}


@router.post("/picture", response_class=Response, responses=PICTURE)
def line_picture(state: State, body: OutlineRequest) -> Response:
    """What an outline encloses, as the recogniser sees it but in colour: a PNG."""
    with _explained():
        picture = state.pictures.line(body.page, tuple(body.polygon), tuple(body.baseline))
        return Response(picture, media_type="image/png")


@router.get("/page", response_class=Response, responses=IMAGE)
def page_picture(state: State, page: Name) -> Response:
    """A page as a picture."""
    with _explained():
        return Response(state.pictures.page(page), media_type="image/jpeg", headers={"Cache-Control": "no-cache"})


@router.get("/pages")
def pages(state: State) -> dict[str, Any]:
    """Pages to choose from, how far the model is with each, and how many of its lines are done."""
    with _explained():
        return {"pages": [_page_row(state, *row) for row in state.queue.pages()]}


def _page_row(state: QueueState, page: str, lines: int, done: int) -> dict[str, Any]:
    name = state.queue.source.name(page)
    return {"page": page, "name": name, **_page_state(state, page), "lines": lines, "done": done}


@router.get("/progress")
def progress(state: State, annotator: Annotator) -> dict[str, Any]:
    """How far everybody has come, how far annotators agree, and what they dispute."""
    with _explained():
        return {
            "progress": progress_view(state.queue.progress(), state.who(annotator)),
            "reading": reading_view(state.reader),
            "agreement": agreement_view(state.queue.agreement()),
        }


@router.get("/recent")
def recent_lines(state: State, annotator: Annotator) -> dict[str, Any]:
    """The lines that an annotator labelled last, the oldest first."""
    with _explained():
        return {"lines": state.queue.recent(state.who(annotator))}


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
    except FeedbackUnavailable:  # see `problems`
        raise
    except OSError as error:
        why = "the disk is full" if error.errno in _FULL else str(error.strerror or error)
        raise Problem(507, f"the labels cannot be kept now: {why}", {"Retry-After": "5"}) from error
    except ImageError:
        raise
    except ValueError as error:
        raise Problem(422, str(error)) from error
