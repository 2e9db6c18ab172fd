"""What every way of serving answers: a reading as a prediction, an error as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from text_recognizer.page import Page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
