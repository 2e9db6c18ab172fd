"""Synthetic lines where recognisers are weak: written forms and signs, and sentences of twelve languages.

Texts of `written_forms.py` and `languages.py` in handwriting fonts, which draw what they lack (`drawn_glyphs.py`), and
in ordinary typefaces, on paper that is scanned or photographed (`scanned.py`). Deterministic by seed: line number i of
seed s is always the same picture with the same text, on the same machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet
from text_recognizer.images import normalize_line
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.datasets.pages import LEAST_COLUMNS
from text_recognizer.learning.datasets.registry import register
from text_recognizer.learning.synthesis.drawn_glyphs import set_words, settable
from text_recognizer.learning.synthesis.glyphs import drawable
from text_recognizer.learning.synthesis.languages import SHARES, Sentences
from text_recognizer.learning.synthesis.lines import (
    SYNTHETIC,
    Typeface,
    distort,
    drawn_from,
    handwriting_faces,
    printed_faces,
    render_words,
    with_neighbours,
)
from text_recognizer.learning.synthesis.page_margins import margin_strips
from text_recognizer.learning.synthesis.scanned import Look, scanned, textured
from text_recognizer.learning.synthesis.written_forms import WrittenForms
from text_recognizer.learning.synthesis.written_patterns import KINDS
from text_recognizer.paths import cache_dir

#: Changes with the pictures; prepared ones are made again.
FORMS_VERSION = 1

_NEIGHBOURS = 0.15  # share of the lines with pieces of other ones at their edges
_LINE = 8  # characters of a text that has neighbours
_INK = 128  # of the darkest pixel of a line
_TRIES = 50  # texts, until one is found that a font can set
_WRITTEN = Look()
_PRINTED = Look(photo=0.35, noise=10.0, coarse=0.2, jpeg=0.4)

Image = NDArray[np.uint8]


class Texts(Protocol):
    """What draws texts."""

    def sample(self, rng: random.Random) -> str:
        """One text."""


class FormLines:
    """A generator of line pictures; `self[i]` is line number i.

    name: "synthetic-signs" or "synthetic-languages". printed_share: of the lines in ordinary typefaces; a text with a
    character that none of the chosen kind has is set in the other. strips: of real paper.
    """

    def __init__(self, name: str, seed: int, printed_share: float = 0.25, strips: Image | None = None) -> None:
        self.name, self.seed, self.printed_share, self.strips = name, seed, printed_share, strips
        alphabet = Alphabet()
        self.texts: Texts = Sentences(alphabet) if name == "synthetic-languages" else WrittenForms(alphabet)
        self.written = [(face, _written_characters(face)) for face in handwriting_faces()]
        self.printed = [(face, face.characters) for face in printed_faces()]

    def __getitem__(self, number: int) -> tuple[Image, LineLabel]:
        """The picture as gray uint8 (H, W), before normalisation, and its label."""
        return self._line(number)

    def _line(self, number: int, attempt: int = 0) -> tuple[Image, LineLabel]:
        rng = random.Random(f"{self.name}-{self.seed}-{number}-{attempt}")
        noise = np.random.default_rng(rng.getrandbits(63))
        text, face = self._chosen(rng)
        mask = _set(text, face, rng)
        if rng.random() < _NEIGHBOURS and len(text) >= _LINE:
            mask = with_neighbours(mask, mask[:, ::-1], rng)
        grained = rng.uniform(0, 0.6) if face.handwriting else 0.0
        ink = textured(mask, grained, rng, noise, rng.uniform(0.45, 1.0))
        picture = scanned(ink, rng, noise, _WRITTEN if face.handwriting else _PRINTED, self.strips)
        label = LineLabel(f"{self.name}-{self.seed}-{number}", text, f"font-{face.path.stem}", self.name)
        return picture, label

    def normalized(self, count: int) -> Iterator[tuple[Image, LineLabel]]:
        """The first `count` lines, normalised. One whose ink the normalisation takes for a rule, or whose text has no
        room, is drawn again."""
        for number in range(count):
            for attempt in range(_TRIES):
                picture, label = self._line(number, attempt)
                image = normalize_line(picture)
                if image.max() > _INK and image.shape[1] >= LEAST_COLUMNS * len(label.text):
                    break
            yield image, label

    def _chosen(self, rng: random.Random) -> tuple[str, Typeface]:
        """A text and a face that has all its characters."""
        kinds = [self.written, self.printed]
        if rng.random() < self.printed_share:
            kinds.reverse()
        for _ in range(_TRIES):
            text = self.texts.sample(rng)
            letters = set(text) - {" "}
            for faces in kinds:
                able = [face for face, characters in faces if letters <= characters]
                if able:
                    return text, rng.choice(able)
        raise ValueError(f"none of {_TRIES} texts can be set in the fonts that are installed, the last one is {text!r}")


def _written_characters(face: Typeface) -> frozenset[str]:
    """What a handwriting face can set; no small letters where it draws capitals for them."""
    if drawable(face, "abdefghlnqrt"):
        return settable(face)
    return frozenset(character for character in settable(face) if not character.islower())


def _set(text: str, face: Typeface, rng: random.Random) -> Image:
    """The ink mask uint8 (H, W) of a text, 255 for ink, with a little room around it."""
    if face.handwriting:
        size = rng.randint(34, 60)
        mask = distort(set_words(text, face, size, rng), rng, steady=False)
    else:
        size = rng.randint(26, 54)
        mask = distort(render_words(text, face.path, size, rng, steady=True), rng, steady=True)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return mask
    room = round(0.2 * size)
    return np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], room)


def form_lines(name: str, seed: int = 1, count: int = 12000, printed_share: float = 0.25) -> LineDataset:
    """`count` normalised lines of "synthetic-signs" or "synthetic-languages", cached."""
    strips = margin_strips()
    generator = FormLines(name, seed, printed_share, strips)
    fonts = [face.path.name for face, _ in (*generator.written, *generator.printed)]
    table: Sequence[object] = (KINDS, dict(SHARES))
    made_of = FORMS_VERSION, printed_share, fonts, table, strips.tobytes(), *drawn_from()
    key = f"{name}-{seed}-{count}-{fingerprint(*made_of)}"
    return cached_lines(cache_dir(), key, generator.normalized(count), count)


_FORMS = replace(
    SYNTHETIC,
    licence="by font, text and paper: CC BY, some texts CC BY-SA",
    source=f"{SYNTHETIC.source}, texts of languages into text/<language>/",
)


@register(replace(_FORMS, name="synthetic-signs", about="dates, amounts, equations, lists, rare signs, set in fonts"))
def _signs(seed: int = 1, count: int = 12000, printed_share: float = 0.25) -> LineDataset:
    return form_lines("synthetic-signs", seed, count, printed_share)


@register(replace(_FORMS, name="synthetic-languages", about="sentences of twelve languages, set in fonts"))
def _sentences(seed: int = 1, count: int = 12000, printed_share: float = 0.25) -> LineDataset:
    return form_lines("synthetic-languages", seed, count, printed_share)
