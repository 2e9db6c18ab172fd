"""Every dataset by name: what it is, whose it is, where it lies, and the function that loads it.

A dataset registers itself beside its loader, and belongs to the modules that `learning/datasets/__init__.py` lists:

    @register(Description("letters", "lines", "letters of my aunt", "CC0", "me, into letters/", ("train", "val")))
    def letters(split: str) -> LineDataset: ...

`text-recognizer data` and the sources of experiments find it, and the tests of datasets hold it to the promises of its
kind:

    lines        a `LineDataset`: (image uint8 (64, W), ink 255; LineLabel)
    paragraphs   a `ParagraphDataset`: (image uint8 (H, W), ink 255; ParagraphLabel)
    pages        an iterator of `TracedPage`: image gray uint8 (H, W), ink dark, outlines and baselines of lines
    characters   a `CharacterDataset`: (image uint8 (28, 28), ink 255; index of its class)

Other packages add datasets with an entry point (docs/how-to/add-a-dataset.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from text_recognizer.learning.datasets import ENTRY_POINTS, MODULES
from text_recognizer.paths import data_dir

Kind = Literal["lines", "paragraphs", "pages", "characters"]
_Loader = TypeVar("_Loader", bound=Callable[..., Any])

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Description:
    """What is known of a dataset before it is loaded.

    about, licence, source: for people; source: who gives it out. splits: in order, none for one that is made
    here. options: those of path, seed, count, printed_share and renderings that its loader takes. files: what must lie
    in the data folder: of every group one. fetched: its files are downloaded when it is loaded, where they are missing.
    """

    name: str
    kind: Kind
    about: str
    licence: str
    source: str
    splits: tuple[str, ...] = ()
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


_REGISTRY: dict[str, tuple[Description, Callable[..., Any]]] = {}


def register(description: Description) -> Callable[[_Loader], _Loader]:
    """Decorator: makes a dataset known by the name in its description, loaded by the function.

    The function is called with keywords: `split`, where the dataset has splits, and those of its `options` that were
    given. Raises ValueError for a name or a kind that cannot be.
    """
    if description.kind not in get_args(Kind):
        raise ValueError(f"{description.name} is of kind {description.kind!r}; there are: {', '.join(get_args(Kind))}")

    def decorate(load: _Loader) -> _Loader:
        if description.name in _REGISTRY:
            raise ValueError(f"two datasets are registered as {description.name!r}")
        _REGISTRY[description.name] = description, load
        return load

    return decorate


def descriptions() -> dict[str, Description]:
    """Every dataset by name: kind after kind, those of one kind in the order of `MODULES`, other packages' last."""
    _import_all()
    places = {module: place for place, module in enumerate(MODULES)}
    kinds = get_args(Kind)

    def place(known: tuple[Description, Callable[..., Any]]) -> tuple[int, int]:
        description, load = known
        return kinds.index(description.kind), places.get(load.__module__, len(places))

    return {description.name: description for description, _ in sorted(_REGISTRY.values(), key=place)}


def names() -> list[str]:
    """What experiments call the datasets, in order: each name with each split."""
    return [name for description in descriptions().values() for name in description.names()]


def find(name: str) -> tuple[Description, str]:
    """The dataset that "copiste-val", "synthetic" or "folder" names, and the split in the name ("" for none).

    Raises ValueError that lists what there is.
    """
    _import_all()
    if name in _REGISTRY:
        return _REGISTRY[name][0], ""
    base, _, split = name.rpartition("-")
    if base in _REGISTRY and split in _REGISTRY[base][0].splits:
        return _REGISTRY[base][0], split
    raise ValueError(f"unknown dataset {name!r}; there are: {', '.join(names())}")


def load(name: str, kind: Kind, split: str = "", **options: Any) -> Any:
    """The dataset of a name, of the kind that is wanted; split: where the name has none, for a dataset by path.

    options: may hold more than the dataset takes. Raises ValueError for an unknown name, another kind or a
    missing split, and FileNotFoundError where files are missing, with who gives them out and where they belong.
    """
    description, named = find(name)
    if description.kind != kind:
        raise ValueError(f"{name} holds {description.kind}, here {kind} are wanted")
    if description.splits and not named and not description.by_path:
        raise ValueError(f"{name} has splits, name one of them: {', '.join(description.names())}")
    if not description.fetched and (absence := description.absence(name)):
        raise FileNotFoundError(absence)
    chosen = {option: options[option] for option in description.options if option in options}
    if description.splits:
        chosen["split"] = named or split
    return _REGISTRY[description.name][1](**chosen)


@cache
def _import_all() -> None:
    """Import every module that registers datasets: ours, then those that other packages name as entry points."""
    for module in MODULES:
        import_module(module)
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
        except Exception as error:  # whatever another package does wrong, the other datasets are there
            _log.warning("the datasets of %s cannot be loaded: %r", entry.value, error)
