"""The labelling queue as a web application: its page and its API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from text_recognizer import __version__
from text_recognizer.service import problems
from text_recognizer.service.labeling.queue.api import QueueState, router
from text_recognizer.service.labeling.queue.queue import LabelQueue
from text_recognizer.service.labeling.queue.reading import PageReader
from text_recognizer.service.labeling.queue.views import Pictures
from text_recognizer.service.middleware import Limits, Watch
from text_recognizer.service.settings import Settings
from text_recognizer.service.static import WEB, WebFiles, WebMount


def create_app(queue: LabelQueue, reader: PageReader, settings: Settings, annotator: str = "") -> FastAPI:
    """The application (ASGI). The reader begins when it starts, and ends with it.

    settings: of the server; its limits and host names hold here, too. annotator: a name to offer.
    """
    alphabet = getattr(reader.recognizer.line_reader, "alphabet", None)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.queue = QueueState(queue, reader, Pictures(queue.source), alphabet, annotator)
        reader.start()
        try:
            yield
        finally:
            await run_in_threadpool(reader.close)

    app = FastAPI(
        title="Text Recognizer: labelling",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    problems.install(app)
    app.include_router(router)
    app.add_api_route("/readyz", _ready)
    app.add_api_route("/", _page, include_in_schema=False)
    app.router.routes.append(WebMount("/", WebFiles(directory=WEB), name="web"))
    app.add_middleware(
        Limits,
        max_bytes=settings.max_request_bytes,
        seconds=settings.request_seconds,
        origins=settings.cors_origins,
        hosts=settings.allowed_hosts,
    )
    app.add_middleware(Watch)
    return app


async def _ready() -> dict[str, str]:
    """Whether lines are handed out."""
    return {"status": "ready"}


async def _page() -> FileResponse:
    return FileResponse(WEB / "label.html", headers={"Cache-Control": "no-cache"})
