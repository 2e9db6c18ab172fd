"""The alphabet of a line recogniser that is to be trained: the usual one, and what else its lines hold."""

from __future__ import annotations

from collections.abc import Iterable

from text_recognizer.alphabet import CHARACTERS, Alphabet
from text_recognizer.learning.data.sources import LineSource, open_lines
from text_recognizer.learning.training.warm_start import bundle_alphabet
from text_recognizer.recognition.bundle import find_bundle


def line_alphabet(train: Iterable[LineSource], start_from: str = "", extend: bool = False, more: str = "") -> Alphabet:
    """The characters of the bundle that training starts from, if any, then the usual ones, then `more`, then, where the
    alphabet is to be extended, those of the training labels in the order of their code points."""
    known = "".join(bundle_alphabet(find_bundle(start_from)).characters) if start_from else ""
    characters = dict.fromkeys(known + CHARACTERS + more)
    if extend:
        labels = (label.text for source in train for label in open_lines(source).labels)
        characters |= dict.fromkeys(sorted(set("".join(labels))))
    return Alphabet(characters)
