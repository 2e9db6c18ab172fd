"""What is known of a dataset before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from text_recognizer.learning.data.locations import data_dir

Kind = Literal["lines", "paragraphs", "pages", "characters"]


@dataclass(frozen=True)
class Description:
    """A dataset.

    about, licence, source: for people; source: who gives it out. splits: in order, none for one that is made
    here. load: called with the split ("" without splits) and the `options` by name. options: those of path,
    seed, count and printed_share that it takes. files: what must lie in the data folder: of every group one.
    fetched: its files are downloaded when it is loaded, where they are missing.
    """

    name: str
    kind: Kind
    about: str
    licence: str
    source: str
    splits: tuple[str, ...]
    load: Callable[..., Any]
    options: tuple[str, ...] = ()
    files: tuple[tuple[str, ...], ...] = ()
    fetched: bool = False

    @property
    def by_path(self) -> bool:
        """Whether a path names it, and not the data folder."""
        return "path" in self.options

    def missing(self) -> list[Path]:
        """Where its files were looked for and are not; empty where everything is there."""
        return [
            data_dir() / group[0] for group in self.files if not any((data_dir() / name).exists() for name in group)
        ]

    def absence(self, name: str) -> str:
        """What to tell somebody who asked for `name`: which files are missing, and who gives them out; "" where all are
        there."""
        if not (missing := self.missing()):
            return ""
        return (
            f"{name} is not there: {' and '.join(map(str, missing))} is missing. Get it from {self.source}; "
            "TEXT_RECOGNIZER_DATA names the folder of all datasets (docs/data.md)"
        )

    def names(self) -> list[str]:
        """What experiments call it: the name and each split, or the name alone."""
        return [f"{self.name}-{split}" for split in self.splits] if self.splits and not self.by_path else [self.name]
