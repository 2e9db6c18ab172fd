"""Where the lines of a labelling queue come from and where what is said of them goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from text_recognizer.labeling.folder import QueueLine
from text_recognizer.labeling.labels import Label
from text_recognizer.page import Page, Polygon


class QueueSource(Protocol):
    """Lines that people are to look at, as the queue's API shows them. Two are there: `folder.LabelingFolder`, a folder
    of pages, and `review.source.ReviewSource`, readings that a server kept. See there for each method."""

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    @property
    def identity(self) -> str:
        """A name that no other source has."""
        ...

    def name(self, page: str) -> str:
        """What people call a page. Raises UnknownPage."""
        ...

    def size(self, page: str) -> tuple[int, int]:
        """Height and width of a page in pixels. Raises ImageError, UnknownPage."""
        ...

    def lines(self, page: str) -> list[QueueLine]:
        """The lines of the page in reading order, as they stand now. Raises UnknownPage."""
        ...

    def add(self, labels: Iterable[Label]) -> None:
        """Keep what was said; it is safe when this returns. Raises UnknownPage, OSError, ValueError."""
        ...


class PageSource(QueueSource, Protocol):
    """A source all of whose pages are at hand, and which the model may have to read yet."""

    def pages(self) -> list[str]:
        """The names of all pages in order."""
        ...

    def pixels(self, page: str) -> NDArray[np.uint8]:
        """The page, (H, W) or (H, W, 3) RGB. Raises ImageError, or UnknownPage."""
        ...

    def reading(self, page: str) -> Page | None:
        """What the model read in the page; None where it is to be read yet."""
        ...

    def store_reading(self, page: str, reading: Page) -> None:
        """Keep what the model read."""
        ...

    def labels(self, page: str | None = None) -> list[Label]:
        """All that was said, or all of one page, in order of time."""
        ...


class Pictures(Protocol):
    """Pages and lines as image files for a browser. May be called from several threads."""

    def page(self, page: str) -> bytes:
        """A page, as JPEG or what else browsers show. Raises ImageError, UnknownPage."""
        ...

    def line(self, page: str, polygon: Polygon, baseline: Polygon) -> bytes:
        """What an outline encloses, straightened, as PNG. Raises ImageError, UnknownPage, ValueError."""
        ...
