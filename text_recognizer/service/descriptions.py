"""What the OpenAPI description says beyond what FastAPI sees in the signatures of the routes."""

from __future__ import annotations

from typing import Any

from text_recognizer.formats import FORMATS
from text_recognizer.service.results import PROBLEM_TYPE
from text_recognizer.service.schemas import WRITTEN_FORMATS, Options, ProblemOut

Responses = dict[int | str, dict[str, Any]]

_PROBLEM = {PROBLEM_TYPE: {"schema": ProblemOut.model_json_schema()}}

_FILES = {FORMATS[name].media_type: {"schema": {"type": "string"}} for name in WRITTEN_FORMATS if name != "json"}

#: Of every route of the API.
REFUSALS: Responses = {
    "4XX": {"description": "What was wrong with the request", "content": _PROBLEM},
    503: {"description": "Too much to do: try again after the seconds in Retry-After", "content": _PROBLEM},
}

#: Of the routes that read one document.
READ: Responses = {
    200: {"description": "What was read", "content": _FILES},
    502: {"description": "The server of the image failed", "content": _PROBLEM},
    504: {"description": "The server of the image was too slow", "content": _PROBLEM},
}
EVENTS: Responses = {
    200: {"description": "Events, one a line, as they happen", "content": {"application/x-ndjson": {}}}
}
WRITTEN: Responses = {200: {"description": "The pages in the format", "content": {"application/json": {}} | _FILES}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
IMAGE: Responses = {200: {"description": "The image", "content": {"image/jpeg": _BINARY}}}
PICTURE: Responses = {200: {"description": "The image", "content": {"image/png": _BINARY}}}
READY: Responses = {503: {"description": "Not ready: the feedback store cannot be used", "content": _PROBLEM}}


def body(model: Any, files: str) -> dict[str, Any]:
    """The description of a body that may be JSON, a form, or a file itself."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    fields: dict[str, Any] = Options.model_json_schema()["properties"]
    upload: dict[str, Any] = {"type": "string", "format": "binary"}
    form = {"type": "object", "required": [files], "properties": {files: upload} | fields}
    if files == "files":
        form["properties"] = {files: {"type": "array", "items": upload}} | fields
    content = {
        "application/json": {"schema": model.model_json_schema()},
        "multipart/form-data": {"schema": form},
        "image/*": binary,
        "application/pdf": binary,
    }
    return {"requestBody": {"required": True, "content": content}}
