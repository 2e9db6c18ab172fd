"""How pages are read: everything that travels to the processes that read, and decides what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.document import PDF_DPI
from text_recognizer.images.open import MAX_PIXELS
from text_recognizer.images.preparation import prepare_steps
from text_recognizer.page import Line, Page

if TYPE_CHECKING:
    from text_recognizer import TextRecognizer

UNITS = ("page", "paragraph", "line", "character")


@dataclass(frozen=True)
class Recipe:
    """How to read: see `TextRecognizer` for the models and looks.

    unit: what an image holds, one of `UNITS`. model: of lines, characters or paragraphs; None for the usual one.
    prepare: what is done to the picture of a page before: none, auto, or steps with commas between them. dpi: at which
    pages of PDF files are rendered. threads: of the networks, by default one a core. Raises ValueError for an unknown
    step.
    """

    unit: str = "page"
    model: str | None = None
    detector: str = "auto"
    language: str = "auto"
    looks: int = 1
    prepare: str = "auto"
    dpi: int = PDF_DPI
    threads: int | None = None
    max_pixels: int = MAX_PIXELS

    def settings(self) -> dict[str, Any]:
        """What decides, beside the models, what is read; a page read with others is read again."""
        return {"unit": self.unit, "looks": self.looks, "prepare": ",".join(self.steps), "dpi": self.dpi}

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the preparation of pages."""
        if self.unit != "page":
            return ()
        return prepare_steps(self.prepare if self.prepare in ("none", "auto") else self.prepare.split(","))

    def __post_init__(self) -> None:
        _ = self.steps


class Reader:
    """A recogniser made by a recipe, its models loaded. Raises ValueError where one cannot be used."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.recognizer = _recognizer(recipe)
        self.models: Mapping[str, str] = _models(self.recognizer, recipe)

    def read(self, pixels: NDArray[np.uint8], source: str) -> Page:
        """The page that an image (H, W) or (H, W, 3) uint8 holds. source: for `Page.source`."""
        unit = self.recipe.unit
        if unit == "page":
            return replace(self.recognizer.read(pixels, prepare=self.recipe.steps), source=source)
        if unit == "paragraph":
            return replace(self.recognizer.read_paragraph(pixels), source=source)
        read = self.recognizer.read_characters if unit == "character" else self.recognizer.read_lines
        line: Line = read([pixels])[0]
        return Page((line,) if line.text else (), pixels.shape[1], pixels.shape[0], source, self.models)


def _recognizer(recipe: Recipe) -> TextRecognizer:
    from text_recognizer import TextRecognizer

    common: dict[str, Any] = {"threads": recipe.threads, "max_pixels": recipe.max_pixels, "detector": recipe.detector}
    if recipe.unit == "character":
        return TextRecognizer(characters=recipe.model or "characters", **common)
    if recipe.unit == "paragraph":
        return TextRecognizer(paragraphs=recipe.model or "paragraphs", **common)
    return TextRecognizer(lines=recipe.model or "lines", language=recipe.language, looks=recipe.looks, **common)


def _models(recognizer: TextRecognizer, recipe: Recipe) -> dict[str, str]:
    """The identities of what reads; asking loads it, so that what is wrong is said before anything is read."""
    if recipe.unit == "character":
        return {"characters": recognizer.character_reader.bundle.identity}
    if recipe.unit == "paragraph":
        paragraphs = recognizer.paragraph_reader.bundle.identity
        return {"detector": recognizer.detector.bundle.identity, "paragraphs": paragraphs}
    if recipe.unit == "line":
        return recognizer.line_models()
    return {"detector": recognizer.detector.bundle.identity} | recognizer.line_models()
