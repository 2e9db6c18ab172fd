"""The labelling queue as a web application: its page and its API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from text_recognizer.service.labeling.queue.api import QueueState, router
from text_recognizer.service.labeling.queue.queue import LabelQueue
from text_recognizer.service.labeling.queue.reading import PageReader
from text_recognizer.service.labeling.queue.views import PagePictures
from text_recognizer.service.settings import Settings
from text_recognizer.service.site import add_pages, guard, new_site


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
