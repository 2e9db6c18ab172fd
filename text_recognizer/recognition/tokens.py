"""The tokens of attention networks: characters, newline, and one token that both begins and ends a text."""

from __future__ import annotations

from collections.abc import Sequence

from text_recognizer.alphabet import Alphabet

#: Number 0, which is the blank of CTC, begins and ends a text here: there are no blanks to tell apart.
END = 0


class Tokens:
    """Text and its token numbers: those of the alphabet, and one more for newline.

    >>> Tokens(Alphabet("ab")).encode("b\\na")
    [2, 3, 1]
    """

    def __init__(self, alphabet: Alphabet) -> None:
        self.alphabet = alphabet
        self.newline = len(alphabet)

    def __len__(self) -> int:
        """Number of classes, END and newline included."""
        return len(self.alphabet) + 1

    def encode(self, text: str) -> list[int]:
        """Token numbers, without END. Raises ValueError that names every character outside the alphabet."""
        numbers: list[int] = []
        for place, line in enumerate(text.split("\n")):
            numbers += [self.newline] * (place > 0) + self.alphabet.encode(line)
        return numbers

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of token numbers; END is left out."""
        return "".join("\n" if number == self.newline else self.alphabet.decode([number]) for number in numbers)
