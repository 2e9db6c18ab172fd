"""Lines put together from single characters: sentences whose letters were written one by one.

Version 1 is that of the Full Stack Deep Learning course: square pictures of characters side by side, overlapping by
a share that is drawn for each line. Version 2 is harder and closer to writing: the characters of one hand
where there are enough, at the sizes and on the baseline of a script, slanted, on paper. The characters are those of
EMNIST where it was prepared, else those cut out of IAM's lines, where they are there, and of the handwriting fonts.

Deterministic by seed: line number i of seed s is always the same picture with the same text.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import LINE_HEIGHT, normalize_line
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.synthesis.characters import CharacterDataset, CharacterSource, character_dataset
from text_recognizer.learning.synthesis.lines import distort, on_paper
from text_recognizer.learning.synthesis.text import TextSampler
from text_recognizer.paths import cache_dir, data_dir

CHARACTER_LINES_VERSION = 1  # changes with the pictures; cached ones are made again

_CELL = 40  # pixels of a character's square in version 1
_OVERLAP = 0.33  # of a square, at most
_CAPITAL = 44  # pixels of a capital in version 2
_SMALL = frozenset("acemnorsuvwxz")  # as high as an x
_HANGING = frozenset("gpqy")  # as high as a capital, half of it below the baseline
_X_HEIGHT = 0.55  # of a capital
_HAND = 40  # characters that a writer needs for a line of their own

Image = NDArray[np.uint8]


class CharacterLines:
    """A generator of lines; `self[i]` is line number i.

    datasets: of characters. seed: start of the sequence. version: 1 or 2, see above. hands: writers whose
    characters are used, all by default.
    """

    def __init__(
        self, datasets: Sequence[CharacterDataset], seed: int = 1, version: int = 1, hands: Collection[str] = ()
    ) -> None:
        self.datasets, self.seed, self.version = datasets, seed, version
        self.text = TextSampler(Alphabet())
        self.of_class: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.of_hand: dict[str, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for part, dataset in enumerate(datasets):
            for number, (character, writer) in enumerate(zip(dataset.text, dataset.writers, strict=True)):
                if hands and writer not in hands:
                    continue
                self.of_class[character].append((part, number))
                self.of_hand[writer][character].append((part, number))
        self.hands = sorted(w for w, found in self.of_hand.items() if sum(map(len, found.values())) >= _HAND)

    def __getitem__(self, number: int) -> tuple[Image, LineLabel]:
        """The normalised line uint8 (64, W), ink 255, and its label."""
        rng, noise = random.Random(f"{self.seed}-{number}"), np.random.default_rng([self.seed, number])
        text = self._sentence(rng)
        hand = rng.choice(self.hands) if self.version == 2 and self.hands else ""
        pictures = [self._picture(character, hand, rng) if character != " " else None for character in text]
        if self.version == 1:
            line = side_by_side(pictures, rng.uniform(0, _OVERLAP))
        else:
            written = distort(on_a_baseline(text, pictures, rng), rng, steady=False)
            line = normalize_line(on_paper(written, rng, noise))
        source = f"emnist-lines{'-2' if self.version == 2 else ''}"
        return line, LineLabel(f"{source}-{self.seed}-{number}", text, hand or f"many-{self.seed}-{number}", source)

    def lines(self, count: int) -> Iterator[tuple[Image, LineLabel]]:
        """The first `count` lines."""
        return (self[number] for number in range(count))

    def _sentence(self, rng: random.Random) -> str:
        """A text of letters and digits that there are pictures of."""
        while True:
            sample = self.text.sample(rng)
            text = normalize_text("".join(c for c in sample if c == " " or c in self.of_class))
            if text:
                return text

    def _picture(self, character: str, hand: str, rng: random.Random) -> Image:
        own = self.of_hand[hand].get(character) if hand else None
        part, number = rng.choice(own or self.of_class[character])
        return self.datasets[part][number][0]


def side_by_side(pictures: Sequence[Image | None], overlap: float) -> Image:
    """Square pictures in a row, each over a share of the one before; None is a space. Returns uint8 (64, W)."""
    step = max(1, round(_CELL * (1 - overlap)))
    line = np.zeros((LINE_HEIGHT, step * (len(pictures) - 1) + _CELL), np.uint8)
    top = (LINE_HEIGHT - _CELL) // 2
    for place, picture in enumerate(pictures):
        if picture is not None:
            cell = line[top : top + _CELL, place * step : place * step + _CELL]
            np.maximum(cell, cv2.resize(picture, (_CELL, _CELL)), out=cell)
    return line


def on_a_baseline(text: str, pictures: Sequence[Image | None], rng: random.Random) -> Image:
    """Pictures of the characters of `text` as a line of script, uint8 (H, W), ink 255: sizes and places of a hand."""
    gap, space = rng.uniform(-0.06, 0.12) * _CAPITAL, rng.uniform(0.3, 0.7) * _CAPITAL
    pieces = [
        None if picture is None else _sized(character, picture, rng)
        for character, picture in zip(text, pictures, strict=True)
    ]
    width = sum(space if piece is None else piece.shape[1] + max(0.0, gap) + 3 for piece in pieces)
    line = np.zeros((3 * _CAPITAL, int(width) + 2 * _CAPITAL), np.uint8)
    baseline, x = 2 * _CAPITAL, float(_CAPITAL // 2)
    for character, piece in zip(text, pieces, strict=True):
        if piece is None:
            x += space
            continue
        drop = 0.5 * len(piece) if character in _HANGING else 0.0
        bottom = round(baseline + drop + rng.gauss(0, 0.03) * _CAPITAL)
        place = line[bottom - len(piece) : bottom, round(x) : round(x) + piece.shape[1]]
        np.maximum(place, piece[: len(place), : place.shape[1]], out=place)
        x = max(0.0, x + piece.shape[1] + gap + rng.uniform(-1, 2))
    return line[:, : min(line.shape[1], round(x) + _CAPITAL)]


def _sized(character: str, picture: Image, rng: random.Random) -> Image:
    """The ink of a character's picture at the height that it has in a script."""
    rows, columns = np.flatnonzero(picture.max(axis=1) > 64), np.flatnonzero(picture.max(axis=0) > 64)
    ink = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else picture
    height = _CAPITAL * (_X_HEIGHT if character in _SMALL else 1.0) * rng.uniform(0.9, 1.1)
    scale = height / ink.shape[0]
    return cv2.resize(ink, (max(2, round(ink.shape[1] * scale)), max(2, round(height)))).astype(np.uint8)


