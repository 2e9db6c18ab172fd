"""Where the lines of a labelling queue come from and where what is said of them goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from text_recognizer.page import Page
from text_recognizer.service.labeling.folder import QueueLine
from text_recognizer.service.labeling.labels import Label


class QueueSource(Protocol):
    """Pages with lines that people are to look at. `folder.LabelingFolder` is one: see there for each method.

    Another may hold pages that were read long ago, such as readings that were kept for feedback; its `reading` gives
    what is kept, and nothing is left for the model to read.
    """

    @property
    def title(self) -> str:
        """What people call it."""
        ...

    @property
    def identity(self) -> str:
        """A name that no other source has."""
        ...

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

    def lines(self, page: str) -> list[QueueLine]:
        """The lines of the page in reading order, as they stand now."""
        ...

    def labels(self, page: str | None = None) -> list[Label]:
        """All that was said, or all of one page, in order of time."""
        ...

    def add(self, labels: Iterable[Label]) -> None:
        """Keep what was said; it is safe when this returns. Raises UnknownPage, OSError."""
        ...
