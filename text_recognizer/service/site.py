"""What the applications here have in common: errors, the web pages' files, limits and headers around all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from text_recognizer import __version__
from text_recognizer.service import problems
from text_recognizer.service.middleware import Limits, Watch
from text_recognizer.service.settings import Settings
from text_recognizer.service.static import WEB, WebFiles, WebMount, WebPage, samples_dir


def new_site(title: str, **more: Any) -> FastAPI:
    """An application (ASGI) without routes that answers errors with problem details. more: as FastAPI takes it."""
    app = FastAPI(
        title=title,
        version=__version__,
        docs_url=None,  # its pages come from a content network; ours work offline
        redoc_url=None,
        openapi_url="/openapi.json",
        **more,
    )
    problems.install(app)
    return app


def add_pages(app: FastAPI, pages: Mapping[str, str]) -> None:
    """Serve web pages, path -> file, and all that they refer to. After the routes of the API."""
    if samples := samples_dir():
        app.mount("/samples", WebFiles(directory=samples), name="samples")
    for path, file in pages.items():
        app.router.routes.append(WebPage(path, file))
    app.router.routes.append(WebMount("/", WebFiles(directory=WEB), name="web"))


def guard(app: FastAPI, settings: Settings) -> None:
    """Put limits and headers around everything that was added before."""
    origins = settings.cors_origins
    app.add_middleware(
        Limits,
        max_bytes=settings.max_request_bytes,
        seconds=settings.request_seconds,
        origins=origins,
        hosts=settings.allowed_hosts,
    )
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "X-Reading-ID", "Retry-After"],
        )
    app.add_middleware(Watch, cors=bool(origins))
