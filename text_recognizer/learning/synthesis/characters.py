"""Single characters: cut out of lines, set in fonts, from EMNIST; prepared once, then read from memory-mapped files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import CHARACTER_VERSION, NORMALIZATION_VERSION, fit_character
from text_recognizer.learning.alignment.character_extents import shipped_extents
from text_recognizer.learning.alignment.forced_alignment import ALIGNMENT_VERSION, clear, cut_normalized
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.emnist import EmnistPart, emnist, emnist_digits, emnist_file
from text_recognizer.learning.datasets.iam import IAM
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.pages import of_page_set
from text_recognizer.learning.datasets.registry import Description, register
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.synthesis.glyphs import GLYPH_VERSION, glyphs
from text_recognizer.learning.synthesis.lines import SYNTHETIC
from text_recognizer.paths import cache_dir, data_dir
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

#: The classes, in the order of their numbers: those of EMNIST byclass.
CLASSES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_LINES = 64  # lines that are read together

#: A picture uint8 (28, 28), its character and its writer.
Sample = tuple[NDArray[np.uint8], str, str]


@dataclass
class CharacterSource:
    """name: "fonts", "emnist-digits", "emnist-train", "emnist-test", or a line source ("iam-train", "copiste-val")
    that characters are cut out of. characters: drawn per epoch, 0 for as many as there are. variants, seed: of
    fonts, pictures of each character in each font. optional: do without it where it, or what reads it, is missing."""

    name: str
    characters: int = 0
    variants: int = 4
    seed: int = 1
    optional: bool = False


class CharacterDataset(Sequence[tuple[NDArray[np.uint8], int]]):
    """Normalised characters in memory-mapped storage.

    An item is an image uint8 (28, 28), ink 255 and paper 0, and the number of its class. On disk: `pixels.npy` uint8
    (N, 28, 28) and `index.json` with the text (N characters) and the writers.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.text: str = index["text"]
        self.writers: list[str] = index["writers"]
        self.labels = np.array([CLASSES.index(character) for character in self.text], np.int64)
        self.pixels = np.load(folder / "pixels.npy", mmap_mode="r")

    def __len__(self) -> int:
        return len(self.text)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return np.array(self.pixels[index]), int(self.labels[index])


def character_dataset(source: CharacterSource) -> CharacterDataset:
    """The dataset a source names. Raises ValueError for an unknown name, FileNotFoundError for missing data and
    ModuleNotFoundError where a package that reads them is missing."""
    if source.name == "fonts":
        marks = fingerprint(GLYPH_VERSION, source.variants, source.seed, data_dir() / "fonts")
        return cached_characters(f"fonts-{marks}", lambda: glyphs(CLASSES, source.variants, source.seed))
    if source.name == "emnist-digits":
        marks = fingerprint(data_dir() / "emnist" / "emnist_digits_test.parquet")
        return cached_characters(f"emnist-digits-{marks}", lambda: _from_emnist(emnist_digits()))
    if source.name in ("emnist-train", "emnist-test"):
        split, marks = source.name.removeprefix("emnist-"), fingerprint(source.seed, emnist_file())
        return cached_characters(f"{source.name}-{marks}", lambda: _from_emnist(emnist(split, source.seed)))
    return _cut_lines(source.name)


def cached_characters(key: str, make: Callable[[], Iterable[Sample]]) -> CharacterDataset:
    """The dataset stored under `key`, made where it is not there yet; the folder appears whole or not at all."""
    folder = cache_dir() / f"characters-{key}-version{CHARACTER_VERSION}"
    if not (folder / "index.json").exists():
        with whole_folder(folder) as partial:
            _write(partial, key, make())
    return CharacterDataset(folder)


def _write(folder: Path, key: str, samples: Iterable[Sample]) -> None:
    pictures, characters, writers = [], [], []
    for picture, character, writer in samples:
        pictures.append(picture)
        characters.append(character)
        writers.append(writer)
    if not pictures:
        raise ValueError(f"{key} has no characters")
    np.save(folder / "pixels.npy", np.stack(pictures))
    index = {"text": "".join(characters), "writers": writers}
    (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")


def _from_emnist(part: EmnistPart) -> Iterator[Sample]:
    for picture, character, writer in zip(part.images, part.text, part.writers, strict=True):
        yield fit_character(picture), character, writer


def _cut_lines(name: str) -> CharacterDataset:
    """Characters of a line source, cut by the shipped line recogniser."""
    lines, recognizer = line_dataset(LineSource(name)), LineTextRecognizer()
    versions = ALIGNMENT_VERSION, NORMALIZATION_VERSION, recognizer.bundle.sha256, dict(shipped_extents())
    marks = fingerprint(versions, lines.widths.tolist(), [label.text for label in lines.labels])
    return cached_characters(f"{name}-{marks}", lambda: _cut(lines, recognizer, name))


def _cut(lines: LineDataset, recognizer: LineTextRecognizer, name: str) -> Iterator[Sample]:
    # Lines of like width share a batch; 64 at a time, so that their logits fit into memory.
    order = np.argsort(lines.widths, kind="stable")
    groups = [order[start : start + _LINES] for start in range(0, len(order), _LINES)]
    for group in track(groups, description=f"cutting characters out of {name}"):
        items = [lines[index] for index in group]
        for (image, label), logits in zip(items, recognizer.logits([image for image, _ in items]), strict=True):
            try:
                cut = cut_normalized(image, label.text, logits, recognizer.alphabet, recognizer.geometry)
            except ValueError:
                continue  # more text than the line has room for
            known = [c for c in clear(cut) if c.character in CLASSES]
            yield from ((fit_character(c.image), c.character, label.writer) for c in known)


def _register_cut(lines: Description, of: str) -> None:
    """Make known the characters that are cut out of a line dataset."""
    about = f"characters cut out of lines: {of}"

    @register(replace(lines, name=f"{lines.name}-characters", kind="characters", about=about))
    def load_characters(split: str) -> CharacterDataset:
        return character_dataset(CharacterSource(f"{lines.name}-{split}"))


_register_cut(IAM, "IAM")
_register_cut(of_page_set("copiste"), "Copiste")


@register(
    replace(
        SYNTHETIC,
        name="font-characters",
        kind="characters",
        about="characters set in fonts",
        options=("seed",),
        files=(("fonts",),),
    )
)
def _of_fonts(seed: int = 1) -> CharacterDataset:
    return character_dataset(CharacterSource("fonts", seed=seed))


_EMNIST = "https://www.nist.gov/itl/products-and-services/emnist-dataset"


@register(
    Description(
        "emnist-digits",
        "characters",
        "EMNIST: digits of its test split",
        licence="public domain",
        source=_EMNIST,
        files=(("emnist/emnist_digits_test.parquet",),),
    )
)
def _of_digits() -> CharacterDataset:
    return character_dataset(CharacterSource("emnist-digits"))


@register(
    Description(
        "emnist",
        "characters",
        "EMNIST: 62 classes, balanced",
        licence="public domain",
        source=f"{_EMNIST}: `data prepare emnist` does it",
        splits=("train", "test"),
        options=("seed",),
        files=(("emnist/emnist-byclass.mat",),),
        fetched=True,
    )
)
def _of_emnist(split: str, seed: int = 1) -> CharacterDataset:
    return character_dataset(CharacterSource(f"emnist-{split}", seed=seed))
