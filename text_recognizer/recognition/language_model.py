"""A character language model: how likely each character is after those before it.

An n-gram model with interpolated Kneser-Ney smoothing (Chen and Goodman, "An Empirical Study of Smoothing Techniques
for Language Modeling", 1999). `learning/training/language_model.py` makes it, reading asks it.

On disk: `model.npz`. For contexts of n characters, n from 0: `keys_n`, (M,) uint64, the contexts, a byte a character,
the last one lowest, sorted, each as its distance from the one before; `counts_n`, (M,) uint8, how many characters are
known to follow each, less one; `followers_n`, uint8, the numbers of those; `shares_n` and `rests_n`, uint8,
probabilities in steps of their logarithm: of each follower, and of what is left for shorter contexts. Where there is a
list of words: `words` and `beginnings`, as in `word_list.py`.
"""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet
from text_recognizer.recognition.bundle import Bundle, BundleError, load_bundle, verify
from text_recognizer.recognition.word_list import WordList

TASK = "language-model"
MODEL_FILE = "model.npz"
_STEPS = 14.0  # steps of a stored logarithm to one unit of it: probabilities are right to 4 %
_PROBABILITIES = np.exp(-np.arange(256, dtype=np.float32) / _STEPS)
_RAREST = 1e-6  # probability of a character in reading at least
_REMEMBERED = 40_000  # states that are kept from one search to the next
_FIRST = 1024  # states that there is room for
_BYTE, _LAST, _NOTHING = np.uint64(8), np.uint64(255), np.uint64(0)


def pack_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Probabilities as a byte each."""
    return np.round(np.clip(-np.log(np.maximum(probabilities, 1e-12)) * _STEPS, 0, 255)).astype(np.uint8)


def unpack_probabilities(bytes_: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What `pack_probabilities` packed, to 4 %."""
    return _PROBABILITIES[bytes_]


