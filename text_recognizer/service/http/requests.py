"""What a request asks to be read: JSON, a form with files, a bare image, or an address in the query."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException

from text_recognizer.images import Document, open_document
from text_recognizer.service.fetching import fetch_image
from text_recognizer.service.http.problems import Problem, explain
from text_recognizer.service.http.schemas import BatchRequest, Options, PredictRequest
from text_recognizer.service.payloads import decode_image_text
from text_recognizer.service.settings import Settings

_Model = TypeVar("_Model", bound=BaseModel)
_JSON_VALUES = 10_000


@dataclass(frozen=True)
class Source:
    """Something to read: its bytes, their text in base64, or its address. name: as the client calls it."""

    name: str | None = None
    data: bytes | None = None
    text: str | None = None
    url: str | None = None

    def open(self, settings: Settings) -> Document:
        """The document; blocks. Raises FetchError, ImageError or `Problem` for what cannot be had or read."""
        limit = settings.max_request_bytes
        if self.url is not None:
            data = fetch_image(self.url, settings.image_url, limit, settings.image_url_seconds)
        elif self.text is not None:
            try:
                data = decode_image_text(self.text)
            except ValueError as error:
                raise Problem(422, str(error)) from error
        else:
            data = self.data or b""
        return open_document(data, settings.max_pixels, settings.max_pages, settings.pdf_dpi)


async def asked(request: Request, settings: Settings, several: bool) -> tuple[list[Source], Options]:
    """What a request asks to be read, and how. several: whether it may be more than one document.

    Raises `Problem`: 400 for a damaged body, 413 for too many documents, 415 for an unknown kind, 422 for wrong fields.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        sources, options = await _form(request, settings)
    elif kind == "application/json" or kind.endswith("+json"):
        sources, options = await _json(request, several)
    elif kind.startswith("image/") or kind in ("application/pdf", "application/octet-stream"):
        sources, options = [Source(data=await request.body())], parsed(Options, dict(request.query_params))
    else:
        raise Problem(415, "send multipart/form-data with files, application/json, or an image or PDF itself")
    if not sources:
        raise Problem(422, "nothing to read: send a file, or image, or image_url")
    if len(sources) > (settings.max_pages if several else 1):
        raise Problem(
            413, f"{len(sources)} documents at once: " + ("too many" if several else "/v1/batch takes several")
        )
    return sources, options


async def _json(request: Request, several: bool) -> tuple[list[Source], Options]:
    body = await request.body()
    # What the text of images is not: an object for every other byte would take twenty times the memory of the body.
    if sum(body.count(sign) for sign in (b"[", b"{", b",")) > _JSON_VALUES:
        raise Problem(400, f"the JSON has more than {_JSON_VALUES:,} values")
    try:
        content = await run_in_threadpool(json.loads, body)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError too
        raise Problem(400, "the body is not JSON") from None
    if not isinstance(content, dict):
        raise Problem(422, 'the body must be an object such as {"image": "..."}')
    if several:
        batch = parsed(BatchRequest, content)
        return [Source(text=text) for text in batch.images] + [Source(url=url) for url in batch.image_urls], batch
    one = parsed(PredictRequest, content)
    return [Source(text=one.image, url=one.image_url)], one


async def _form(request: Request, settings: Settings) -> tuple[list[Source], Options]:
    try:
        form = await request.form(max_files=settings.max_pages, max_fields=50, max_part_size=settings.max_request_bytes)
    except (MultiPartException, LookupError, ValueError) as error:  # LookupError: of a charset that there is not
        raise Problem(400, f"the form cannot be read: {error}") from error
    sources, fields = [], dict(request.query_params)
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            sources.append(Source(name=_clean(value.filename), data=await value.read()))
        elif name == "image_url":
            sources.append(Source(url=value))
        elif name == "image":
            sources.append(Source(text=value))
        else:
            fields[name] = value
    await form.close()
    return sources, parsed(Options, fields)


def parsed(model: type[_Model], content: dict[str, Any]) -> _Model:
    """The checked model. Raises `Problem` 422 that names the fields."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise Problem(422, explain(error.errors())) from error


def _clean(name: str | None) -> str | None:
    """The last part of a file's name, for showing only: nothing is ever written under it."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(letter for letter in last if letter.isprintable())[:200]
    return kept or None
