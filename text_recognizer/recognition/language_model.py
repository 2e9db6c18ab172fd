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
_REMEMBERED = 20_000  # contexts whose followers are kept ready


def pack_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Probabilities as a byte each."""
    return np.round(np.clip(-np.log(np.maximum(probabilities, 1e-12)) * _STEPS, 0, 255)).astype(np.uint8)


def unpack_probabilities(bytes_: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What `pack_probabilities` packed, to 4 %."""
    return _PROBABILITIES[bytes_]


class CharacterLanguageModel:
    """Probabilities of the next character.

    A context is an int: the numbers of the last characters in the model's own alphabet, a byte each, the last one
    lowest. `context` and `extend` make it.

    classes: the alphabet of the recogniser that asks, by default the model's own; what `extend` and `factor` are given
    is in its numbers. Characters that the model does not know are as likely as rare ones.
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
        self._own = [0, *(alphabet.encode(c)[0] if c in alphabet else 0 for c in classes.characters)]
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
        self._ready: dict[int, NDArray[np.float32]] = {}

    def context(self, text: str) -> int:
        """The context behind a text; characters that the model does not know end it."""
        context = 0
        for character in text[1 - self.order :]:
            context = self._extended(context, self.alphabet.encode(character)[0] if character in self.alphabet else 0)
        return context

    def extend(self, context: int, number: int) -> int:
        """The context behind one more character, given by its class."""
        return self._extended(context, self._own[number])

    def _extended(self, context: int, number: int) -> int:
        return ((context << 8) | number) & self._mask if number else 0

    def factor(self, context: int, number: int) -> float:
        """What reading multiplies the network's probability of a class with that follows a context."""
        probability = max(float(self.probabilities(context)[self._own[number]]), _RAREST)
        return self.bonus * probability**self.weight

    def probabilities(self, context: int) -> NDArray[np.float32]:
        """(K,) float32: of the characters of the model's alphabet behind a context; number 0, the blank, has none."""
        found = self._ready.get(context)
        if found is None:
            if len(self._ready) >= _REMEMBERED:
                self._ready.clear()
            found = self._ready[context] = self._computed(context)
        return found

    def _computed(self, context: int) -> NDArray[np.float32]:
        length = _length(context)
        if length:
            shorter = self.probabilities(context & ((1 << 8 * (length - 1)) - 1))
        else:
            shorter = np.full(len(self.alphabet), 1 / (len(self.alphabet) - 1), np.float32)
            shorter[0] = 0
        keys = self._keys[length]
        at = int(keys.searchsorted(np.uint64(context)))
        if at == len(keys) or int(keys[at]) != context:
            return shorter
        start, end = self._ends[length][at : at + 2]
        result = shorter * self._rests[length][at]
        result[self._followers[length][start:end]] += unpack_probabilities(self._shares[length][start:end])
        return result


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
