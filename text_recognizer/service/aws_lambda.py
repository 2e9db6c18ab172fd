"""AWS Lambda: `text_recognizer.service.aws_lambda.handler`.

The models are loaded when this module is imported, which is the initialisation of a function. The environment says:

    TEXT_RECOGNIZER_IMAGE_URL   off (the default), public or any: whether images are fetched, `fetching.UrlPolicy`
    TEXT_RECOGNIZER_MODEL       line recogniser: a shipped name or the folder of a bundle
    TEXT_RECOGNIZER_DETECTOR    line detector: the same
    TEXT_RECOGNIZER_LANGUAGE    language model: the same, none, or auto (the one of the line recogniser)
    TEXT_RECOGNIZER_MAX_PIXELS  larger images are refused before they are decoded
"""

from __future__ import annotations

import json
import os
import time
from pathlib import PurePath
from typing import Any

from text_recognizer import ImageError, TextRecognizer
from text_recognizer.formats import to_text
from text_recognizer.page import Page
from text_recognizer.service.fetching import FetchError, UrlPolicy, fetch_image
from text_recognizer.service.lambda_events import EventError, Request, is_http, parse_event
from text_recognizer.service.payloads import PROBLEM_TYPE, predict_result, problem, read_unit

FETCH_BYTES = 20_000_000
FETCH_SECONDS = 10.0
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _load() -> TextRecognizer:
    """The recogniser that the environment asks for, with both networks loaded."""
    recognizer = TextRecognizer(
        lines=os.environ.get("TEXT_RECOGNIZER_MODEL", "lines"),
        detector=os.environ.get("TEXT_RECOGNIZER_DETECTOR", "auto"),
        language=os.environ.get("TEXT_RECOGNIZER_LANGUAGE", "auto"),
        max_pixels=int(os.environ.get("TEXT_RECOGNIZER_MAX_PIXELS", "40000000")),
    )
    _ = recognizer.detector  # now, not in the first request
    return recognizer


POLICY = UrlPolicy(os.environ.get("TEXT_RECOGNIZER_IMAGE_URL", "off"))
RECOGNIZER = _load()


def handler(event: Any, context: Any) -> Any:
    """Answer an event (`lambda_events`) with what was read.

    An HTTP event gets an HTTP response: JSON {"pred", "conf", "page", "model", "milliseconds"}, plain text for
    format=txt, or problem details (RFC 9457). A direct invocation gets that object, that text, or {"error": problem}.
    """
    start = time.perf_counter()
    note: dict[str, Any] = {"request_id": getattr(context, "aws_request_id", None)}
    status, answer = 200, None
    try:
        answer = _read(parse_event(event), note, start)
    except (EventError, FetchError) as error:
        status, answer = error.status, problem(error.status, str(error))
    except ImageError as error:
        status, answer = 422, problem(422, str(error))
    except Exception as error:  # a bug of ours must not show its inside, nor end the process for the next one
        status, answer = 500, problem(500, "the image could not be read, through no fault of the request")
        note["error"] = _where(error)
    # One line of JSON a request, and nothing of what the image shows or where it lies.
    note |= {"status": status, "milliseconds": _since(start)}
    print(json.dumps(note), flush=True)
    if is_http(event):
        return _response(status, answer)
    return answer if status == 200 else {"error": answer}


def _read(request: Request, note: dict[str, Any], start: float) -> dict[str, Any] | str:
    """Read the image that was asked for; `note` is told about it."""
    image = request.image if request.image is not None else _fetch(request.image_url or "")
    note |= {"unit": request.unit, "bytes": len(image)}
    page: Page = read_unit(RECOGNIZER, image, request.unit)
    note |= {"width": page.width, "height": page.height, "lines": len(page.lines), "conf": round(page.confidence, 4)}
    if request.format == "txt":
        return to_text(page)
    return predict_result(page) | {"model": page.models["lines"], "milliseconds": _since(start)}


def _fetch(url: str) -> bytes:
    try:
        return fetch_image(url, POLICY, FETCH_BYTES, FETCH_SECONDS)
    except ModuleNotFoundError:
        raise EventError(501, "image_url is not served here, for httpx is not installed: send the image") from None


def _response(status: int, answer: dict[str, Any] | str) -> dict[str, Any]:
    """An answer as the HTTP response that API Gateway and function URLs pass on."""
    if isinstance(answer, str):
        kind, body = "text/plain; charset=utf-8", answer
    else:
        kind = "application/json" if status == 200 else PROBLEM_TYPE
        body = json.dumps(answer, ensure_ascii=False)
    headers = {"Content-Type": kind} | _HEADERS | ({"Allow": "GET, POST"} if status == 405 else {})
    return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": False}


def _since(start: float) -> int:
    return round(1000 * (time.perf_counter() - start))


def _where(error: Exception) -> str:
    """The kind of an error and its place in the program; its message may hold what must not be logged."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return type(error).__name__ + place
