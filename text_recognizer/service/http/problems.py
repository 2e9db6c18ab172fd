"""Errors as RFC 9457 problem details: application/problem+json with type, title, status and detail."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from text_recognizer.images import ImageError
from text_recognizer.service.feedback import FeedbackUnavailable, InvalidCorrection, UnknownReading
from text_recognizer.service.fetching import FetchError
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.payloads import PROBLEM_TYPE, problem
from text_recognizer.service.reading.service import Busy

_log = logging.getLogger("text_recognizer.service")


class Problem(HTTPException):
    """An error with the status and the explanation that the client is to see."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)

    def to_dict(self) -> dict[str, Any]:
        """The object that RFC 9457 describes."""
        return problem(self.status_code, self.detail)


def as_problem(error: BaseException) -> Problem:
    """What a client is told of an error of ours; anything unexpected is logged here and told as 500."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):  # of the framework: no such route, no such method, a damaged form
        return Problem(error.status_code, str(error.detail), dict(error.headers or {}))
    if isinstance(error, Busy):
        return Problem(503, str(error), {"Retry-After": str(error.retry_after)})
    if isinstance(error, FetchError):
        return Problem(error.status, str(error))
    if isinstance(error, UnknownReading):
        return Problem(404, str(error))
    if isinstance(error, ClientDisconnect):
        return Problem(400, "the request broke off")  # which nobody hears
    if isinstance(error, asyncio.CancelledError):
        return Problem(503, "the server stops, and this took too long to be finished before", {"Retry-After": "5"})
    if isinstance(error, FeedbackUnavailable):
        # Without what led to it: a database's own error holds the values that were to be stored.
        _log.error("the feedback store cannot be used: %s", error)
        return Problem(503, "corrections and readings cannot be kept at the moment", {"Retry-After": "5"})
    if isinstance(error, ImageError | InvalidCorrection):
        return Problem(422, str(error))
    _log.error("unexpected error", exc_info=error)
    return Problem(500, "something went wrong here; the log of the server says what")


def response(found: Problem) -> JSONResponse:
    """The problem as an answer."""
    metrics.REFUSED.labels(str(found.status_code)).inc()
    return JSONResponse(found.to_dict(), found.status_code, headers=found.headers, media_type=PROBLEM_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of `app` that is foreseen with a problem; `middleware.Watch` answers the others."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        return response(as_problem(error))

    async def of_validation(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return response(Problem(422, explain(error.errors())))

    ours_too = (Busy, FetchError, UnknownReading, FeedbackUnavailable, ImageError, InvalidCorrection)
    for kind in (HTTPException, ClientDisconnect, *ours_too):
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(RequestValidationError, of_validation)


def explain(errors: Any) -> str:
    """Pydantic's errors as one line, without what the client had sent."""
    return "; ".join(f"{'.'.join(str(part) for part in e['loc']) or 'body'}: {e['msg']}" for e in errors)[:1000]
