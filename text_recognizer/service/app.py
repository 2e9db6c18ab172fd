"""The server's application: routes, limits, errors, the web page, and what runs from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.concurrency import run_in_threadpool

from text_recognizer import __version__
from text_recognizer.service import api, problems
from text_recognizer.service.logs import event
from text_recognizer.service.middleware import Limits, Watch
from text_recognizer.service.settings import Settings
from text_recognizer.service.state import State
from text_recognizer.service.static import WEB, WebFiles, WebMount, samples_dir

_log = logging.getLogger("text_recognizer.service")
_PURGE_SECONDS = 3600.0


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application (ASGI). Models and the store are opened when it starts, not here."""
    chosen = settings or Settings()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        server = await run_in_threadpool(State.start, chosen)
        app.state.server = server
        event(_log, "ready", models=server.reading.models)
        purging = asyncio.create_task(_purge_now_and_then(server))
        try:
            yield
        finally:
            purging.cancel()
            await run_in_threadpool(server.stop)

    app = FastAPI(
        title="Text Recognizer",
        version=__version__,
        summary="Reads pages of handwriting.",
        license_info={"name": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,  # its pages come from a content network; ours work offline
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    problems.install(app)
    app.include_router(api.router)
    app.include_router(api.health)
    if chosen.web:
        if samples := samples_dir():
            app.mount("/samples", WebFiles(directory=samples), name="samples")
        app.router.routes.append(WebMount("/", WebFiles(directory=WEB, html=True), name="web"))
    app.add_middleware(
        Limits,
        max_bytes=chosen.max_request_bytes,
        seconds=chosen.request_seconds,
        origins=chosen.cors_origins,
        hosts=chosen.allowed_hosts,
    )
    if chosen.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=chosen.cors_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "X-Reading-ID", "Retry-After"],
        )
    app.add_middleware(Watch, cors=bool(chosen.cors_origins))
    return app


async def _purge_now_and_then(server: State) -> None:
    """Delete what was kept without consent and is too old; a store that cannot be used now is tried again later."""
    while server.store is not None:
        try:
            deleted = await run_in_threadpool(server.store.purge, server.settings.retention_days)
            if deleted:
                event(_log, "purged", readings=deleted)
        except Exception as error:  # whatever it was, the next hour's attempt must come
            _log.warning("purging failed: %s", error)
        await asyncio.sleep(_PURGE_SECONDS)
