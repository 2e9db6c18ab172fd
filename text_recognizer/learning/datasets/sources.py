"""Line and paragraph datasets by name, as experiments call them; the names are those of `registry.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.datasets.exclusions import Exclusions, any_alphabet
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.paragraphs import MixedParagraphs, ParagraphDataset
from text_recognizer.learning.datasets.registry import load


@dataclass
class LineSource:
    """name: "iam-train", "copiste-val", "synthetic", "folder", "pages", ... lines: drawn per epoch, 0 for as many as
    there are. balance: 0 draws all lines equally often, 1 all writers (`line_batches.writer_shares`). count, seed,
    printed_share: of a synthetic source. renderings: how often each line of pen strokes ("iam-ondb-train") is drawn, by
    `seed`; 0: anew each time. path, split: of a folder of exported lines ("folder") or of images with PAGE
    XML or ALTO files ("pages"). hold: the share of its lines that is set apart, drawn by their identifiers, always the
    same ones. held: take these, not the others."""

    name: str
    lines: int = 0
    balance: float = 0.0
    count: int = 12000
    seed: int = 1
    printed_share: float = 0.25
    renderings: int = 1
    path: str = ""
    split: str = "train"
    hold: float = 0.0
    held: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise ValueError(
                f"balance of {self.name} is 0 (all lines equally often) to 1 (all writers), not {self.balance}"
            )

    @property
    def title(self) -> str:
        """What scores call it: its name, or of a folder that and the split."""
        return f"{Path(self.path).name}-{'held-out' if self.held else self.split}" if self.path else self.name


@dataclass
class ParagraphSource:
    """name: "iam-paragraphs-train", "stacked-iam-train", "pages-paragraphs", ... paragraphs: drawn of it, 0 for
    all. count, seed: of a stacked source. path, split: of a folder of images with PAGE XML or ALTO files
    ("pages-paragraphs")."""

    name: str
    paragraphs: int = 0
    count: int = 1000
    seed: int = 1
    path: str = ""
    split: str = "train"


def line_dataset(source: LineSource) -> LineDataset:
    """The dataset a source names. Raises ValueError for an unknown name and FileNotFoundError for missing data."""
    dataset: LineDataset = load(kind="lines", **asdict(source))
    return _part(dataset, source.hold, source.held) if source.hold else dataset


def _part(lines: LineDataset, hold: float, held: bool) -> LineDataset:
    """The lines that are set apart, or the others: at least one of each, where there are two."""
    marks = [hashlib.sha256(label.identifier.encode()).hexdigest() for label in lines.labels]
    order = sorted(range(len(lines)), key=lambda number: (marks[number], number))
    count = min(len(order) - 1, max(1, round(hold * len(order))))
    return lines.only(sorted(order[:count] if held else order[count:]))


def open_lines(source: LineSource) -> LineDataset:
    """The lines of a source with whatever characters."""
    with any_alphabet():
        return line_dataset(source)


def lines_within(source: LineSource, alphabet: Alphabet, extend: bool | None = None) -> LineDataset:
    """The lines of a source that an alphabet can spell; the others are named.

    extend: whether to look beyond the usual alphabet, by default where the given one has other characters. A bundle's
    may also lack some of the usual ones.
    """
    usual = Alphabet()
    if extend is None:
        extend = any(character not in usual for character in alphabet.characters)
    lines = open_lines(source) if extend else line_dataset(source)
    exclusions = Exclusions(source.name)
    known = [
        n for n, label in enumerate(lines.labels) if not exclusions.unknown(label.text, alphabet, label.identifier)
    ]
    exclusions.say()
    return lines if len(known) == len(lines) else lines.only(known)


def paragraph_dataset(source: ParagraphSource) -> ParagraphDataset:
    """The dataset a source names; errors as of `line_dataset`."""
    dataset: ParagraphDataset = load(kind="paragraphs", **asdict(source))
    return dataset


def mixed_paragraphs(sources: Sequence[ParagraphSource], seed: int = 0) -> MixedParagraphs:
    """Real and synthetic paragraphs together, of each source as many as it says."""
    parts = [paragraph_dataset(source) for source in sources]
    return MixedParagraphs(parts, [source.paragraphs for source in sources], seed)
