"""Corrected lines as an improvement sees them: where they are kept is not its concern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol


class CorrectedLine(Protocol):
    """A line of a reading with consent that somebody corrected.

    identifier: of the line, `READING-PAGE-LINE`. writer: whoever the handwriting may be of. page: counted from 0.
    corrected: when it was, last. untaught: why it teaches nothing, "" where it does.
    """

    @property
    def identifier(self) -> str:
        """Of the line."""

    @property
    def reading(self) -> str:
        """The reading that it is of."""

    @property
    def page(self) -> int:
        """The page that it is of."""

    @property
    def writer(self) -> str:
        """Whoever the handwriting may be of."""

    @property
    def corrected(self) -> datetime:
        """When it was corrected."""

    @property
    def untaught(self) -> str:
        """Why it teaches nothing."""


class Corrections(Protocol):
    """The corrections that may be learned from at this moment."""

    def lines(self) -> Sequence[CorrectedLine]:
        """All of them, the oldest reading first."""

    def export(self, folder: Path, sides: Mapping[str, str]) -> Mapping[str, int]:
        """Write the lines that have a side, "train" or "val", as a dataset (`learning/data/manifest.py`); why lines
        were left out -> how many. Raises ValueError where none is left."""
