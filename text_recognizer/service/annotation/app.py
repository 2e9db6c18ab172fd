"""The labelling queue as a web application: its page, its API, one process that everybody shares."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from text_recognizer.labeling.candidates import read_order
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.queue import LabelQueue
from text_recognizer.labeling.queue_source import PageSource
from text_recognizer.recognition.recognizer import TextRecognizer
from text_recognizer.service.annotation.api import QueueState, router
from text_recognizer.service.annotation.background_reading import PageReader
from text_recognizer.service.annotation.views import PagePictures
from text_recognizer.service.http.site import add_pages, guard, new_site
from text_recognizer.service.server import serve
from text_recognizer.service.settings import Settings


def create_app(queue: LabelQueue, reader: PageReader, settings: Settings, annotator: str = "") -> FastAPI:
    """The application (ASGI). The reader begins when it starts, and ends with it.

    settings: of the server; its limits and host names hold here, too. annotator: a name to offer.
    """
    alphabet = getattr(reader.recognizer.line_reader, "alphabet", None)
    state = QueueState(queue, reader, PagePictures(reader.source), alphabet, annotator)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.queue = lambda _: state
        reader.start()
        try:
            yield
        finally:
            await run_in_threadpool(reader.close)

    app = new_site("Text Recognizer: labelling", lifespan=lifespan)
    app.include_router(router)
    app.add_api_route("/readyz", _ready)
    add_pages(app, {"/": "label.html"})
    guard(app, settings)
    return app


async def _ready() -> dict[str, str]:
    """Whether lines are handed out."""
    return {"status": "ready"}


def run(
    source: PageSource,
    recognizer: TextRecognizer,
    settings: Settings,
    overlap: float = 0.0,
    again: bool = False,
    annotator: str = "",
) -> None:
    """Serve a queue until SIGTERM or Ctrl-C. For an address that `server.check_address` found free.

    overlap: see `LabelQueue`. again: see `PageReader`. annotator: a name to offer. Raises ValueError for a share of
    lines that is none.
    """
    first = source.folder if isinstance(source, LabelingFolder) else None
    queue = LabelQueue(source, overlap, first=lambda: read_order(first) if first else ())
    app = create_app(queue, PageReader(source, recognizer, again), settings, annotator)
    serve(app, settings)
