"""What a fine-tuning learns from and is measured on: one's own lines, and some of what the recogniser knows already."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from text_recognizer.alphabet import CHARACTERS, Alphabet
from text_recognizer.learning.datasets.line_images import holds_line_images, splits_of_images
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.page_folders import splits_of
from text_recognizer.learning.datasets.registry import find
from text_recognizer.learning.datasets.sources import LineSource, line_dataset, lines_within, open_lines
from text_recognizer.lines_tsv import TABLE, read_table
from text_recognizer.recognition.bundle import Bundle

#: With fewer lines of one's own, train and val together, nothing is learned.
FEWEST_LINES = 10

_HELD_OUT = 0.2  # of the lines of train, where a folder has no val; of many lines less
_HELD_OUT_LINES = 100
_KEPT_LINES = 120  # of each val set of the old data
_MADE = ("synthetic", "synthetic-open")
_MADE_LINES = 1500  # drawn with fonts where no real line that the recogniser knows is installed
_RARE = 5  # a new character that occurs in fewer lines is hardly learned


@dataclass(frozen=True)
class OwnLines:
    """Sources of one's own lines. train_lines, val_lines: how many there are. characters: those beside the usual ones,
    which will be in the alphabet. notes: what somebody who looks at the result should know."""

    train: list[LineSource]
    val: list[LineSource]
    train_lines: int
    val_lines: int
    characters: str
    notes: list[str]


def own_lines(folders: Sequence[str | Path], alphabet: Alphabet) -> OwnLines:
    """The lines of folders with a `lines.tsv`, or of pages with PAGE or ALTO files.

    Where a folder has no lines of split val, a fifth of its train lines (of more than 500: a hundred lines) is set
    apart for val. Lines of split test are left alone. Raises FileNotFoundError for a folder that is not there or lacks
    files, and ValueError where it has no train lines, something in it is broken, or there are too few lines.
    """
    if not folders:
        raise ValueError("fine-tuning needs lines of one's own: --data FOLDER")
    train, val, notes = [], [], []
    for folder in folders:
        learned, measured = _sources(Path(folder).expanduser().resolve())
        train.append(learned)
        val.append(measured)
        if measured.held:
            notes.append(f"{folder} has no lines of split val: some of its train lines were set apart to measure with")
    labels = [label.text for source in train for label in open_lines(source).labels]
    characters = _further_characters(labels, alphabet, notes)
    wider = alphabet.extended(CHARACTERS + characters)
    train_lines, val_lines = (
        sum(len(lines_within(source, wider, True)) for source in sources) for sources in (train, val)
    )
    if train_lines + val_lines < FEWEST_LINES or not train_lines or not val_lines:
        raise ValueError(
            f"{train_lines} lines to learn from and {val_lines} to measure with are too few: label {FEWEST_LINES} at "
            "least, better 50 (docs/fine-tuning.md)"
        )
    return OwnLines(train, val, train_lines, val_lines, characters, notes)


def _sources(folder: Path) -> tuple[LineSource, LineSource]:
    """What of a folder is learned from, and what is measured on."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no folder {folder}: --data names a folder of lines, or of PAGE or ALTO files"
        )
    table = folder / TABLE
    if table.is_file():
        kind, splits = "folder", _splits_of_table(table)
    elif holds_line_images(folder):
        kind, splits = "line-images", set(splits_of_images(folder))
    else:
        kind, splits = "pages", _splits_of_pages(folder)
    source = LineSource(kind, path=str(folder))
    if "train" not in splits:
        there = ", ".join(sorted(splits)) or "none"
        raise ValueError(f"{folder} has no lines of split train to learn from; splits in it: {there}")
    if "val" in splits:
        return source, replace(source, split="val")
    count = len(open_lines(source))
    source = replace(source, hold=min(_HELD_OUT, _HELD_OUT_LINES / max(1, count)))
    return source, replace(source, held=True)


def _splits_of_table(table: Path) -> set[str]:
    read = read_table(table)
    read.require(("split",))
    return {row["split"] for _, row in read.records()}


def _splits_of_pages(folder: Path) -> set[str]:
    try:
        return set(splits_of(str(folder)))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{folder} has no lines.tsv, and no pages: {error}") from error


