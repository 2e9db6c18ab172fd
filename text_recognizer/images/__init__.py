"""Files to page images, page images to normalised lines and characters."""

from text_recognizer.images.character import CHARACTER_SIZE, CHARACTER_VERSION, fit_character, normalize_character
from text_recognizer.images.crop import CUT_VERSION, LineStrip, cut_line
from text_recognizer.images.document import Document, open_document
from text_recognizer.images.normalize import (
    LINE_HEIGHT,
    NORMALIZATION_VERSION,
    NormalizedLine,
    normalize_line,
    normalize_line_with_box,
    to_gray,
)
from text_recognizer.images.open import MAX_PIXELS, ImageError, ImageSource, open_image

__all__ = [
    "CHARACTER_SIZE",
    "CHARACTER_VERSION",
    "CUT_VERSION",
    "LINE_HEIGHT",
    "MAX_PIXELS",
    "NORMALIZATION_VERSION",
    "Document",
    "ImageError",
    "ImageSource",
    "LineStrip",
    "NormalizedLine",
    "cut_line",
    "fit_character",
    "normalize_character",
    "normalize_line",
    "normalize_line_with_box",
    "open_document",
    "open_image",
    "to_gray",
]
