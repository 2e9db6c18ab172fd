"""What is wrong with data, in plain words, once a dataset: what is left out and why, and what is too little."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from text_recognizer.alphabet import CHARACTERS, Alphabet
from text_recognizer.learning.datasets.cache_keys import fingerprint

#: With fewer lines than these a network that starts from random weights learns nothing.
FEW_LINES = 50

_NAMED = 3  # so many of the lines left out for one reason are named
_OUTSIDE = (
    "characters outside the alphabet (correct the labels, or train with --extend-alphabet: a line recogniser then "
    "learns them too)"
)
_any_alphabet: ContextVar[bool] = ContextVar("any_alphabet", default=False)
# Warnings of a library: a program that configures no logging prints them as plain lines on stderr.
_log = logging.getLogger(__name__)


@contextmanager
def any_alphabet() -> Iterator[None]:
    """Within it, datasets keep lines with whatever characters: the alphabet is made to fit them, not they to it."""
    token = _any_alphabet.set(True)
    try:
        yield
    finally:
        _any_alphabet.reset(token)


def keeps_any_character() -> bool:
    """Whether datasets keep lines with characters outside the alphabet."""
    return _any_alphabet.get()


def alphabet_mark() -> str:
    """What the key of prepared data ends with where lines outside the alphabet are left out: another alphabet, other
    lines."""
    return "-any-alphabet" if keeps_any_character() else f"-alphabet{fingerprint(CHARACTERS)}"


class Exclusions:
    """The lines that are left out of a dataset, counted by reason, the first few of each named."""

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset
        self.reasons: dict[str, list[str]] = {}

    def add(self, reason: str, where: str) -> None:
        """Count one line; where: its file and line or identifier."""
        self.reasons.setdefault(reason, []).append(where)

    def unknown(self, text: str, alphabet: Alphabet, where: str) -> bool:
        """Whether the text has characters outside the alphabet; if so, the line is counted and they are named."""
        missing = "" if keeps_any_character() else alphabet.missing(text)
        if missing:
            signs = ", ".join(f"{character!r} (U+{ord(character):04X})" for character in missing)
            self.add(_OUTSIDE, f"{where}: {signs}")
        return bool(missing)

    @property
    def count(self) -> int:
        """Lines left out, whatever the reason."""
        return sum(len(places) for places in self.reasons.values())

    def lines(self) -> list[str]:
        """One sentence a reason."""
        sentences = []
        for reason, places in self.reasons.items():
            more = f"; and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
            number = f"{len(places)} line" + "s" * (len(places) != 1)
            sentences.append(f"{self.dataset}: left out {number}: {reason}: {'; '.join(places[:_NAMED])}{more}")
        return sentences

    def say(self) -> None:
        """Log the sentences as warnings."""
        for sentence in self.lines():
            _log.warning(sentence)


def warn_if_few(lines: int, start_from: str = "") -> None:
    """Warn where there are too few lines to learn from; start_from: the bundle that training begins with, if any."""
    if lines < FEW_LINES and not start_from:
        _log.warning(
            f"{lines} lines are too few to learn from, whatever the loss says (fewer than {FEW_LINES}): fine-tune a "
            "model that can read with --start_from=lines, and mix in other lines, synthetic ones for instance"
        )
