"""A character language model: how likely each character is after those before it.

An n-gram model with interpolated Kneser-Ney smoothing (Chen and Goodman, "An Empirical Study of Smoothing Techniques
for Language Modeling", 1999). `learning/training/language_model.py` makes it, reading asks it.

On disk: `model.npz`. For contexts of n characters, n from 0: `keys_n`, (M,) uint64, the contexts, a byte a character,
the last one lowest, sorted, each as its distance from the one before; `counts_n`, (M,) uint8, how many characters are
known to follow each, less one; `followers_n`, uint8, the numbers of those; `shares_n` and `rests_n`, uint8,
probabilities in steps of their logarithm: of each follower, and of what is left for shorter contexts.
"""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet
from text_recognizer.recognition.bundle import BundleError, load_bundle, verify

TASK = "language-model"
MODEL_FILE = "model.npz"
_STEPS = 14.0  # steps of a stored logarithm to one unit of it: probabilities are right to 4 %
_PROBABILITIES = np.exp(-np.arange(256, dtype=np.float32) / _STEPS)
_RAREST = 1e-6  # probability of a character in reading at least
_REMEMBERED = 40_000  # states that are kept from one search to the next
_FIRST = 1024  # states that there is room for


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
    character is multiplied with there, as a model prefers short texts.
    """

    def __init__(
        self,
        alphabet: Alphabet,
        tables: Mapping[str, NDArray],
        weight: float = 1.0,
        bonus: float = 1.0,
        classes: Alphabet | None = None,
    ) -> None:
        self.alphabet, self.weight, self.bonus = alphabet, weight, bonus
        classes = classes or alphabet
        self._own = np.array([0, *(alphabet.encode(c)[0] if c in alphabet else 0 for c in classes.characters)])
        self.space = classes.encode(" ")[0] if " " in classes else 0  # no class of its own
        self.order = sum(name.startswith("keys_") for name in tables)
        self._mask = (1 << 8 * (self.order - 1)) - 1
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
        if len(self._contexts) > _REMEMBERED:
            self._forget()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def state(self, text: str) -> int:
        """The state behind a text; what is before a character that the model does not know does not count."""
        context = 0
        for character in text[1 - self.order :]:
            context = self._extended(context, self.alphabet.encode(character)[0] if character in self.alphabet else 0)
        return self._state(context)

    def after(self, states: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The states (N,) behind states (N,) and one character more of each (N,). Behind a space, and at the beginning,
        another space is the same one."""
        own = self._own[numbers]
        found = self._after[states, own]
        for at in np.flatnonzero(found < 0).tolist():
            state, number = int(states[at]), int(own[at])
            context = self._contexts[state]
            if not self._blank[state] or numbers[at] != self.space:
                context = self._extended(context, number)
            found[at] = behind = self._state(context)
            self._after[state, number] = behind
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

    def _extended(self, context: int, number: int) -> int:
        return ((context << 8) | number) & self._mask if number else 0

    def _forget(self) -> None:
        """Let go of all states."""
        self._contexts: list[int] = []  # of the states: the numbers in the model's alphabet, a byte each
        self._states: dict[int, int] = {}
        self._row_of = np.zeros(_FIRST, np.int64)
        self._blank = np.zeros(_FIRST, np.bool_)  # whether a space is the last one
        self._after = np.full((_FIRST, len(self.alphabet)), -1, np.int32)
        self._known: dict[int, int] = {}  # contexts that are in the tables, and their rows
        self._rows = np.empty((_FIRST, len(self.alphabet)), np.float32)

    def _state(self, context: int) -> int:
        state = self._states.get(context)
        if state is None:
            state = self._states[context] = len(self._contexts)
            if state == len(self._row_of):
                self._row_of, self._blank = _doubled(self._row_of), _doubled(self._blank)
                self._after = _doubled(self._after)
            self._row_of[state] = self._row(context)
            self._blank[state] = self.space and context & 255 == self._own[self.space]
            self._after[state] = -1
            self._contexts.append(context)
        return state

    def _row(self, context: int) -> int:
        """The row of the longest end of a context that is in the tables."""
        length = _length(context)
        while (row := self._known.get(context)) is None:
            keys = self._keys[length]
            at = int(keys.searchsorted(np.uint64(context)))
            if at < len(keys) and int(keys[at]) == context:
                return self._filled(context, length, at)
            length = _length(context := _shorter(context, length))
        return row

    def _filled(self, context: int, length: int, at: int) -> int:
        """A row for a context, number `at` of those of its length."""
        behind = self._row(_shorter(context, length)) if length else -1
        row = self._known[context] = len(self._known)
        if row == len(self._rows):
            self._rows = _doubled(self._rows)
        if length:
            np.multiply(self._rows[behind], self._rests[length][at], out=self._rows[row])
        else:
            self._rows[row] = self._rests[0][at] / (len(self.alphabet) - 1)
            self._rows[row, 0] = 0
        start, end = self._ends[length][at : at + 2]
        self._rows[row, self._followers[length][start:end]] += unpack_probabilities(self._shares[length][start:end])
        return row


def _doubled(array: NDArray) -> NDArray:
    """With as much room again, its content not set."""
    return np.concatenate([array, np.empty_like(array)])


def _shorter(context: int, length: int) -> int:
    """A context of `length` characters without its first one."""
    return context & ((1 << 8 * (length - 1)) - 1)


def _length(context: int) -> int:
    """Characters of a context."""
    return (context.bit_length() + 7) // 8


def load_language_model(name_or_path: str | os.PathLike[str], classes: Alphabet) -> CharacterLanguageModel:
    """The language model of a bundle, for a recogniser of these classes. Raises BundleError."""
    bundle = load_bundle(name_or_path, TASK, 0)
    path = bundle.folder / MODEL_FILE
    try:
        verify(bundle, MODEL_FILE)
        settings = bundle.settings
        weight, bonus = float(settings["weight"]), float(settings["bonus"])
        with np.load(path) as tables:
            return CharacterLanguageModel(Alphabet(settings["alphabet"]), dict(tables), weight, bonus, classes)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"{path} cannot be used: {error!r}") from error
