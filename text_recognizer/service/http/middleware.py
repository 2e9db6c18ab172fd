"""What happens around every request: its identifier, its limits, its headers, its line in the log."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from text_recognizer.service.http import problems
from text_recognizer.service.http.problems import Problem
from text_recognizer.service.logs import event
from text_recognizer.service.monitoring import metrics

_log = logging.getLogger("text_recognizer.service")
_UPLOADS = ("/v1/predict", "/v1/batch")
_JSON_BYTES = 16_000_000  # some hundreds of pages as they were read
_BYTES_A_SECOND = 50_000  # slower than any line that somebody would send a page over
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), payment=(), usb=()",
    # blob: and data: are the user's own pictures; nothing comes from elsewhere.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
}


class Watch:
    """Gives each request an identifier, the security headers, a line in the log and its place in the metrics."""

    def __init__(self, app: ASGIApp, cors: bool = False) -> None:
        self.app = app
        self.headers = dict(_SECURITY)
        if cors:
            self.headers["Cross-Origin-Resource-Policy"] = "cross-origin"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, started = time.perf_counter(), 500, False
        identifier = _given_identifier(scope) or uuid.uuid4().hex
        scope["request_id"] = identifier

        async def send_with_headers(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = identifier
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except (
            Exception,
            asyncio.CancelledError,
        ) as error:  # here and not further out, so that this answer has the headers, too
            if started:
                raise
            await problems.response(problems.as_problem(error))(scope, receive, send_with_headers)
        finally:
            self._note(scope, status, time.perf_counter() - start, identifier)

    def _note(self, scope: Scope, status: int, seconds: float, identifier: str) -> None:
        route = getattr(scope.get("route"), "path", None) or "other"  # never the path itself: anyone can invent many
        metrics.REQUESTS.labels(_method(scope), route, str(status)).inc()
        metrics.REQUEST_SECONDS.labels(route).observe(seconds)
        if route not in ("/healthz", "/readyz", "/metrics"):
            fields: dict[str, Any] = {"method": _method(scope), "route": route, "status": status}
            fields |= {"milliseconds": round(1000 * seconds, 1), "request": identifier}
            event(_log, "request", **fields, **({"key": scope["key_name"]} if scope.get("key_name") else {}))


class Limits:
    """Refuses bodies that are too large or come too slowly, and requests that other sites' pages make."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float, origins: list[str], hosts: list[str]) -> None:
        self.app, self.max_bytes, self.seconds, self.origins = app, max_bytes, seconds, origins
        self.hosts = [host.lower() for host in hosts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        problem = self._refusal(scope, headers)
        if problem is not None:
            await problems.response(problem)(scope, receive, send)
            return
        await self.app(scope, self._limited(receive, self._limit(scope)), send)

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        host = re.sub(r":\d*$", "", headers.get("host", "")).lower()
        if "*" not in self.hosts and host not in self.hosts:
            return Problem(421, "this server does not answer to that host name: allow it with ALLOWED_HOSTS")
        if "transfer-encoding" in headers and "content-length" in headers:
            # Two lengths of one body: a proxy may go by the other one, and take its rest for another's request.
            return Problem(400, "both Content-Length and Transfer-Encoding", {"Connection": "close"})
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return Problem(400, "Content-Length is not a number")
        if int(length) > self._limit(scope):
            return _too_large(self._limit(scope))
        # Reading is no safe method even as GET: it costs time, fetches an address, may keep what it read.
        safe = scope["method"] in _SAFE_METHODS and scope["path"] not in _UPLOADS
        allowed = "*" in self.origins or headers.get("origin") in self.origins
        if not safe and not allowed and _is_foreign(headers):
            return Problem(403, "pages of other sites may not call this server: allow them with CORS_ORIGINS")
        return None

    def _limit(self, scope: Scope) -> int:
        """Bytes that the body may have: where no images are sent, JSON becomes objects many times its size."""
        return self.max_bytes if scope["path"] in _UPLOADS else min(self.max_bytes, _JSON_BYTES)

    def _limited(self, receive: Receive, limit: int) -> Callable[[], Awaitable[Message]]:
        total, start, done = 0, time.monotonic(), False

        async def limited() -> Message:
            nonlocal total, done
            if done:  # the body is here; what comes now is the client going away, which may take its time
                return await receive()
            left = start + self.seconds + total / _BYTES_A_SECOND - time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, left))
            except TimeoutError:
                raise Problem(408, f"the request did not arrive within {self.seconds:g} s") from None
            total += len(message.get("body", b""))
            if total > limit:
                raise _too_large(limit)
            done = not message.get("more_body", False)
            return message

        return limited


def _is_foreign(headers: Headers) -> bool:
    """Whether a page of another site made the request. Browsers say so to HTTPS and loopback; else the origin tells."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("cross-site", "same-site")
    origin = headers.get("origin")
    ours = [headers.get(name, "").lower() for name in ("host", "x-forwarded-host")]
    return origin is not None and origin.lower().partition("://")[2] not in ours


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the request is larger than the limit of {limit:,} bytes")


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _given_identifier(scope: Scope) -> str | None:
    """The identifier that a proxy gave to the request, where it is a sane one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if re.fullmatch(r"[A-Za-z0-9._-]{8,64}", given) else None
