"""Reading of single characters: normalise, run the network, take the likeliest class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import CHARACTER_SIZE, CHARACTER_VERSION, normalize_character
from text_recognizer.recognition.bundle import BundleError, Session, load_bundle
from text_recognizer.recognition.text.ctc import softmax

_ALTERNATIVES = 3


@dataclass(frozen=True)
class ReadCharacter:
    """The reading of one image: the character, its probability, and the likeliest ones with theirs, best first.

    A blank image has an empty text, confidence 1 and no alternatives.
    """

    text: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...] = ()


class CharacterRecognizer:
    """Reads images of single characters with a "characters" bundle."""

    def __init__(self, bundle: str | os.PathLike[str] = "characters", threads: int | None = None) -> None:
        self.bundle = load_bundle(bundle, "characters", CHARACTER_VERSION)
        settings = self.bundle.settings
        try:
            self.classes = str(settings["alphabet"])
            self.temperature = float(settings.get("temperature", 1.0))
            fits = int(settings["size"]) == CHARACTER_SIZE
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"{self.bundle.folder / 'bundle.json'} lacks settings for characters: {error!r}"
            ) from error
        if not fits:
            raise BundleError(f"{self.bundle.folder} reads images of {settings['size']} pixels, not {CHARACTER_SIZE}")
        self.session = Session(self.bundle, threads)

    def read(self, images: Sequence[NDArray[np.uint8]]) -> list[ReadCharacter]:
        """Read images of one character each, uint8 (H, W) or (H, W, 3), in the order given."""
        if not images:
            return []
        pictures = np.stack([normalize_character(image) for image in images])
        probabilities = softmax(self.logits(pictures), self.temperature)
        return [
            self._answer(row) if picture.any() else ReadCharacter("", 1.0)
            for picture, row in zip(pictures, probabilities, strict=True)
        ]

    def logits(self, pictures: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.float32]:
        """Logits (N, K) of normalised characters uint8 (N, 28, 28)."""
        parts = [
            self.session.run(pictures[start : start + batch_size, None].astype(np.float32) / np.float32(255))
            for start in range(0, len(pictures), batch_size)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)), np.float32)

    def _answer(self, probabilities: NDArray[np.float32]) -> ReadCharacter:
        best = np.argsort(-probabilities)[:_ALTERNATIVES]
        alternatives = tuple((self.classes[number], float(probabilities[number])) for number in best)
        return ReadCharacter(*alternatives[0], alternatives)
