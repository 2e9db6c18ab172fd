"""Accuracy of character recognisers, and what they take for what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from text_recognizer.learning.synthesis.characters import CLASSES, CharacterDataset
from text_recognizer.recognition.text.character_recognizer import CharacterRecognizer

_CELL = 12  # pixels of a cell of the picture


def confusion(true: NDArray[np.int64], answers: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each class (row) was taken for each (column): (62, 62)."""
    size = len(CLASSES)
    return np.bincount(true * size + answers, minlength=size * size).reshape(size, size)


def accuracies(counts: NDArray[np.int64]) -> dict[str, float]:
    """Shares of right answers, 0 to 1, from a confusion matrix.

    accuracy: of all characters. class mean: the mean of the accuracies of the classes that occur, so that rare ones
    count like frequent ones. ignoring case: of all characters, where c for C is right.
    """
    totals = counts.sum(axis=1)
    there = totals > 0
    folded = np.array([CLASSES.lower().index(character) for character in CLASSES.lower()])
    same = folded[:, None] == folded[None]
    return {
        "accuracy": float(np.trace(counts) / max(1, counts.sum())),
        "class mean": float((np.diag(counts)[there] / totals[there]).mean()) if there.any() else 0.0,
        "ignoring case": float(counts[same].sum() / max(1, counts.sum())),
    }


def measure_characters(recognizer: CharacterRecognizer, dataset: CharacterDataset) -> NDArray[np.int64]:
    """The confusion matrix (62, 62) of a recogniser on a dataset. Raises ValueError where its classes are others."""
    if recognizer.classes != CLASSES:
        raise ValueError(f"{recognizer.bundle.folder} knows other classes than {CLASSES}")
    logits = recognizer.logits(np.asarray(dataset.pixels))
    return confusion(dataset.labels, logits.argmax(axis=1))


def worst_confusions(counts: NDArray[np.int64], most: int = 12) -> list[tuple[str, str, int]]:
    """The most frequent confusions: the true character, what it was taken for, and how often."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [np.unravel_index(index, wrong.shape) for index in order]
    return [(CLASSES[row], CLASSES[column], int(wrong[row, column])) for row, column in pairs if wrong[row, column]]


def confusion_picture(counts: NDArray[np.int64]) -> Image.Image:
    """A confusion matrix as a picture: a row for each true character, dark where answers gather."""
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    cells = 255 - np.round(255 * np.sqrt(shares)).astype(np.uint8)  # the root shows rare confusions too
    size = len(CLASSES)
    picture = Image.new("L", ((size + 3) * _CELL, (size + 3) * _CELL), 255)
    grid = Image.fromarray(cells).resize((size * _CELL, size * _CELL), Image.Resampling.NEAREST)
    picture.paste(grid, (2 * _CELL, 2 * _CELL))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_CELL)
    for number, character in enumerate(CLASSES):
        at = (number + 2.5) * _CELL
        draw.text((at, 1.2 * _CELL), character, fill=0, font=font, anchor="mm")
        draw.text((1.2 * _CELL, at), character, fill=0, font=font, anchor="mm")
    draw.rectangle((2 * _CELL - 1, 2 * _CELL - 1, (size + 2) * _CELL, (size + 2) * _CELL), outline=128)
    return picture
