"""What every way of serving answers: a reading as a prediction, an error as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from text_recognizer.page import Page

if TYPE_CHECKING:
    from text_recognizer import TextRecognizer

PROBLEM_TYPE = "application/problem+json"


#: What an image holds.
Unit = Literal["page", "line"]


def read_unit(recognizer: TextRecognizer, image: bytes, unit: Unit = "page") -> Page:
    """Read the bytes of an image file that holds a page, or one line cropped from a page.

    Raises ImageError (a ValueError) where the image cannot be read. A line without text makes a page without lines.
    """
    if unit == "page":
        return recognizer.read(image)
    from text_recognizer.images import open_image

    pixels = open_image(image, recognizer.max_pixels)
    line = recognizer.read_lines([pixels])[0]
    models = {"lines": recognizer.line_reader.bundle.identity}
    return Page((line,) if line.text else (), pixels.shape[1], pixels.shape[0], None, models)


def predict_result(page: Page) -> dict[str, Any]:
    """The answer for a page: `pred` its text, `conf` in [0, 1] and `page` with outlines and words.

    `conf` is the mean confidence of the lines weighted by their length, 1.0 for a blank page.
    """
    return {"pred": page.text, "conf": round(page.confidence, 4), "page": page.to_dict()}


def problem(status: int, detail: str) -> dict[str, Any]:
    """Problem details (RFC 9457) for an HTTP status; detail: one sentence for the client."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