def _further_characters(labels: Iterable[str], alphabet: Alphabet, notes: list[str]) -> str:
    """The characters of labels beside the usual ones, in the order of their code points; those that the alphabet lacks,
    usual or not, are noted. Control and private ones are no text, so that their lines are left out."""
    counts = Counter(character for text in labels for character in set(text))
    found = sorted(character for character in counts if not unicodedata.category(character).startswith("C"))
    new = [character for character in found if character not in alphabet]
    if new:
        notes.append("the alphabet grows by " + ", ".join(f"{sign!r} ({counts[sign]} lines)" for sign in new))
    if rare := [character for character in new if counts[character] < _RARE]:
        notes.append(f"{' '.join(rare)}: in fewer than {_RARE} lines, which is hardly enough to learn a new character")
    return Alphabet().missing("".join(found))


def learned_rows(start: Bundle) -> list[dict[str, Any]]:
    """The sources that a bundle learned from, as experiments write them, each once; of one that was fine-tuned also
    those that it began with, in the place of what was drawn of them since."""
    rows = start.provenance["experiment"].get("data", {}).get("train", [])
    if "learned_before" in start.provenance:
        rows = [*start.provenance["learned_before"], *(row for row in rows if row.get("path"))]
    return [row for number, row in enumerate(rows) if row not in rows[:number]]


def rehearsal(start: Bundle, lines: int, own: Sequence[LineSource] = ()) -> list[LineSource]:
    """About `lines` lines an epoch of what a bundle learned from, of real sources that are installed in proportion to
    their sizes; where there are none, lines set in fonts; empty where there are no fonts and texts either.

    own: what is learned in any case.
    """
    paths = {source.path for source in own}
    learned = [_known_source(row) for row in learned_rows(start) if not row.get("path") or row["path"] not in paths]
    there = [source for source in learned if source and _installed(source)]
    real = [source for source in there if not find(source.name)[0].name.startswith(("synthetic", "emnist"))]
    if not real and not find(_MADE[0])[0].missing():
        name = next((source.name for source in there if source.name in _MADE), _MADE[0])
        real = [LineSource(name, count=_MADE_LINES)]
    sizes = [source.lines or len(line_dataset(source)) for source in real]
    return [
        replace(source, lines=max(1, round(lines * size / sum(sizes))))
        for source, size in zip(real, sizes, strict=True)
    ]


def _known_source(row: dict[str, Any]) -> LineSource | None:
    """A source as a bundle's provenance names it; None for one that this program does not know."""
    try:
        source = LineSource(**row)
        find(source.name)
    except (TypeError, ValueError):
        return None
    return source


def _installed(source: LineSource) -> bool:
    description, _ = find(source.name)
    return Path(source.path).is_dir() if description.by_path else not description.missing()


def kept_sources(start: Bundle) -> list[LineSource]:
    """A part of the val sets of what a bundle learned from: its old test, where those data are installed."""
    names = []
    for row in learned_rows(start):
        source = _known_source(row)
        if source is None or not source.name.endswith("-train"):
            continue
        name = source.name.removesuffix("train") + "val"
        if "val" in find(source.name)[0].splits and _installed(LineSource(name)):
            names.append(name.removeprefix("recombined-"))
    sources = [LineSource(name) for name in dict.fromkeys(names)]
    return [_part(source) for source in sources]


def _part(source: LineSource) -> LineSource:
    count = len(line_dataset(source))
    return source if count <= _KEPT_LINES else replace(source, hold=_KEPT_LINES / count, held=True)


def measured_sets(own: OwnLines, kept: Sequence[LineSource], alphabet: Alphabet) -> dict[str, LineDataset]:
    """What is read before and after: one's own val lines ("own"), and each old val set by its name."""
    sets = [lines_within(source, alphabet, True) for source in own.val]
    joined = sets[0] if len(sets) == 1 else JoinedLines(sets)
    return {"own": joined} | {source.name: line_dataset(source) for source in kept}


class JoinedLines(LineDataset):
    """Several line datasets as one."""

    def __init__(self, parts: Sequence[LineDataset]) -> None:
        self.labels = [label for part in parts for label in part.labels]
        self.widths = np.concatenate([part.widths for part in parts])
        self._items = [(part, index) for part in parts for index in range(len(part))]

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        part, inside = self._items[index]
        return part[inside]
