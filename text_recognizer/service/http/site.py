"""What the applications here have in common: errors, the web pages' files, limits and headers around all of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from text_recognizer import __version__
from text_recognizer.service.http import problems
from text_recognizer.service.http.middleware import Limits, Watch
from text_recognizer.service.settings import Settings

_PACKAGE = Path(__file__).resolve().parents[2]
WEB = Path(__file__).resolve().parents[1] / "web"


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


def samples_dir() -> Path | None:
    """The sample pages: inside an installed package, or beside it in a checkout; None where they were left out."""
    for folder in (_PACKAGE / "samples", _PACKAGE.parent / "samples"):
        if (folder / "letter.jpg").is_file():
            return folder
    return None


class WebMount(Mount):
    """The web page at every path but those of the API, whose methods are for the API to judge."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Mount."""
        path = scope["path"]
        api = path.startswith("/v1/") or path in ("/healthz", "/readyz", "/metrics", "/openapi.json")
        return (Match.NONE, {}) if api else super().matches(scope)


class WebPage(Route):
    """A further page, at a path without the end of its file's name."""

    def __init__(self, path: str, file: str) -> None:
        async def page(_: Request) -> Response:
            return FileResponse(WEB / file, headers={"Cache-Control": "no-cache"})

        super().__init__(path, page, include_in_schema=False)


class WebFiles(StaticFiles):
    """Static files that browsers check for a newer version before they use them again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See StaticFiles."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response
