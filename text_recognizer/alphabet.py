"""Characters and their numbers, the CTC blank, and the Unicode form of all text.

Text is Unicode NFC (Unicode Standard Annex #15): an accented letter is one code point. Nothing is
folded: curly quotes stay curly, a capital stays a capital.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_ASCII = "".join(chr(code) for code in range(32, 127))
_ACCENTED = "àáâäãåæçèéêëìíîïñòóôöœøùúûüÿ"
_SIGNS = "ßẞ“”‘’‚„«»‹›–—…£€§°¿¡·²³½¼¾×÷±ªº©®†•"
_MORE_LETTERS = "õąćęłńśźżčďěňřšťůýžğış" + "ÕĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮÝŽĞİŞ"
_MORE_SIGNS = "¹µ¢¥₹₺≈≠≤≥→←↑↓✓√π∞‰№¬"

#: Printable ASCII, the accented Latin letters of French, German and Spanish (and their neighbours),
#: curly quotes, dashes, the pound and euro signs: what bundles knew before the alphabet grew.
WESTERN_CHARACTERS = _ASCII + _ACCENTED + _ACCENTED.upper() + _SIGNS

#: Those, then the letters of Polish, Czech, Turkish and Portuguese that were missing, currency signs, arrows and signs
#: of mathematics: at the end, so that ids stay. A bundle keeps the alphabet that it was trained with.
CHARACTERS = WESTERN_CHARACTERS + _MORE_LETTERS + _MORE_SIGNS


# Zero-width spaces, byte order marks and marks of direction. Joiners are none of them: some scripts need them.
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_SOFT_HYPHEN = "\u00ad"


def visible_text(text: str) -> str:
    """The text without characters that show nothing. A soft hyphen shows at the end of a word, and is "-" there.

    >>> visible_text("\\ufeffhand\\u00adwrit\\u00ad")
    'handwrit-'
    """
    text = _INVISIBLE.sub("", text)
    return re.sub(rf"{_SOFT_HYPHEN}+(?=\s|$)", "-", text).replace(_SOFT_HYPHEN, "")


def normalize_text(text: str) -> str:
    """Visible text in NFC with every run of white space as one space and none at the ends."""
    return " ".join(unicodedata.normalize("NFC", visible_text(text)).split())


class Alphabet:
    """A fixed order of characters; number 0 is the CTC blank, character i of the string has number i + 1.

    >>> Alphabet("abc").encode("cab")
    [3, 1, 2]
    """

    blank = 0

    def __init__(self, characters: Iterable[str] = CHARACTERS) -> None:
        self.characters = tuple(characters)
        if any(len(character) != 1 for character in self.characters):
            raise ValueError("every entry of an alphabet must be a single code point")
        self._numbers = {character: number for number, character in enumerate(self.characters, start=1)}
        if len(self._numbers) != len(self.characters):
            raise ValueError("an alphabet must not name a character twice")

    def __len__(self) -> int:
        """Number of classes, the blank included."""
        return len(self.characters) + 1

    def __contains__(self, character: object) -> bool:
        return character in self._numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alphabet) and other.characters == self.characters

    def __hash__(self) -> int:
        return hash(self.characters)

    def extended(self, characters: Iterable[str]) -> Alphabet:
        """This alphabet with the given characters that it lacks at its end.

        >>> "".join(Alphabet("ab").extended("bdc").characters)
        'abdc'
        """
        return Alphabet(dict.fromkeys([*self.characters, *characters]))

    def missing(self, text: str) -> str:
        """The characters of `text` that are not in the alphabet, each once, in order of appearance."""
        return "".join(dict.fromkeys(character for character in text if character not in self._numbers))

    def encode(self, text: str) -> list[int]:
        """Numbers of the characters. Raises ValueError that names every character outside the alphabet."""
        missing = self.missing(text)
        if missing:
            raise ValueError(f"characters outside the alphabet: {missing!r} in {text!r}")
        return [self._numbers[character] for character in text]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of character numbers; blanks are left out."""
        return "".join(self.characters[number - 1] for number in numbers if number != self.blank)
