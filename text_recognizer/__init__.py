"""Text Recognizer: a page of handwriting goes in, its text comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from text_recognizer.page import Line, Page, Region, Word

if TYPE_CHECKING:
    from text_recognizer.images import ImageError
    from text_recognizer.recognition.recognizer import TextRecognizer

__version__ = "0.1.0"
__all__ = ["ImageError", "Line", "Page", "Region", "TextRecognizer", "Word", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the recogniser when it is first used, so that importing the data types costs nothing."""
    if name == "TextRecognizer":
        from text_recognizer.recognition.recognizer import TextRecognizer

        return TextRecognizer
    if name == "ImageError":
        from text_recognizer.images import ImageError

        return ImageError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
