"""A list of words that reading prefers and never forces: letters that begin no word of it, and words that are not in
it, count for less.

Words are runs of letters, their case left out. They are stored as hashes, of the words and of all their beginnings, so
that the next letter of any number of texts is looked up at once; of words out of the vocabulary, one in ten thousand
passes unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet

NO_WORD = np.uint64(0)  # behind anything but a letter
_UNKNOWN = np.uint64(1)  # letters that begin no word; they have counted already
_FIRST = np.uint64(2)
_MIX, _SHIFT, _STORED = np.uint64(0x9E3779B97F4A7C15), np.uint64(29), np.uint64(32)
_HYPHENS = "-\u2010"


class WordList:
    """What reading thinks of the words that it has before it.

    A word in the making is a number: a hash of its letters, `NO_WORD` where there is none.

    tables: from `pack_words`, or empty, when every word is as good as any other. classes: the alphabet of the
    recogniser; numbers of characters are of it. unknown: factor of a word out of the vocabulary. hyphenated: the
    same, where a hyphen follows: it may be a part of one.
    """

    def __init__(
        self, tables: Mapping[str, NDArray], classes: Alphabet, unknown: float = 0.03, hyphenated: float = 0.5
    ) -> None:
        self._words, self._beginnings = (
            np.cumsum(tables.get(name, ()), dtype=np.uint32) for name in ("words", "beginnings")
        )
        self._letters = np.array([0, *map(_letter, classes.characters)], np.uint64)
        self._factors = np.full(len(classes), unknown, np.float32)
        for character in _HYPHENS:
            if character in classes:
                self._factors[classes.encode(character)[0]] = hyphenated

    def __len__(self) -> int:
        """How many words it has."""
        return len(self._words)

    def out_of_vocabulary(self, texts: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
        """(N,) whether letters of N texts, characters by their numbers, make a word that is not in the list."""
        numbers = np.zeros((len(texts), max(map(len, texts), default=0) + 1), np.int64)  # a blank ends each of them
        for row, text in zip(numbers, texts, strict=True):
            row[: len(text)] = text
        words, found = np.full(len(texts), NO_WORD), np.zeros(len(texts), np.bool_)
        for column in numbers.T:
            found |= self.factors(words, column) < 1
            words = self.after(words, column)
        return found

    def begin(self, text: str) -> np.uint64:
        """The word that a text ends in the middle of."""
        word = np.array([NO_WORD])
        for character in text:
            word = self._after(word, np.array([_letter(character)], np.uint64))
        return np.uint64(word[0])

    def after(self, words: NDArray[np.uint64], numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
        """The words in the making behind words and one character more of each, all of one shape."""
        return self._after(words, self._letters[numbers])

    def factors(self, words: NDArray[np.uint64], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """What reading multiplies the probability of characters with behind words in the making, all of one shape."""
        factors = np.ones(words.shape, np.float32)
        if not len(self):
            return factors
        letters = self._letters[numbers]
        ending = (letters == NO_WORD) & (words > _UNKNOWN)
        ending[ending] = ~_among(self._words, words[ending])
        going = (letters != NO_WORD) & (words != _UNKNOWN)
        going[going] = ~_among(self._beginnings, _mixed(words[going], letters[going]))
        return np.where(ending | going, self._factors[numbers], factors)

    def _after(self, words: NDArray[np.uint64], letters: NDArray[np.uint64]) -> NDArray[np.uint64]:
        if not len(self):
            return np.full_like(words, NO_WORD)
        longer = np.where(words == _UNKNOWN, _UNKNOWN, _mixed(words, letters))
        known = _among(self._beginnings, longer)
        return np.where(letters == NO_WORD, NO_WORD, np.where(known, longer, _UNKNOWN))


def pack_words(words: Iterable[str]) -> dict[str, NDArray[np.uint32]]:
    """The words, runs of letters, and their beginnings as they are stored: sorted hashes, each as its distance from
    the one before. Single letters are always among them."""
    lower = {"".join(chr(_letter(c)) for c in word) for word in words if word.isalpha()}
    lower |= {word[:1] for word in lower}
    beginnings = {word[:length] for word in lower for length in range(1, len(word) + 1)}
    return {"words": _packed(lower), "beginnings": _packed(beginnings)}


def _packed(words: set[str]) -> NDArray[np.uint32]:
    by_length: dict[int, list[str]] = {}
    for word in words:
        by_length.setdefault(len(word), []).append(word)
    hashes = [np.zeros(0, np.uint32)]
    for length, alike in by_length.items():
        letters = np.array([[ord(c) for c in word] for word in alike], np.uint64)
        found = np.full(len(alike), NO_WORD)
        for at in range(length):
            found = _mixed(found, letters[:, at])
        hashes.append(_stored(found))
    return np.diff(np.unique(np.concatenate(hashes)), prepend=np.uint32(0)).astype(np.uint32)


def _letter(character: str) -> int:
    """The number of a letter, small and capital alike; 0 for what is none."""
    lower = character.lower()
    return ord(lower) if character.isalpha() and len(lower) == 1 else int(NO_WORD)


def _mixed(words: NDArray[np.uint64], letters: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes of words with a letter more."""
    mixed = (np.where(words == NO_WORD, _FIRST, words) ^ letters) * _MIX
    return mixed ^ (mixed >> _SHIFT)


def _stored(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    return (hashes >> _STORED).astype(np.uint32)


def _among(table: NDArray[np.uint32], hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which hashes are in a sorted table."""
    wanted = _stored(hashes)
    at = np.minimum(table.searchsorted(wanted), len(table) - 1)
    return table[at] == wanted
