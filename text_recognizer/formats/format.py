"""What a format is: a page written as a whole file, files of one page joined, and a file read back if it can be."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from text_recognizer.page import Page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


#: The group of entry points with which other packages name modules that register formats.
ENTRY_POINTS = "text_recognizer.formats"

_log = logging.getLogger(__name__)


class FormatError(ValueError):
    """A file that is not of the format, or a format from which no page can be read; says so in one sentence."""


@dataclass(frozen=True)
class Picture:
    """The picture that a page was read from.

    encoded: the bytes of a JPEG file of it, where there is one, upright once turned as its EXIF orientation says; None
    otherwise. pixels: gives (H, W) gray or (H, W, 3) RGB uint8, upright; called only where the pixels are needed. dpi:
    pixels an inch, where that is known.
    """

    encoded: bytes | None
    pixels: Callable[[], NDArray[np.uint8]]
    dpi: float | None = None


class Format(ABC):
    """A kind of file that holds a page.

    name: as on the command line and in the API. suffix: of its files, with the dot. media_type: for HTTP. several:
    whether one file can hold several pages. needs_image: whether `write` needs the picture of the page.
    """

    name: str
    suffix: str
    media_type: str
    several: bool = False
    needs_image: bool = False

    @abstractmethod
    def write(self, page: Page, picture: Picture | None = None) -> bytes:
        """A whole file that holds one page. picture: must be given where `needs_image` (else ValueError)."""

    def join(self, parts: Iterable[Path], target: BinaryIO) -> None:
        """Write files of one page each, made by `write`, in their order, as one file into `target`.

        One part is in memory at a time, and `parts` may be made while they are taken. Raises ValueError where not
        `several`.
        """
        raise ValueError(f"a file of the format {self.name} holds one page")

    def read(self, data: bytes, size: tuple[int, int] | None = None) -> Page:
        """The page that a file holds.

        size: width and height of its image in pixels, where they are known: coordinates are scaled to them, as is
        needed where a file counts in other units, or the image was reduced since. Raises FormatError.
        """
        raise FormatError(f"pages are not read back from {self.name}: write json, alto or page where that is wanted")


_Format = TypeVar("_Format", bound=type[Format])


class Formats(dict[str, Format]):
    """Formats by name. To ask for one that is not there imports what other packages offer, so that a start without them
    does not search for them."""

    def __init__(self) -> None:
        super().__init__()
        self._searched = False

    def register(self, kind: _Format) -> _Format:
        """Class decorator: makes a format known by its name. Raises ValueError where the name is taken."""
        if self.get(kind.name) is not None:
            raise ValueError(f"two formats are registered as {kind.name!r}")
        self[kind.name] = kind()
        return kind

    def import_others(self) -> None:
        """Import the formats of other packages; one that cannot be imported is warned of."""
        if self._searched:
            return
        self._searched = True
        from importlib.metadata import entry_points  # here, for it takes long to import and most never ask

        for entry in entry_points(group=ENTRY_POINTS):
            try:
                entry.load()
            except Exception as error:  # whatever another package does wrong, the other formats are there
                _log.warning("the formats of %s cannot be loaded: %r", entry.value, error)

    def __missing__(self, name: str) -> Format:
        self.import_others()
        if (found := self.get(name)) is None:
            raise KeyError(name)
        return found
