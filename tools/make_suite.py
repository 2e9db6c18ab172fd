"""Make the images of the suite "basic": lines and pages set in fonts, and real lines of the samples.

    TEXT_RECOGNIZER_DATA=... python tools/make_suite.py

Run it again only for a new version of the suite. Fonts: handwriting fonts of the data folder and Courier Prime (all OFL
1.1 or Apache 2.0). Real lines and the real page: samples/copiste-1.jpg and copiste-2.jpg (CC BY 4.0).
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

from text_recognizer import TextRecognizer
from text_recognizer.images import LineStrip
from text_recognizer.paths import data_dir

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "text_recognizer" / "suites" / "basic"
SAMPLES = ROOT / "samples"
PRINT = "/usr/share/fonts/opentype/courier-prime/Courier Prime.otf"
PAPER, INK = 245, 45
#: Lines by the name of their image: the font and the text.
LINES = {
    "digits": ("kalam", "0 1 2 3 4 5 6 7 8 9 1984 2026"),
    "small-letters": ("patrick-hand", "the quick brown fox jumps over the lazy dog"),
    "capitals": ("architects-daughter", "SPHINX OF BLACK QUARTZ JUDGE MY VOW"),
    "capitals-in-words": ("delius", "Anna, Boris, Clara, David, Emma, Frank and Greta"),
    "punctuation": ("coming-soon", '"Well," he said; "is it so? No! (Yes: it is.)"'),
    "accents": ("kalam", "Où était l'élève à Noël, garçon naïf ?"),
    "amounts": ("handlee", "It costs £3.40, or 12% of 28 pounds."),
    "word": ("caveat", "Handwriting"),
    "short": ("patrick-hand", "No."),
    "slanted": ("nothing-you-could-do", "My dear friend, I have your letter of last week."),
    "long": (
        "indie-flower",
        "You may remember the affair of the missing documents, for I have gone over every particular of the case, and "
        "I am sure that the paper was taken from the desk in the morning",
    ),
}
NUMBERS = ["3 1 4 1 5 9 2 6", "27 18 28 18 28", "1066 1492 1789", "0 10 200 3000", "99 88 77 66", "12345 67890"]
LETTER = [
    "My dear Watson,",
    "Will you come at once if convenient?",
    "If inconvenient come all the same.",
    "Yours, S. H.",
]
PARAGRAPH = [
    "Mr. Brown said last night that he had not",
    "been told of the plan until the meeting was",
    "over, and that he would not vote for it.",
]
CELLS = {"digits": "0123456789", "capitals": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "small": "abcdefghijklmnopqrstuvwxyz"}
Gray = NDArray[np.uint8]


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(name if "/" in name else str(data_dir() / "fonts" / f"{name}.ttf"), size)


def line(font: str, text: str, size: int = 52) -> Image.Image:
    """One line with a little air."""
    face = _font(font, size)
    left, top, right, bottom = face.getbbox(text)
    picture = Image.new("L", (int(right - left) + 40, int(bottom - top) + 24), PAPER)
    ImageDraw.Draw(picture).text((20 - left, 12 - top), text, INK, face)
    return picture


def page(rows: list[str], font: str, size: int, width: int = 900) -> tuple[Image.Image, list[list[int]]]:
    """A page of rows, and their boxes from the ascenders to the descenders: left, top, right, bottom."""
    face, pitch = _font(font, size), int(1.8 * size)
    picture = Image.new("L", (width, pitch * (len(rows) + 3)), PAPER)
    draw, boxes = ImageDraw.Draw(picture), []
    for number, text in enumerate(rows):
        at = 90, pitch * (number + 1) + pitch // 2
        draw.text(at, text, INK, face)
        left, _, right, _ = draw.textbbox(at, text, face)
        top, bottom = draw.textbbox(at, "lg", face)[1::2]
        boxes.append([round(value) for value in (left, top, right, bottom)])
    return picture, boxes


def cells(text: str, font: str, side: int = 48) -> Image.Image:
    """A row of characters, each in the middle of a square cell."""
    face = _font(font, 34)
    picture = Image.new("L", (side * len(text), side), PAPER)
    draw = ImageDraw.Draw(picture)
    for number, character in enumerate(text):
        draw.text((side * number + side / 2, side * 0.72), character, INK, face, anchor="ms")
    return picture


def real_lines(recognizer: TextRecognizer, name: str, rows: list[int]) -> list[tuple[Gray, str]]:
    """Lines of a sample page with their true texts, chosen by their rows in its text."""
    gray = np.array(Image.open(SAMPLES / f"{name}.jpg").convert("L"))
    truth = [row for row in (SAMPLES / f"{name}.txt").read_text(encoding="utf-8").splitlines() if row.strip()]
    found = [LineStrip(line.baseline, line.polygon).cut(gray) for line in recognizer.detector.detect(gray)]
    read = [line.text for line in recognizer.line_reader.read(found)]
    nearest = [min(range(len(read)), key=lambda i: Levenshtein.distance(read[i], truth[row])) for row in rows]
    return [(found[at], truth[row]) for at, row in zip(nearest, rows, strict=True)]


def noisy(height: int, width: int, rules: int = 0) -> Image.Image:
    """Paper without writing: grain, and printed rules where they are asked for."""
    rng = np.random.default_rng(1)
    paper = np.full((height, width), PAPER, np.float32)
    for number in range(rules):
        cv2.line(paper, (0, 60 * (number + 1)), (width, 60 * (number + 1)), 205.0, 1)
    return Image.fromarray(np.clip(paper + rng.normal(0, 3, paper.shape), 0, 255).astype(np.uint8))


def main() -> None:
    """Write the images, and what make.json says of them, into the folder of the suite."""
    for name, (font, text) in LINES.items():
        line(font, text).save(HERE / f"{name}.png", optimize=True)
    noisy(64, 480).save(HERE / "blank-line.png", optimize=True)
    noisy(900, 700).save(HERE / "blank-page.webp", quality=80)
    noisy(900, 700, rules=13).save(HERE / "ruled-page.webp", quality=80)
    outlines = {}
    pages = {"numbers": (NUMBERS, PRINT, 44), "letter": (LETTER, "kalam", 46), "one-line": (LETTER[1:2], "caveat", 60)}
    for name, (rows, font, size) in pages.items():
        picture, outlines[f"{name}.png"] = page(rows, font, size)
        picture.save(HERE / f"{name}.png", optimize=True)
    for name, text in CELLS.items():
        cells(text, "delius").save(HERE / f"cells-{name}.png", optimize=True)
    recognizer = TextRecognizer()
    texts = {}
    for name, chosen in (("copiste-1", [1, 4, 6]), ("copiste-2", [1, 2, 3])):
        for number, (crop, text) in enumerate(real_lines(recognizer, name, chosen), 1):
            Image.fromarray(crop).save(HERE / f"{name}-line-{number}.webp", quality=85)
            texts[f"{name}-line-{number}.webp"] = text
    sample = Image.open(SAMPLES / "copiste-1.jpg").convert("L")
    sample.resize((sample.width // 2, sample.height // 2)).save(HERE / "copiste-1.webp", quality=70)
    paragraph, _ = page(PARAGRAPH, "kalam", 40, 1000)
    paragraph.save(HERE / "paragraph.png", optimize=True)
    content = json.dumps({"outlines": outlines, "texts": texts}, indent=1, ensure_ascii=False)
    (HERE / "made.json").write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
