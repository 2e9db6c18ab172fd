"""Whether the splits are apart from each other, and large enough."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from text_recognizer.learning.datasets.exclusions import FEW_LINES
from text_recognizer.learning.quality.findings import Concern, Finding, count, error, note, warning
from text_recognizer.learning.quality.images import Duplicates, Pair
from text_recognizer.learning.quality.lines import InspectedLine


@dataclass(frozen=True)
class SplitSize:
    """What a split holds. writers: 0 where none is known."""

    split: str
    lines: int
    writers: int
    characters: int


def split_sizes(lines: Sequence[InspectedLine]) -> list[SplitSize]:
    """The sizes of all splits, in the order in which they come."""
    groups: dict[str, list[InspectedLine]] = defaultdict(list)
    for line in lines:
        groups[line.split].append(line)
    return [
        SplitSize(split, len(group), len({line.writer for line in group} - {""}), sum(len(line.text) for line in group))
        for split, group in groups.items()
    ]


def split_findings(lines: Sequence[InspectedLine], duplicates: Duplicates) -> list[Finding]:
    """Leaks between splits, unknown writers, and too few lines."""
    return [
        *_images(duplicates.same, "image-in-two-splits", "the same image"),
        *_images(duplicates.near, "near-image-in-two-splits", "nearly the same image"),
        *_shared_pages(lines),
        *_shared_writers(lines),
        *_unknown(lines),
        *_few(lines),
    ]


def _images(pairs: Sequence[Pair], code: str, how: str) -> list[Finding]:
    apart = [(a, b) for a, b in pairs if a.split != b.split]
    if not apart:
        return []
    concerns = [Concern(b.identifier, f"{b.split}; as {a.identifier} of {a.split}", (a.identifier,)) for a, b in apart]
    found = f"{count(len(apart), 'pair')} of lines with {how} in two splits."
    return [error(code, found, "Scores will flatter: keep the line in one split only.", concerns)]


def _shared(lines: Sequence[InspectedLine], key: Callable[[InspectedLine], str]) -> dict[str, dict[str, int]]:
    """Values that lines of more than one split share: how many lines of each split."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in lines:
        if key(line):
            found[key(line)][line.split] += 1
    return {value: dict(splits) for value, splits in found.items() if len(splits) > 1}


def _shared_pages(lines: Sequence[InspectedLine]) -> list[Finding]:
    shared = _shared(lines, lambda line: line.page)
    writers = {line.writer for line in lines}
    # A dataset of one hand is split as its owner likes, see `_shared_writers`.
    if not shared or len(writers) == 1:
        return []
    return [
        warning(
            "page-in-two-splits",
            f"{count(len(shared), 'page')} with lines in two splits.",
            "Scores will flatter: keep the lines of a page together.",
            (Concern(page, _numbers(splits)) for page, splits in shared.items()),
        )
    ]


def _shared_writers(lines: Sequence[InspectedLine]) -> list[Finding]:
    shared = _shared(lines, lambda line: line.writer)
    if not shared:
        return []
    concerns = [Concern(f"writer {writer}", _numbers(splits)) for writer, splits in shared.items()]
    if len({line.writer for line in lines}) == 1:
        found = "The splits have the same writer, the only one."
        return [note("one-writer", found, "That is right where this one hand is to be read.", concerns)]
    return [
        warning(
            "writer-in-two-splits",
            f"{count(len(shared), 'writer')} with lines in two splits.",
            "Scores will be those of known hands: move all lines of a writer into one split, unless these very hands "
            "are to be read.",
            concerns,
        )
    ]


def _numbers(splits: dict[str, int]) -> str:
    return ", ".join(f"{number} in {split or 'no split'}" for split, number in splits.items())


def _unknown(lines: Sequence[InspectedLine]) -> list[Finding]:
    unknown = [line for line in lines if not line.writer]
    if not unknown:
        return []
    return [
        note(
            "unknown-writers",
            f"The writers of {count(len(unknown), 'line')} are not known.",
            "Whether val has hands of its own cannot be checked; fill in the column, or split by hand.",
        )
    ]


def _few(lines: Sequence[InspectedLine]) -> list[Finding]:
    sizes = {size.split: size for size in split_sizes(lines)}
    learned = sizes.get("train") or (SplitSize("", len(lines), 0, 0) if len(sizes) == 1 else None)
    if learned is None:
        return [note("no-train", "There is no split train.", "Nothing can be learned from these lines alone.")]
    if learned.lines >= FEW_LINES:
        return []
    return [
        warning(
            "few-lines",
            f"{count(learned.lines, 'line')} to learn from are few (fewer than {FEW_LINES}).",
            "Fine-tune a model that can read (--start_from=lines) and mix in other lines; from random weights nothing "
            "is learned.",
        )
    ]
