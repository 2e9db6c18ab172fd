"""What every way of serving takes and answers: images as base64, predictions, problem details (RFC 9457)."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote_to_bytes

from text_recognizer.page import Page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from text_recognizer import TextRecognizer


PROBLEM_TYPE = "application/problem+json"


#: What an image holds.
Unit = Literal["page", "line"]

_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def read_unit(recognizer: TextRecognizer, image: bytes, unit: Unit = "page") -> Page:
    """Read the bytes of an image file that holds a page, or one line cropped from a page.

    Raises ImageError (a ValueError) where the image cannot be read. A line without text makes a page without lines.
    """
    if unit == "page":
        return recognizer.read(image)
    from text_recognizer.images import open_image

    return read_line(recognizer, open_image(image, recognizer.max_pixels))


def read_line(recognizer: TextRecognizer, pixels: NDArray[np.uint8], use_language: bool = True) -> Page:
    """Read uint8 (H, W) or (H, W, 3) that holds one line: a page of one line, or of none where it is blank."""
    line = recognizer.read_lines([pixels], use_language)[0]
    models = recognizer.line_models(use_language)
    return Page((line,) if line.text else (), pixels.shape[1], pixels.shape[0], None, models)


def predict_result(page: Page) -> dict[str, Any]:
    """The answer for a page: `pred` its text, `conf` in [0, 1] and `page` with outlines and words.

    `conf` is the mean confidence of the lines weighted by their length, 1.0 for a blank page.
    """
    return {"pred": page.text, "conf": round(page.confidence, 4), "page": page.to_dict()}


def problem(status: int, detail: str) -> dict[str, Any]:
    """Problem details (RFC 9457) for an HTTP status; detail: one sentence for the client."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}


def decode_image_text(text: str) -> bytes:
    """The bytes of an image given as base64, with or without `data:image/...;base64,` before it.

    White space, a missing padding and the URL-safe alphabet are tolerated. Whether the bytes are an image is
    for `images.open_image` to say. Raises ValueError with a message for the client.
    """
    if text.lstrip()[:5].lower() == "data:":
        return decode_data_url(text)
    return _decode_base64(text)


def decode_data_url(text: str) -> bytes:
    """The bytes in a data URL (RFC 2397) of an image in base64. Raises ValueError with a message for the client."""
    head, comma, payload = text.strip().partition(",")
    scheme, colon, description = head.partition(":")
    if not comma or not colon or scheme.lower() != "data":
        raise ValueError("not a data URL: data:image/png;base64,... is one")
    kind, *parameters = (part.strip().lower() for part in description.split(";"))
    if "base64" not in parameters:
        raise ValueError("the data URL is not in base64: data:image/png;base64,... is")
    if kind and not kind.startswith("image/") and kind not in ("application/octet-stream", "application/pdf"):
        raise ValueError("the data URL holds no image: its type must begin with image/, or be application/pdf")
    return _decode_base64(unquote_to_bytes(payload).decode("latin-1") if "%" in payload else payload)


def _decode_base64(text: str) -> bytes:
    try:
        letters = b"".join(text.encode("ascii").split()).translate(_URL_SAFE).rstrip(b"=")
        data = base64.b64decode(letters + b"=" * (-len(letters) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError("the image is not in base64: a character or the length is wrong") from None
    if not data:
        raise ValueError("the image is empty (0 bytes)")
    return data
