"""Synthetic lines: text set in handwriting fonts and ordinary typefaces, made to look written and scanned.

Deterministic by seed: line number i of seed s is always the same picture with the same text.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from fontTools.ttLib import TTFont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from text_recognizer.alphabet import WESTERN_CHARACTERS, Alphabet, normalize_text
from text_recognizer.images import normalize_line
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.datasets.pages import is_legible, of_page_set, pages
from text_recognizer.learning.datasets.registry import Description, register
from text_recognizer.learning.synthesis.scanned import grain
from text_recognizer.learning.synthesis.text import TextSampler
from text_recognizer.paths import cache_dir, data_dir, require

_PRINT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts", "C:/Windows/Fonts")
SYNTHETIC_VERSION = 2  # changes with the pictures; cached ones are made again
Paper = NDArray[np.float32]

SYNTHETIC = Description(
    "synthetic",
    "lines",
    "lines set in fonts",
    licence="by font and text",
    source="wherever you like: handwriting fonts (*.ttf) into fonts/, texts (*.txt) into text/",
    options=("seed", "count", "printed_share"),
    files=(("fonts",), ("text",)),
)

_NON_COMMERCIAL = ("brown.txt",)  # of the texts
_NOT_TEXT = ("symbol", "dingbat", "emoji", "math", "icon", "d050000l", "cursor", "standardsymbols")


@dataclass(frozen=True)
class Typeface:
    """A font file, the characters it has glyphs for, and whether it imitates handwriting."""

    path: Path
    characters: frozenset[str]
    handwriting: bool


def handwriting_faces() -> list[Typeface]:
    """The handwriting fonts of the data folder."""
    folder = require(data_dir() / "fonts", "the handwriting fonts")
    return _faces(sorted(folder.glob("*.ttf")), handwriting=True)


@lru_cache(maxsize=1)
def printed_faces() -> list[Typeface]:
    """Ordinary typefaces installed on this machine; perhaps none."""
    files = [path for folder in _PRINT_FOLDERS for path in sorted(Path(folder).rglob("*.[to]tf"))]
    files = [path for path in files if not any(word in path.name.lower() for word in _NOT_TEXT)]
    return [face for face in _faces(files, handwriting=False) if set("aetnAE019.,") <= face.characters]


def _faces(files: list[Path], handwriting: bool) -> list[Typeface]:
    return [Typeface(path, _characters(path), handwriting) for path in files]


@lru_cache(maxsize=4096)
def _characters(path: Path) -> frozenset[str]:
    with TTFont(path, lazy=True) as font:
        return frozenset(chr(code) for code in (font.getBestCmap() or {}) if code < 0x3000)


@lru_cache(maxsize=256)
def font_of_size(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """The font of a file, `size` pixels for an em."""
    return ImageFont.truetype(str(path), size)


def render_words(text: str, path: Path, size: int, rng: random.Random, steady: bool) -> NDArray[np.uint8]:
    """Ink mask uint8 (H, W) of a text: words set one by one, their gaps and heights uneven unless `steady`."""
    font = font_of_size(path, size)
    ascent, descent = font.getmetrics()
    pad = size // 2
    words = text.split(" ")
    space = max(font.getlength(" "), 0.18 * size) * (1 if steady else rng.uniform(0.8, 2.0))
    widths = [font.getlength(word) for word in words]
    total = int(sum(widths) + space * 1.4 * len(words)) + 2 * pad + size
    canvas = Image.new("L", (total, ascent + descent + 2 * pad), 0)
    draw = ImageDraw.Draw(canvas)
    x = float(pad)
    for word, width in zip(words, widths, strict=True):
        y = pad if steady else pad + rng.gauss(0, 0.02) * size
        draw.text((x, y), word, fill=255, font=font)
        x += width + space * (1 if steady else rng.uniform(0.75, 1.35))
    mask = np.asarray(canvas)
    columns = np.flatnonzero(mask.any(axis=0))
    return mask[:, : columns[-1] + pad] if len(columns) else mask[:, : 2 * pad]


def distort(mask: NDArray[np.uint8], rng: random.Random, steady: bool) -> NDArray[np.uint8]:
    """Slant, a wandering baseline and a changing pen: the ink mask as a hand would vary it."""
    height, width = mask.shape
    slant = rng.gauss(0, 0.02 if steady else 0.18)
    stretch = rng.uniform(0.95, 1.05) if steady else rng.uniform(0.75, 1.3)
    columns = np.arange(int(width * stretch) + int(abs(slant) * height), dtype=np.float32)
    wander = np.zeros_like(columns)
    for period in (rng.uniform(300, 900), rng.uniform(100, 300)):
        amplitude = (0.2 if steady else 1.0) * rng.gauss(0, 0.0025) * period
        wander += amplitude * np.sin(columns / period * 2 * np.pi + rng.uniform(0, 6.3)).astype(np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    map_x = (columns[None] - max(0.0, slant * height) + slant * rows) / stretch
    map_y = np.repeat(rows, len(columns), axis=1) + wander[None]
    warped = cv2.remap(mask, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR, borderValue=0)
    pen = rng.choice([-1, 0, 0, 0, 1, 1, 2]) if not steady else rng.choice([0, 0, 0, 1])
    if pen > 0:
        warped = cv2.dilate(warped, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pen + 1, pen + 1)))
    elif pen < 0 and (warped > 128).mean() > 0.06:
        warped = cv2.erode(warped, np.ones((2, 2), np.uint8))
    return warped.astype(np.uint8)


def on_paper(mask: NDArray[np.uint8], rng: random.Random, noise: np.random.Generator) -> NDArray[np.uint8]:
    """A gray picture uint8 (H, W) of the ink on paper: light, grain, ruled lines, bleeding ink, blur."""
    height, width = mask.shape
    light = rng.randint(170, 255)
    ink = rng.randint(10, 150) if rng.random() < 0.7 else rng.randint(10, 60)
    ink = min(ink, light - 60)
    coarse = noise.normal(0, rng.uniform(0, 6), (4, max(2, width // 60))).astype(np.float32)
    # Cubic at an eighth of the size, linear from there: as smooth, and ten times as fast.
    shade = cv2.resize(coarse, (max(2, width // 8), max(2, height // 8)), interpolation=cv2.INTER_CUBIC)
    paper: Paper = light + cv2.resize(shade, (width, height))
    pressure = noise.uniform(rng.uniform(0.5, 1), 1.0, (2, max(2, width // 25))).astype(np.float32)
    alpha = cv2.multiply(mask, cv2.resize(pressure, (width, height)), scale=1 / 255, dtype=cv2.CV_32F)
    if rng.random() < 0.15:
        _rule(paper, rng, light)
    picture: Paper = paper + (ink - paper) * alpha
    if rng.random() < 0.6:
        picture += np.float32(rng.uniform(0, 7)) * grain(noise, height, width)
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3))
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    return 255 - pixels if rng.random() < 0.03 else pixels


def _rule(paper: Paper, rng: random.Random, light: int) -> None:
    """Draw one or two printed rules across the paper, in place."""
    height, width = paper.shape
    level = light - rng.randint(25, 110)
    for at in (rng.uniform(0.6, 0.8), rng.uniform(0.0, 0.2))[: rng.choice([1, 2])]:
        slope = rng.gauss(0, 0.003) * width
        ends = (0, int(at * height)), (width, int(at * height + slope))
        cv2.line(paper, *ends, float(level), rng.choice([1, 1, 2]), cv2.LINE_AA)


def with_neighbours(mask: NDArray[np.uint8], other: NDArray[np.uint8], rng: random.Random) -> NDArray[np.uint8]:
    """The mask with the feet of the line above or the heads of the line below showing at its edge."""
    height = mask.shape[0]
    show = rng.randint(height // 14, height // 8)
    piece = np.zeros_like(mask)
    width = min(mask.shape[1], other.shape[1])
    rows = np.flatnonzero(other.any(axis=1))
    if not len(rows):
        return mask
    if rng.random() < 0.5:
        source = other[max(0, rows[-1] - show) : rows[-1] + 1, :width]
        piece[: len(source), :width] = source
    else:
        source = other[rows[0] : rows[0] + show, :width]
        piece[height - len(source) :, :width] = source
    return np.maximum(mask, piece)


class SyntheticLines:
    """A generator of line pictures; `self[i]` is line number i.

    seed: start of the sequence. printed_share: share of lines in ordinary typefaces. extra: further
    texts to draw from. without: text files that are not drawn from.
    """

    def __init__(
        self, seed: int, printed_share: float = 0.25, extra: tuple[str, ...] = (), without: tuple[str, ...] = ()
    ) -> None:
        self.seed = seed
        self.printed_share = printed_share
        self.text = TextSampler(Alphabet(WESTERN_CHARACTERS), extra, without)
        self.handwriting = handwriting_faces()
        self.printed = printed_faces() or self.handwriting

    def __getitem__(self, number: int) -> tuple[NDArray[np.uint8], LineLabel]:
        """The picture as gray uint8 (H, W), before normalisation, and its label."""
        rng = random.Random(f"{self.seed}-{number}")
        faces = self.printed if rng.random() < self.printed_share else self.handwriting
        return self.line(number, rng, faces, neighbours=0.25)

    def line(
        self, number: int, rng: random.Random, faces: list[Typeface], neighbours: float = 0.0
    ) -> tuple[NDArray[np.uint8], LineLabel]:
        """Line `number` in one of the faces; neighbours: share of lines with pieces of other lines at their edges."""
        noise = np.random.default_rng([self.seed, number])
        text = self.text.sample(rng)
        face = rng.choice(faces)
        for _ in range(20):
            if set(text) - {" "} <= face.characters:
                break
            face, text = rng.choice(faces), self.text.sample(rng)
        size = rng.randint(40, 72)
        steady = not face.handwriting
        mask = distort(render_words(text, face.path, size, rng, steady), rng, steady)
        if rng.random() < neighbours:
            mask = with_neighbours(mask, mask[:, ::-1], rng)
        label = LineLabel(f"synthetic-{self.seed}-{number}", text, f"font-{face.path.stem}", "synthetic")
        return on_paper(mask, rng, noise), label

    def normalized(self, count: int) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
        """The first `count` lines, normalised."""
        for number in range(count):
            picture, label = self[number]
            yield normalize_line(picture), label


def drawn_from() -> tuple[Path, Path]:
    """The folders of texts and fonts, for keys of prepared data."""
    return data_dir() / "text", data_dir() / "fonts"


def synthetic_lines(
    seed: int, count: int, printed_share: float = 0.25, extra: tuple[str, ...] = (), without: tuple[str, ...] = ()
) -> LineDataset:
    """`count` normalised synthetic lines, cached."""
    generator = SyntheticLines(seed, printed_share, extra, without)
    fonts = [face.path.name for face in generator.handwriting + generator.printed]
    made_of = SYNTHETIC_VERSION, printed_share, extra, fonts, *drawn_from(), *without
    key = f"synthetic-{seed}-{count}-{fingerprint(*made_of)}"
    return cached_lines(cache_dir(), key, generator.normalized(count), count)


def accented_texts() -> tuple[str, ...]:
    """French of volunteers, for its accents: the legible lines of Copiste, sorted; none where it is not there."""
    if of_page_set("copiste").missing():
        return ()
    western = Alphabet(WESTERN_CHARACTERS)  # as in all the text of these lines: a seed stays the same pictures
    texts = {normalize_text(line["text"]) for page in pages("copiste", "train") for line in page.lines}
    return tuple(sorted(text for text in texts if is_legible(text) and not western.missing(text)))


@register(SYNTHETIC)
def _with_all_texts(seed: int = 1, count: int = 12000, printed_share: float = 0.25) -> LineDataset:
    return synthetic_lines(seed, count, printed_share, accented_texts())


@register(replace(SYNTHETIC, name="synthetic-open", about=f"the same without {', '.join(_NON_COMMERCIAL)}"))
def _with_open_texts(seed: int = 1, count: int = 12000, printed_share: float = 0.25) -> LineDataset:
    return synthetic_lines(seed, count, printed_share, accented_texts(), _NON_COMMERCIAL)
