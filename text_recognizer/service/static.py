"""The web page's files, and the sample pages that it offers."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_PACKAGE = Path(__file__).resolve().parents[1]
WEB = Path(__file__).parent / "web"


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
