"""Makes character language models: counts n-grams, smooths them, prunes them, stores them.

Interpolated Kneser-Ney with one discount for counts of one, two, and three and more (Chen and Goodman, 1999): the
longest n-grams by their counts, the shorter ones by how many different characters they follow. What is pruned gives its
share to the shorter context, so that probabilities still sum to one.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.distributed import say
from text_recognizer.learning.evaluation.report import line_scores
from text_recognizer.learning.export.evaluate import check_measured
from text_recognizer.learning.export.export import refuse_other_folders
from text_recognizer.learning.export.model_card import write_description
from text_recognizer.recognition.bundle import FORMAT_VERSION, file_hash, load_bundle
from text_recognizer.recognition.text.language_model import MODEL_FILE, TASK, CharacterLanguageModel, pack_probabilities
from text_recognizer.recognition.text.lexicon import pack_words

_MOST = 8  # characters in a key of 64 bits
_USUAL = 1e-7  # frequency of a word that is in the list
_WORD = re.compile(r"[^\W\d_]+")
_KEPT = 3  # n-grams up to this length are all kept


@dataclass(frozen=True)
class LanguageChoice:
    """What a language model is made of, and how it is used.

    texts: UTF-8 files. sources: line datasets whose labels it learns from. vocabularies: languages ("en") whose words
    are preferred, beside those of the texts; none: no word is. order, gain: of `train_language_model`. weight, bonus:
    of `CharacterLanguageModel`.
    """

    texts: Sequence[Path]
    sources: Sequence[str]
    vocabularies: Sequence[str]
    order: int
    gain: float
    weight: float
    bonus: float


def write_language_model(
    choice: LanguageChoice, output: Path, version: str = "1", measured_with: str | None = "lines"
) -> Path:
    """Train a language model and write its bundle, measured on val with a line recogniser, unless that is None.

    Raises ValueError where there is nothing to learn from, a text is no UTF-8 or a vocabulary is unknown, and
    FileExistsError where the folder holds something else than a bundle; a bundle is replaced.
    """
    refuse_other_folders(output)
    if measured_with is not None:
        check_measured("lines")
    alphabet = Alphabet()
    texts = {name: _read(path) for name, path in _names(choice).items()}
    for name in choice.sources:
        texts[name] = " ".join(label.text for label in line_dataset(LineSource(name)).labels)
    known = {name: _known_words(name, text, alphabet) for name, text in texts.items()}
    _, tables = train_language_model(list(known.values()), alphabet, choice.order, choice.gain)
    words = word_list(choice.vocabularies, list(known.values()))
    tables |= pack_words(words)
    with whole_folder(output, replace=True) as folder:
        np.savez_compressed(folder / MODEL_FILE, **tables)  # type: ignore[arg-type]
        data: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "name": output.name,
            "task": TASK,
            "version": version,
            "sha256": file_hash(folder / MODEL_FILE),
            "normalization": 0,
            "settings": {"alphabet": "".join(alphabet.characters), "weight": choice.weight, "bonus": choice.bonus},
            "scores": {},
            "provenance": {
                "order": choice.order,
                "gain": choice.gain,
                "vocabularies": list(choice.vocabularies),
                "words": len(words),
                "characters": {name: len(text) for name, text in known.items()},
                "exported": datetime.date.today().isoformat(),
            },
        }
        write_description(folder, data)
        if measured_with is not None:
            data["scores"] = line_scores(measured_with) | line_scores(measured_with, folder)
            data["provenance"]["measured_with"] = load_bundle(measured_with, "lines", NORMALIZATION_VERSION).identity
            write_description(folder, data)
    return output


def _names(choice: LanguageChoice) -> dict[str, Path]:
    """Texts by what the card calls them: their stems, with as much of their paths as tells them apart."""
    names: dict[str, Path] = {}
    for path in choice.texts:
        candidates = (path.stem, f"{path.parent.name}/{path.stem}", str(path))
        taken = {*names, *choice.sources}
        names[next((name for name in candidates if name not in taken), str(path))] = path
    return names


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text ({error}): save it as UTF-8") from error


def _known_words(name: str, text: str, alphabet: Alphabet) -> str:
    """The words of a text that the alphabet can spell; how many others there are is said."""
    words, characters = normalize_text(text).split(), set(alphabet.characters)
    known = [word for word in words if characters.issuperset(word)]
    if len(known) < len(words):
        say(f"{name}: {len(words) - len(known):,} of {len(words):,} words left out, with characters that are not read")
    return " ".join(known)


def word_list(languages: Sequence[str], texts: Sequence[str]) -> set[str]:
    """The usual words of languages and all words of the texts, as runs of letters; empty for no languages.

    Of wordfreq (Speer, 2022): those that are met once in ten million words. Raises ValueError for a language that it
    does not know.
    """
    if not languages:
        return set()
    from wordfreq import available_languages, get_frequency_dict

    there = available_languages()
    if unknown := sorted(set(languages) - set(there)):
        raise ValueError(f"no vocabulary of {', '.join(unknown)}; there are: {', '.join(sorted(there))}")
    usual = [word for name in languages for word, often in get_frequency_dict(name).items() if often >= _USUAL]
    return {word for text in [*usual, *texts] for word in _WORD.findall(text.lower())}


def train_language_model(
    texts: Sequence[str], alphabet: Alphabet, order: int, gain: float = 0.0
) -> tuple[CharacterLanguageModel, dict[str, NDArray]]:
    """A model of `order` characters (the last one follows the others), and its tables as they are stored.

    texts: each read as one stream. gain: n-grams of more than three characters are dropped that change the likelihood
    of the text they were counted in by a factor of less than e to this (Seymore and Rosenfeld, "Scalable Backoff
    Language Models", 1996).
    Raises ValueError where a character is outside the alphabet, there is nothing to learn from, or order is above 8.
    """
    if not 2 <= order <= _MOST:
        raise ValueError(f"the order of a language model is from 2 to {_MOST}, not {order}")
    if len(alphabet) > 256:
        raise ValueError(f"a language model knows at most 255 characters, not {len(alphabet) - 1}")
    streams = [np.array(alphabet.encode(text), np.uint64) for text in texts if len(text) >= order]
    if not streams:
        raise ValueError(f"no text of at least {order} characters to learn a language from")
    levels = [_counted(streams, order)]
    for length in range(order - 1, 0, -1):
        # The shorter ones: each counts the different characters before it.
        levels.append(np.unique(levels[-1][0] & _mask(length), return_counts=True))
    tables: dict[str, NDArray] = {}
    shorter, known = np.zeros(1, np.uint64), np.full(1, 1 / (len(alphabet) - 1))
    for length, (grams, counts) in enumerate(reversed(levels), start=1):
        below = known[shorter.searchsorted(grams & _mask(length - 1))]
        own, known = _table(grams, counts, below, length, gain if length > _KEPT else 0.0)
        tables |= own
        shorter = grams
    return CharacterLanguageModel(alphabet, tables), tables


def _mask(length: int) -> np.uint64:
    return np.uint64((1 << 8 * length) - 1)


def _counted(streams: Sequence[NDArray[np.uint64]], order: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """All n-grams of the streams as keys, sorted, and how often each occurs."""
    keys = []
    for stream in streams:
        key = np.zeros(len(stream) - order + 1, np.uint64)
        for offset in range(order):
            key = (key << np.uint64(8)) | stream[offset : offset + len(key)]
        keys.append(key)
    return np.unique(np.concatenate(keys), return_counts=True)


def _table(
    grams: NDArray[np.uint64], counts: NDArray[np.int64], below: NDArray[np.float64], length: int, gain: float
) -> tuple[dict[str, NDArray], NDArray[np.float64]]:
    """What is stored of n-grams of `length` characters, and the probability of each one's last character.

    grams: keys, sorted. counts: of each. below: the probability of the last character after a context one shorter.
    """
    contexts, starts = np.unique(grams >> np.uint64(8), return_index=True)
    totals = np.add.reduceat(counts, starts)
    owner = np.repeat(np.arange(len(contexts)), np.diff(np.r_[starts, len(grams)]))
    shares = (counts - _discounts(counts)[np.minimum(counts, 3)]) / totals[owner]
    whole = shares + (1 - np.bincount(owner, shares, len(contexts)))[owner] * below
    kept = (shares > 0) & (counts * np.abs(np.log(whole / below)) >= gain)
    rests = 1 - np.bincount(owner[kept], shares[kept], len(contexts))
    followers = np.bincount(owner[kept], minlength=len(contexts))
    used = followers > 0
    tables = {
        f"keys_{length - 1}": np.diff(contexts[used], prepend=np.uint64(0)),
        f"followers_{length - 1}": (grams[kept] & np.uint64(255)).astype(np.uint8),
        f"counts_{length - 1}": (followers[used] - 1).astype(np.uint8),
        f"shares_{length - 1}": pack_probabilities(shares[kept]),
        f"rests_{length - 1}": pack_probabilities(rests[used].astype(np.float64)),
    }
    return tables, np.where(kept, shares, 0) + rests[owner] * below


def _discounts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """What is taken of a count of 0, 1, 2, and 3 and more."""
    seen = [float((counts == number).sum()) for number in range(1, 5)]
    if min(seen) == 0:  # too little text, or the single characters: the estimate of Ney et al. needs all four
        return np.array([0, 0.5, 0.5, 0.5])
    y = seen[0] / (seen[0] + 2 * seen[1])
    return np.clip([0, *(n - (n + 1) * y * seen[n] / seen[n - 1] for n in (1, 2, 3))], 0, [0, 1, 2, 3])


def bits_a_character(model: CharacterLanguageModel, texts: Sequence[str]) -> float:
    """Cross entropy of texts in bits a character, each text from its beginning."""
    total, count = 0.0, 0
    for text in texts:
        with model:
            state = model.state(" ")
            for character in text:
                number = model.alphabet.encode(character)[0]
                total -= float(np.log2(max(model.probabilities(state)[number], 1e-12)))
                state = int(model.after(np.array([state]), np.array([number]))[0])
                count += 1
    return total / max(1, count)
