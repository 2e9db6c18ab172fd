"""Make the English sample pages: text in handwriting fonts on paper that looks scanned or photographed.

    python tools/make_samples.py

The letters are drawn by fonts, not written by hand: these pages show how to use the program, not how
well it reads. The Copiste pages in this folder are real handwriting.
"""

from __future__ import annotations

import random
import textwrap
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.learning.synthesis.lines import distort, render_words
from text_recognizer.learning.synthesis.photograph import photograph
from text_recognizer.paths import data_dir

HERE = Path(__file__).resolve().parents[1] / "samples"
LETTER = """Baker Street, 4 March 1891

My dear Watson,

You may remember the affair of the missing
documents. I have gone over every particular
of the case, and I am sure that the paper was
taken from the desk between 9 and 10 o'clock,
when the house was empty. The clerk saw nobody
enter; but he heard a step upon the stairs.

Will you come at once if convenient?
If inconvenient come all the same.

Yours, S. H."""
NOTES = """Shopping for Saturday

2 pounds of apples      £3.40
bread, butter, salt      £5.15
a dozen eggs                £2.80
Total: £11.35

Call Anna Köhler about the garden.
Send the parcel to 17 Mill Lane, York.
The train leaves at 8:45 from platform 3!"""


def write(text: str, font: str, size: int, seed: int) -> NDArray[np.uint8]:
    """A page gray uint8 (H, W): the text in a handwriting font, a line of text a line of writing."""
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    path = data_dir() / "fonts" / f"{font}.ttf"
    lines = text.splitlines()
    pitch = int(size * 1.55)
    page = np.full((pitch * (len(lines) + 3), 1240), 243, np.float32)
    for y in range(2 * pitch, page.shape[0], pitch):
        cv2.line(page, (0, y), (page.shape[1], y), 205.0, 1, cv2.LINE_AA)
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        ink = render_words(line, path, size, rng, steady=False)
        ink = distort(ink, rng, steady=True)
        rows = np.flatnonzero(ink.sum(axis=1) > 0.25 * ink.sum(axis=1).max())
        top, left = pitch * (number + 2) - int(rows[-1]) - 2, 110 + rng.randint(-6, 10)
        ink = ink[max(0, -top) :, : page.shape[1] - left]
        region = page[top : top + ink.shape[0], left : left + ink.shape[1]]
        alpha = ink[: region.shape[0]].astype(np.float32) / 255 * noise.uniform(0.8, 0.95)
        region[:] = region * (1 - alpha) + 45 * alpha
    grain = noise.normal(0, 3.5, page.shape)
    return np.clip(cv2.GaussianBlur(page + grain, (0, 0), 0.7), 0, 255).astype(np.uint8)


def main() -> None:
    """Write the sample pages and their texts beside this file."""
    letter = write(textwrap.dedent(LETTER), "kalam", 46, seed=1)
    notes, _ = photograph(write(textwrap.dedent(NOTES), "patrick-hand", 54, seed=2), seed=2)
    for name, picture, text in (("letter", letter, LETTER), ("notes-photograph", notes, NOTES)):
        pixels = picture if picture.ndim == 2 else picture[:, :, ::-1]
        cv2.imwrite(str(HERE / f"{name}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 82])
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