class CharacterLanguageModel:
    """Probabilities of the next character.

    A state is the number of a context, the last characters of a text. States stay right while the model is entered
    (`with model:`), which one thread does at a time.

    classes: the alphabet of the recogniser that asks, by default the model's own; numbers of characters are of it.
    Characters that the model does not know are as likely as rare ones.
    weight: what the logarithm of a probability counts in reading, against 1 for what the network sees. bonus: what each
    character is multiplied with there, as a model prefers short texts. words: those that reading prefers. bundle: that
    it was loaded from.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        tables: Mapping[str, NDArray],
        weight: float = 1.0,
        bonus: float = 1.0,
        classes: Alphabet | None = None,
        bundle: Bundle | None = None,
    ) -> None:
        self.alphabet, self.weight, self.bonus, self.bundle = alphabet, weight, bonus, bundle
        classes = classes or alphabet
        self.words = WordList(tables, classes)
        self._own = np.array([0, *(alphabet.encode(c)[0] if c in alphabet else 0 for c in classes.characters)])
        self.space = classes.encode(" ")[0] if " " in classes else 0  # no class of its own
        self.order = sum(name.startswith("keys_") for name in tables)
        self._mask = np.uint64((1 << 8 * (self.order - 1)) - 1)
        self._keys = [np.cumsum(tables[f"keys_{n}"], dtype=np.uint64) for n in range(self.order)]
        self._ends = [
            np.r_[0, np.cumsum(tables[f"counts_{n}"].astype(np.uint32) + 1, dtype=np.uint32)] for n in range(self.order)
        ]
        self._followers = [tables[f"followers_{n}"] for n in range(self.order)]
        self._shares = [tables[f"shares_{n}"] for n in range(self.order)]
        self._rests = [unpack_probabilities(tables[f"rests_{n}"]) for n in range(self.order)]
        self._lock = threading.Lock()
        self._forget()

    def __enter__(self) -> CharacterLanguageModel:
        self._lock.acquire()
        if len(self._states) > _REMEMBERED:
            self._forget()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def state(self, text: str) -> int:
        """The state behind a text; what is before a character that the model does not know does not count."""
        context = np.zeros(1, np.uint64)
        for character in text[1 - self.order :]:
            number = self.alphabet.encode(character)[0] if character in self.alphabet else 0
            context = self._extended(context, np.array([number], np.uint64))
        return int(self._states_of(context)[0])

    def after(self, states: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The states (N,) behind states (N,) and one character more of each (N,). Behind a space, and at the beginning,
        another space is the same one."""
        own = self._own[numbers]
        found = self._after[states, own]
        missing = found < 0
        if missing.any():
            before, number = states[missing], own[missing]
            contexts = self._contexts[before]
            same = self._blank[before] & (numbers[missing] == self.space)
            contexts = np.where(same, contexts, self._extended(contexts, number.astype(np.uint64)))
            found[missing] = behind = self._states_of(contexts)
            self._after[before, number] = behind
        return found.astype(np.int64)

    def factors(self, states: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """What reading multiplies the network's probabilities of characters with behind states, all of one shape. 1 for
        a space behind a space: it ends no word."""
        probabilities = np.maximum(self._rows[self._row_of[states], self._own[numbers]], _RAREST)
        factors = np.float32(self.bonus) * probabilities ** np.float32(self.weight)
        return np.where(self._blank[states] & (numbers == self.space), np.float32(1), factors)

    def probabilities(self, state: int) -> NDArray[np.float32]:
        """(K,) float32: of the characters of the model's alphabet behind a state; number 0, the blank, has none."""
        return self._rows[self._row_of[state]]

    def _extended(self, contexts: NDArray[np.uint64], numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Contexts with a character more; nothing is known behind one that the model does not know."""
        return np.where(numbers > 0, ((contexts << _BYTE) | numbers) & self._mask, _NOTHING)

    def _forget(self) -> None:
        """Let go of all states."""
        self._states: dict[int, int] = {}
        self._contexts = np.zeros(_FIRST, np.uint64)  # of the states: the numbers in the model's alphabet, a byte each
        self._row_of = np.zeros(_FIRST, np.int64)
        self._blank = np.zeros(_FIRST, np.bool_)  # whether a space is the last one
        self._after = np.full((_FIRST, len(self.alphabet)), -1, np.int32)
        self._rows = np.zeros((_FIRST, len(self.alphabet)), np.float32)
        self._rows_used = 1
        self._rows[0, 1:] = self._rests[0][0] / (len(self.alphabet) - 1)
        self._rows[0, self._followers[0]] += unpack_probabilities(self._shares[0])
        # The rows of the contexts in the tables, where they are known; row 0 is that of the empty context.
        self._row_at = [np.zeros(len(keys), np.int32) for keys in self._keys]

    def _states_of(self, contexts: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The states of contexts (N,)."""
        listed = contexts.tolist()
        new = [context for context in dict.fromkeys(listed) if context not in self._states]
        if new:
            first, last = len(self._states), len(self._states) + len(new)
            self._states.update(zip(new, range(first, last), strict=True))
            while last > len(self._row_of):
                self._contexts, self._row_of = _doubled(self._contexts), _doubled(self._row_of)
                self._blank, self._after = _doubled(self._blank), _doubled(self._after)
            self._contexts[first:last] = added = np.array(new, np.uint64)
            self._row_of[first:last] = self._rows_for(added)
            self._blank[first:last] = (added & _LAST == self._own[self.space]) & (self.space > 0)
            self._after[first:last] = -1
        return np.array([self._states[context] for context in listed], np.int64)

    def _rows_for(self, contexts: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The rows (N,) of the longest ends of contexts (N,) that are in the tables."""
        rows = np.zeros(len(contexts), np.int64)
        for length in range(1, self.order):
            ends = contexts & np.uint64((1 << 8 * length) - 1)
            long_enough = contexts >> np.uint64(8 * (length - 1)) > 0
            keys = self._keys[length]
            at = np.minimum(keys.searchsorted(ends), len(keys) - 1)
            held = np.flatnonzero(long_enough & (keys[at] == ends)) if len(keys) else np.zeros(0, np.int64)
            at = at[held]
            new, first = np.unique(at[self._row_at[length][at] == 0], return_index=True)
            if len(new):
                behind = rows[held[self._row_at[length][at] == 0][first]]
                self._row_at[length][new] = self._filled(length, new, behind)
            rows[held] = self._row_at[length][at]
        return rows

    def _filled(self, length: int, at: NDArray[np.int64], behind: NDArray[np.int64]) -> NDArray[np.int64]:
        """New rows for contexts of a length, by their places in the tables; behind: the rows of their shorter ends."""
        rows = np.arange(self._rows_used, self._rows_used + len(at))
        self._rows_used += len(at)
        while self._rows_used > len(self._rows):
            self._rows = _doubled(self._rows)
        self._rows[rows] = self._rows[behind] * self._rests[length][at, None]
        starts, ends = self._ends[length][at].astype(np.int64), self._ends[length][at + 1].astype(np.int64)
        counts = ends - starts
        entries = np.arange(counts.sum()) + np.repeat(starts - np.r_[0, np.cumsum(counts)[:-1]], counts)
        shares = unpack_probabilities(self._shares[length][entries])
        self._rows[np.repeat(rows, counts), self._followers[length][entries]] += shares  # each of them once
        return rows


def _doubled(array: NDArray) -> NDArray:
    """With as much room again, its content not set."""
    return np.concatenate([array, np.empty_like(array)])


def load_language_model(name_or_path: str | os.PathLike[str], classes: Alphabet) -> CharacterLanguageModel:
    """The language model of a bundle, for a recogniser of these classes. Raises BundleError."""
    bundle = load_bundle(name_or_path, TASK, 0)
    path = bundle.folder / MODEL_FILE
    try:
        verify(bundle, MODEL_FILE)
        settings = bundle.settings
        weight, bonus = float(settings["weight"]), float(settings["bonus"])
        with np.load(path) as tables:
            alphabet = Alphabet(settings["alphabet"])
            return CharacterLanguageModel(alphabet, dict(tables), weight, bonus, classes, bundle)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"{path} cannot be used: {error!r}") from error
