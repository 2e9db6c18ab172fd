"""A character language model: how likely each character is after those before it.

An n-gram model with interpolated Kneser-Ney smoothing (Chen and Goodman, "An Empirical Study of Smoothing Techniques
for Language Modeling", 1999). `learning/language_model.py` makes it, reading asks it.

On disk: `model.npz`. For contexts of n characters, n from 0: `keys_n`, (M,) uint64, the contexts, a byte a character,
the last one lowest, sorted, each as its distance from the one before; `counts_n`, (M,) uint8, how many characters are
known to follow each, less one; `followers_n`, uint8, the numbers of those; `shares_n` and `rests_n`, uint8,
probabilities in steps of their logarithm: of each follower, and of what is left for shorter contexts. Where there is a
list of words: `words` and `beginnings`, as in `lexicon.py`.
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
from text_recognizer.recognition.text.lexicon import WordList

TASK = "language-model"
MODEL_FILE = "model.npz"
_STEPS = 14.0  # steps of a stored logarithm to one unit of it: probabilities are right to 4 %
_PROBABILITIES = np.exp(-np.arange(256, dtype=np.float32) / _STEPS)
_RAREST = 1e-6  # probability of a character in reading at least
_REMEMBERED = 40_000  # states that are kept from one search to the next
_FIRST = 4096  # states that there is room for
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
        # All contexts in one sorted table, their length the highest byte, so that all lengths are looked up at once.
        lengths = range(self.order)
        self._keys = np.concatenate([np.cumsum(tables[f"keys_{n}"], dtype=np.uint64) | _length(n) for n in lengths])
        counts = np.concatenate([tables[f"counts_{n}"].astype(np.uint32) + 1 for n in lengths])
        self._ends = np.r_[0, np.cumsum(counts, dtype=np.uint32)]
        self._followers = np.concatenate([tables[f"followers_{n}"] for n in lengths])
        self._shares = np.concatenate([tables[f"shares_{n}"] for n in lengths])
        self._rests = np.concatenate([tables[f"rests_{n}"] for n in lengths])
        self._shortest = self._row_of_nothing()
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
        probabilities = np.maximum(self._rows[states, self._own[numbers]], _RAREST)
        factors = np.float32(self.bonus) * probabilities ** np.float32(self.weight)
        return np.where(self._blank[states] & (numbers == self.space), np.float32(1), factors)

    def probabilities(self, state: int) -> NDArray[np.float32]:
        """(K,) float32: of the characters of the model's alphabet behind a state; number 0, the blank, has none."""
        return self._rows[state]

    def _extended(self, contexts: NDArray[np.uint64], numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Contexts with a character more; nothing is known behind one that the model does not know."""
        return np.where(numbers > 0, ((contexts << _BYTE) | numbers) & self._mask, _NOTHING)

    def _forget(self) -> None:
        """Let go of all states."""
        self._states: dict[int, int] = {}
        self._contexts = np.zeros(_FIRST, np.uint64)  # of the states: the numbers in the model's alphabet, a byte each
        self._blank = np.zeros(_FIRST, np.bool_)  # whether a space is the last one
        self._after = np.full((_FIRST, len(self.alphabet)), -1, np.int32)
        self._rows = np.zeros((_FIRST, len(self.alphabet)), np.float32)

    def _states_of(self, contexts: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The states of contexts (N,)."""
        listed = contexts.tolist()
        new = [context for context in dict.fromkeys(listed) if context not in self._states]
        if new:
            first, last = len(self._states), len(self._states) + len(new)
            self._states.update(zip(new, range(first, last), strict=True))
            while last > len(self._contexts):
                self._contexts, self._blank = _doubled(self._contexts), _doubled(self._blank)
                self._after, self._rows = _doubled(self._after), _doubled(self._rows)
            self._contexts[first:last] = added = np.array(new, np.uint64)
            self._blank[first:last] = (added & _LAST == self._own[self.space]) & (self.space > 0)
            self._after[first:last] = -1
            self._rows[first:last] = self._rows_of(added)
        return np.array([self._states[context] for context in listed], np.int64)

    def _row_of_nothing(self) -> NDArray[np.float32]:
        """(K,) probabilities of the characters where nothing is known of those before."""
        row = np.zeros(len(self.alphabet), np.float32)
        row[1:] = unpack_probabilities(self._rests[:1]) / max(1, len(self.alphabet) - 1)
        row[self._followers[: self._ends[1]]] += unpack_probabilities(self._shares[: self._ends[1]])
        return row

    def _rows_of(self, contexts: NDArray[np.uint64]) -> NDArray[np.float32]:
        """(N, K) probabilities of the characters behind contexts (N,).

        Each end of a context that is in the table shares out a part among its followers, and leaves the rest to the
        next shorter one: so its part counts the product of the rests of all longer ones.
        """
        held, at = self._looked_up(contexts)
        rests = np.where(held, unpack_probabilities(self._rests[at]), np.float32(1))
        left = np.cumprod(rests[:, ::-1], axis=1)  # to what is shorter than each length, the longest first
        counting = np.concatenate([np.ones_like(left[:, :1]), left[:, :-1]], axis=1)[:, ::-1]
        row, length = held.nonzero()
        at = at[row, length]
        starts = self._ends[at].astype(np.int64)
        counts = self._ends[at + 1] - starts
        entries = np.arange(counts.sum()) + np.repeat(starts - np.r_[0, np.cumsum(counts)[:-1]], counts)
        parts = unpack_probabilities(self._shares[entries]) * np.repeat(counting[row, length], counts)
        places = np.repeat(row * len(self.alphabet), counts) + self._followers[entries]
        shared = np.bincount(places, parts, len(contexts) * len(self.alphabet)).reshape(len(contexts), -1)
        return (self._shortest * rests.prod(axis=1, keepdims=True) + shared).astype(np.float32)

    def _looked_up(self, contexts: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which ends of contexts (N,), from one character to the longest, are in the table, and where: (N, L) each."""
        lengths = np.arange(1, self.order, dtype=np.uint64)
        ends = contexts[:, None] & ((np.uint64(1) << _BYTE * lengths) - np.uint64(1))
        wanted = ends | _length(lengths)
        at = np.minimum(self._keys.searchsorted(wanted), len(self._keys) - 1)
        return (self._keys[at] == wanted) & (ends >> _BYTE * (lengths - np.uint64(1)) > 0), at


def _length(characters: int | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """What keys of contexts with so many characters have in their highest byte."""
    return np.asarray(characters, np.uint64) << np.uint64(56)


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
