"""Single characters set in the handwriting fonts, varied as a hand would vary them.

Deterministic by seed, as the synthetic lines are.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import fit_character
from text_recognizer.learning.synthesis.lines import Typeface, distort, handwriting_faces, render_words

GLYPH_VERSION = 1  # changes with the pictures; cached ones are made again

_SIZE = 56
#: Small letters that look otherwise than their capitals: a font that draws them alike has no small letters.
_DISTINCT = "abdefghlnqrt"
_ALIKE = 8.0  # mean difference of two pictures that counts as the same


def glyphs(characters: str, variants: int, seed: int) -> Iterator[tuple[NDArray[np.uint8], str, str]]:
    """`variants` pictures of each character in each font: uint8 (28, 28), the character, the name of the font."""
    for face in handwriting_faces():
        name = f"font-{face.path.stem}"
        for character in drawable(face, characters):
            for variant in range(variants):
                rng = random.Random(f"{seed}-{name}-{character}-{variant}")
                picture = fit_character(distort(_draw(face, character, rng), rng, steady=False))
                if picture.any():
                    yield picture, character, name


def drawable(face: Typeface, characters: str) -> str:
    """The characters that a font has; no small letters where it draws capitals for them."""
    there = "".join(c for c in characters if c in face.characters)
    pairs = [c for c in _DISTINCT if c in face.characters and c.upper() in face.characters]
    alike = sum(_same(face, c, c.upper()) for c in pairs)
    if pairs and alike > len(pairs) / 2:
        return "".join(c for c in there if not c.islower())
    return there


def _same(face: Typeface, one: str, other: str) -> bool:
    rng = random.Random(0)
    first, second = (fit_character(_draw(face, c, rng)).astype(np.float32) for c in (one, other))
    return float(np.abs(first - second).mean()) < _ALIKE


def _draw(face: Typeface, character: str, rng: random.Random) -> NDArray[np.uint8]:
    return render_words(character, face.path, _SIZE, rng, steady=True)