def emnist_lines(split: str, version: int, seed: int = 1, count: int = 10000) -> LineDataset:
    """`count` lines, cached; split: "train" or "val", whose characters are of different writers."""
    names = character_names(split)
    datasets = [character_dataset(CharacterSource(name)) for name in names]
    hands = font_hands(datasets[0], split) if names == ["fonts"] else ()
    generator = CharacterLines(datasets, seed if split == "train" else seed + 1_000_000, version, hands)
    made_of = fingerprint(CHARACTER_LINES_VERSION, names, [dataset.text for dataset in datasets], data_dir() / "text")
    key = f"emnist-lines-{version}-{split}-{seed}-{count}-{made_of}"
    return cached_lines(cache_dir(), key, generator.lines(count), count)


def character_names(split: str) -> list[str]:
    """The sources of characters that there are: EMNIST; else IAM's lines, and fonts for "train"; else fonts."""
    folder = data_dir()
    if (folder / "emnist" / "emnist-byclass.mat").exists():
        return ["emnist-train" if split == "train" else "emnist-test"]
    if any((folder / "iam" / name).exists() for name in ("lines.tsv", "lines.txt", "ascii/lines.txt", "xml")):
        return [f"iam-{split}", *(["fonts"] if split == "train" else [])]
    return ["fonts"]


def font_hands(dataset: CharacterDataset, split: str) -> list[str]:
    """The fonts of a split where fonts are all there is: every fifth is for "val"."""
    fonts = sorted(set(dataset.writers))
    return fonts[::5] if split == "val" else [font for number, font in enumerate(fonts) if number % 5]
