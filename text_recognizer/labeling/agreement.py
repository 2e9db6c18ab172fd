"""Agreement between annotators: which text a line has in the end, and the edit distance between two texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from text_recognizer.labeling.labels import Label


def opinions(history: Sequence[Label]) -> list[Label]:
    """What counts of all that was said about one line, given in order of time.

    The latest label of each annotator, but for those who passed the line on. An adjudication puts aside all that was
    said before it.
    """
    decided = max((n for n, label in enumerate(history) if label.origin == "adjudication"), default=0)
    latest = {label.annotator: label for label in history[decided:]}
    return sorted(
        (label for label in latest.values() if label.status != "skipped"),
        key=lambda label: next(n for n, other in enumerate(history) if other is label),
    )


def same(one: Label, other: Label) -> bool:
    """Whether two labels say the same: of a text each character counts, of what has none the status."""
    return one.status == other.status and (one.status != "labeled" or one.text == other.text)


def final(history: Sequence[Label]) -> Label | None:
    """The latest of the opinions on a line where all say the same; None where they do not, or where there are none."""
    found = opinions(history)
    return found[-1] if found and all(same(label, found[-1]) for label in found) else None


@dataclass(frozen=True)
class Agreed:
    """What came out of labelling. labels: of each line that has one text in the end, in reading order.
    disputed: of each line about which annotators differ, what they say."""

    labels: tuple[Label, ...]
    disputed: tuple[tuple[Label, ...], ...]


@dataclass
class Pair:
    """How far two annotators agree on the lines that both have labelled.

    lines: to which both gave a text. exact: of those, with the same text. edits: between the texts. characters: half of
    those of both. verdicts: lines of which one gave a text and the other said that there is none to give, or that
    there is no line.
    """

    first: str
    second: str
    lines: int = 0
    exact: int = 0
    edits: int = 0
    characters: float = 0.0
    verdicts: int = 0

    @property
    def cer(self) -> float:
        """Edits a character, from 0; neither text is taken for the truth."""
        return self.edits / self.characters if self.characters else 0.0

    @property
    def exact_share(self) -> float:
        """The share of lines with the same text; 1 where there are none."""
        return self.exact / self.lines if self.lines else 1.0

    def count(self, one: Label, other: Label) -> None:
        """Take a line into account."""
        if one.status == other.status == "labeled":
            self.lines += 1
            self.exact += one.text == other.text
            self.edits += edits(one.text, other.text)
            self.characters += (len(one.text) + len(other.text)) / 2
        elif one.status != other.status:
            self.verdicts += 1


@dataclass
class Agreement:
    """The pairs of annotators who share lines, and what is said of lines that are disputed still."""

    pairs: list[Pair] = field(default_factory=list)
    disputed: list[tuple[Label, ...]] = field(default_factory=list)


def agreement(histories: Iterable[Sequence[Label]]) -> Agreement:
    """How far annotators agree. histories: of each line all labels, in order of time.

    Compared is what each of two said before an adjudication, the last of it: what was given in sight of the other's
    text would agree too well. Lines that one of the two passed on do not count.
    """
    pairs: dict[tuple[str, str], Pair] = {}
    disputed = []
    for history in histories:
        own = {label.annotator: label for label in history if label.origin != "adjudication"}
        said = {who: label for who, label in own.items() if label.status != "skipped"}
        for first, second in combinations(sorted(said), 2):
            pairs.setdefault((first, second), Pair(first, second)).count(said[first], said[second])
        if opinions(history) and final(history) is None:
            disputed.append(tuple(opinions(history)))
    return Agreement([pairs[key] for key in sorted(pairs)], disputed)


def edits(one: str, other: str) -> int:
    """Characters to insert, delete or replace, at the least, to turn one text into the other."""
    row = np.arange(len(one) + 1)
    steps = np.arange(len(one) + 1)
    letters = np.array(list(one))
    for number, character in enumerate(other, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (letters != character))
        # Insertions go along the row: the least of what stands to the left, each step one more.
        row = np.minimum.accumulate(np.r_[number, best] - steps) + steps
    return int(row[-1])
