"""Sentences of twelve languages, from the text files of the data folder.

Layout: `text/<language>/*.txt.xz`, UTF-8, a sentence or a paragraph a line. A language is opened when its first
sentence is drawn. Without such files the English `text/*.txt` serve.
"""

from __future__ import annotations

import lzma
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.paths import data_dir

#: How often each language is drawn: English, French and German, of which most pages are, more often.
SHARES: Mapping[str, float] = {
    "en": 0.22, "fr": 0.2, "de": 0.13, "es": 0.06, "it": 0.05, "pt": 0.05, "nl": 0.05, "pl": 0.06, "cs": 0.06,
    "sv": 0.04, "da": 0.04, "tr": 0.04,
}  # fmt: skip

#: Text files whose terms are non-commercial, so that nothing open is made of them.
NON_COMMERCIAL = ("brown.txt",)

_TRIES = 1000  # texts, until one is found that can be drawn
_LONGEST = 90  # characters of a text
_DIVIDED = 0.3  # share of the long words at the end of a line that are divided


@dataclass(frozen=True)
class _Opened:
    """A language's files: their lines, and how often each file is drawn."""

    files: tuple[list[str], ...]
    weights: tuple[float, ...]


class Sentences:
    """Draws runs of words in one of the languages that are installed.

    alphabet: texts with other characters are not drawn. shares: of the languages. Raises FileNotFoundError where there
    is no text at all.
    """

    def __init__(self, alphabet: Alphabet, shares: Mapping[str, float] = SHARES) -> None:
        folder = data_dir() / "text"
        self.alphabet = alphabet
        self.paths: dict[str, list[Path]] = {
            language: paths for language in shares if (paths := sorted((folder / language).glob("*.txt.xz")))
        }
        if not self.paths:
            english = [path for path in sorted(folder.glob("*.txt")) if path.name not in NON_COMMERCIAL]
            if not english:
                raise FileNotFoundError(f"{folder} holds no text (*.txt, <language>/*.txt.xz): docs/data.md")
            self.paths = {"en": english}
        self.languages = list(self.paths)
        self.weights = [shares.get(language, 1.0) for language in self.languages]
        self._opened: dict[str, _Opened] = {}

    def sample(self, rng: random.Random, languages: Collection[str] = ()) -> str:
        """One text of 4 to about 90 characters; languages: of these, where one of them is there."""
        there = [language for language in languages if language in self.paths]
        for _ in range(_TRIES):
            language = rng.choice(there) if there else rng.choices(self.languages, self.weights)[0]
            text = self._cut(self._line(language, rng), rng)
            if len(text) > 3 and not self.alphabet.missing(text):
                return text
        raise ValueError(f"{_TRIES} texts of {data_dir() / 'text'} are too short or not in the alphabet, as {text!r}")

    def word(self, rng: random.Random) -> str:
        """One word of any language, without the punctuation around it."""
        for _ in range(_TRIES):
            word = rng.choice(self.sample(rng).split()).strip("-–—.,;:!?()[]\"'„“”‚‘’«»‹›…")
            if len(word) > 1 and any(character.isalpha() for character in word):
                return word
        raise ValueError(f"{_TRIES} texts of {data_dir() / 'text'} hold no words")

    def _line(self, language: str, rng: random.Random) -> str:
        if language not in self._opened:
            files = tuple(lines for path in self.paths[language] if (lines := _lines(path)))
            if not files:
                raise ValueError(f"the files in {self.paths[language][0].parent} are empty")
            # By the root of their sizes: a small file of another kind of text is seen too.
            self._opened[language] = _Opened(files, tuple(len(file) ** 0.5 for file in files))
        opened = self._opened[language]
        return rng.choice(rng.choices(opened.files, opened.weights)[0])

    def _cut(self, line: str, rng: random.Random) -> str:
        """A run of words of a line as long as handwritten lines are, mostly from the beginning of the line."""
        words = line.split()
        length = min(_LONGEST - 5, max(6, rng.gauss(44, 18)))
        start = rng.randrange(len(words)) if rng.random() < 0.7 else 0
        text = words[start]
        for word in words[start + 1 :]:
            if len(text) + len(word) >= length:
                if len(word) > 6 and rng.random() < _DIVIDED:
                    text += " " + word[: rng.randint(3, len(word) - 3)] + "-"
                break
            text += " " + word
        return normalize_text(text[:_LONGEST])


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode("utf-8")
    return [line for line in text.splitlines() if line.strip()]
