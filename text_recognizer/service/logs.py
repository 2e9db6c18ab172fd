"""Structured logs: one line an event on stderr, as JSON or text. They never hold images, readings or queries."""

from __future__ import annotations

import datetime
import json
import logging
import traceback
import warnings
from types import TracebackType
from typing import Any

_FIELDS = "fields"
_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure(format: str, level: str = "INFO") -> None:
    """Send the server's and uvicorn's logs to stderr in one format, "json" or "text"."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if format == "json" else _Text())
    for name in ("text_recognizer", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    # Of libraries, errors only: warnings of damaged forms hold what was sent.
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.ERROR)
    # We write a line a request ourselves: uvicorn's own would hold the query, and with it the address of an image.
    logging.getLogger("uvicorn.access").disabled = True
    # Damaged files have Pillow warn a thousand times, on stderr and in no format.
    warnings.filterwarnings("ignore", module="PIL")


def event(logger: logging.Logger, message: str, **fields: Any) -> None:
    """Log a message with fields."""
    logger.info(message, extra={_FIELDS: fields})


def _described(record: logging.LogRecord) -> dict[str, Any]:
    moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
    described = {
        "time": moment.isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    return described | getattr(record, _FIELDS, {})


def _where(raised: _Raised) -> str:
    """The places in the program that an error and those before it went through. Without their messages: a database's
    holds the values that were to be stored, and others hold what a client had sent."""
    chain: list[str] = []
    error = raised[1]
    while error is not None and len(chain) < 10:
        chain.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__qualname__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nand before that:\n".join(chain)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        described = _described(record)
        if record.exc_info:
            described["exception"] = _where(record.exc_info)
        return json.dumps(described, ensure_ascii=True, default=str)  # so that no control character gets through


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        described = _described(record)
        start = f"{described.pop('time')} {described.pop('level'):7} {described.pop('message')}"
        described.pop("logger")
        line = " ".join([start, *(f"{key}={json.dumps(value, default=str)}" for key, value in described.items())])
        return f"{line}\n{_where(record.exc_info)}" if record.exc_info else line
