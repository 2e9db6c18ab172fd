"""What an event of AWS Lambda asks for.

Events are those of API Gateway (REST APIs, payload 1.0, and HTTP APIs, payload 2.0), of function URLs (2.0 too) and
of direct invocation, where the event is the request itself.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from text_recognizer.service.payloads import Unit, decode_data_url, decode_image_text

Format = Literal["json", "txt"]
_OPTIONS = ("image_url", "unit", "format")
_HOW = 'send {"image": "<base64 or data URL>"} or {"image_url": "https://..."}, or an image as the body'


class EventError(ValueError):
    """An event that asks for nothing that can be done; the message is for the client. status: of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """An image to read, as the bytes of its file or as a URL to fetch it from, and how to answer."""

    image: bytes | None
    image_url: str | None
    unit: Unit = "page"
    format: Format = "json"


def is_http(event: Any) -> bool:
    """Whether the event is an HTTP request, whose answer is an HTTP response."""
    return isinstance(event, Mapping) and _method(event) is not None


def parse_event(event: Any) -> Request:
    """The request in an event. Raises EventError."""
    if isinstance(event, str):
        return _request(_fields_of_text(event))
    if not isinstance(event, Mapping):
        raise EventError(400, f"the event is neither an object nor a text: {_HOW}")
    method = _method(event)
    if method is None:
        return _request(_fields_of_body(event) if event.get("body") else dict(event))
    if method not in ("GET", "POST"):
        raise EventError(405, "only GET and POST are answered")
    query = event.get("queryStringParameters")
    fields = {key: query[key] for key in _OPTIONS if key in query} if isinstance(query, Mapping) else {}
    return _request(fields | (_fields_of_body(event) if method == "POST" else {}))


def _method(event: Mapping[str, Any]) -> str | None:
    """The HTTP method; None where the event is no HTTP request."""
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, Mapping) else None
    method = http.get("method") if isinstance(http, Mapping) else event.get("httpMethod")
    return method.upper() if isinstance(method, str) else None


def _fields_of_body(event: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request from a body: JSON, base64 or a binary image."""
    body, kind = event.get("body"), _content_type(event)
    if isinstance(body, Mapping):
        return dict(body)
    if body is None or body == "":
        return {}
    if not isinstance(body, str):
        raise EventError(400, f"the body is not a text: {_HOW}")
    if kind.startswith("multipart/"):
        raise EventError(415, f"forms are not read here: {_HOW}")
    if event.get("isBase64Encoded") is not True:
        return _fields_of_text(body)
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise EventError(400, "the body is not in base64, although isBase64Encoded says so") from None
    if kind.startswith("image/") or kind == "application/octet-stream":
        return {"image": data}
    try:
        return _fields_of_text(data.decode("utf-8"))
    except UnicodeDecodeError:  # clients send images under odd content types, and no image is valid UTF-8
        return {"image": data}


def _content_type(event: Mapping[str, Any]) -> str:
    headers = event.get("headers")
    if not isinstance(headers, Mapping):
        return ""
    values = (str(value) for key, value in headers.items() if str(key).lower() == "content-type")
    return next(values, "").partition(";")[0].strip().lower()


def _fields_of_text(text: str) -> dict[str, Any]:
    """The fields in a text that is a JSON object, or base64 with or without JSON's quotes."""
    text = text.strip().removeprefix("\ufeff")
    if not text.startswith(("{", '"', "[")):
        return {"image": text} if text else {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise EventError(400, "the body is not valid JSON") from None
    if isinstance(value, str):
        return {"image": value}
    if not isinstance(value, dict):
        raise EventError(400, f"the body is not a JSON object: {_HOW}")
    return value


def _request(fields: Mapping[str, Any]) -> Request:
    """The request that the fields make, with the image decoded. Raises EventError."""
    image, url = fields.get("image"), fields.get("image_url")
    unit, format = fields.get("unit", "page"), fields.get("format", "json")
    if unit not in get_args(Unit):
        raise EventError(400, "unit is neither page nor line")
    if format not in get_args(Format):
        raise EventError(400, "format is neither json nor txt")
    if (image is None) == (url is None):
        raise EventError(400, f"there is {'no image' if image is None else 'both an image and an image_url'}: {_HOW}")
    if not isinstance(url if image is None else image, str | bytes):
        raise EventError(400, f"{'image_url' if image is None else 'image'} is not a text")
    try:
        if isinstance(image, str):
            image = decode_image_text(image)
        elif isinstance(url, str) and url.lstrip()[:5].lower() == "data:":
            image, url = decode_data_url(url), None
    except ValueError as error:
        raise EventError(400, str(error)) from None
    return Request(image, url, unit, format)
