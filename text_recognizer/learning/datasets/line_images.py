"""Folders of line images with their texts, as ocropus, kraken, Calamari, tesstrain, Loghi and EasyOCR keep them.

A text is in `0001.gt.txt` beside `0001.png` (or `0001.bin.png`), at any depth; or in a row of `labels.csv` or
`metadata.csv`, whose columns are `filename` or `file_name` and `words` or `text`. Sub-folders `train/`, `val/`, `test/`
make the splits, or else a tenth of the lines, drawn by their names, is `val`. Nothing says who wrote a line: keep the
writers of `train` and `val` apart with sub-folders, or scores will flatter.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import ImageError, normalize_line, open_image
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.datasets.registry import Description, register
from text_recognizer.paths import cache_dir

SPLITS = ("train", "val", "test")

_TEXT = ".gt.txt"
_TABLES = ("labels.csv", "metadata.csv")
_NAMES, _TEXTS = ("filename", "file_name"), ("words", "text")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")


@register(
    Description(
        "line-images",
        "lines",
        "line images with *.gt.txt files or a labels.csv",
        licence="your own",
        source="`path` names it",
        splits=SPLITS,
        options=("path",),
    )
)
def line_images(path: str, split: str) -> LineDataset:
    """The lines of one split of a folder, normalised, cached; what cannot be used is left out, counted and named.

    Raises FileNotFoundError where the folder or its lines are missing, and ValueError where the split is.
    """
    folder = Path(path).expanduser().resolve()
    parts = splits_of_images(folder) if path else {}
    if not parts:
        raise FileNotFoundError(
            f"{path or 'no path'}: `path` names a folder of line images with *.gt.txt or labels.csv"
        )
    if split not in parts:
        raise ValueError(f"{folder} has no lines of split {split!r}; there are: {', '.join(parts)}")
    exclusions, alphabet = Exclusions(f"{folder.name}-{split}"), Alphabet()
    samples = []
    for image, given in sorted(parts[split].items()):
        text, where = normalize_text(given), str(image)
        if not image.is_file():
            exclusions.add("no image", where)
        elif not text:
            exclusions.add("no text", where)
        elif not exclusions.unknown(text, alphabet, where):
            identifier = image.relative_to(folder).with_suffix("").as_posix().replace("/", "-")
            samples.append((image, LineLabel(identifier, text, f"{folder.name}-{image.parent.name}", folder.name)))
    if not samples:
        raise ValueError("; ".join(exclusions.lines()))
    key = f"line-images-{folder.name}-{split}-{fingerprint([label for _, label in samples], *(p for p, _ in samples))}"
    return cached_lines(cache_dir(), key, _read(samples), len(samples), exclusions)


def holds_line_images(folder: Path) -> bool:
    """Whether a folder is one of line images; one with XML files may have texts of whole pages beside them."""
    return not any(folder.rglob("*.xml")) and bool(splits_of_images(folder))


def splits_of_images(folder: Path) -> dict[str, dict[Path, str]]:
    """Of each split that has any the images with their texts; empty where the folder holds no such lines."""
    if not folder.is_dir():
        return {}
    parts = {name: _texts(folder / name) for name in SPLITS if (folder / name).is_dir()}
    if not parts:
        texts = _texts(folder)
        order = sorted(texts, key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
        held_out = set(order[: max(1, len(order) // 10)] if len(order) > 1 else [])
        parts = {"train": {p: t for p, t in texts.items() if p not in held_out}, "val": {p: texts[p] for p in held_out}}
    return {name: texts for name, texts in parts.items() if texts}


def _texts(folder: Path) -> dict[Path, str]:
    """The text of each image. Raises ValueError for a table without the columns, or a file that is not UTF-8."""
    found = {}
    for path in sorted(folder.rglob(f"*{_TEXT}")):
        found[_image_of(path)] = _utf8(path)
    for table in (folder / name for name in _TABLES if (folder / name).is_file()):
        rows = csv.DictReader(io.StringIO(_utf8(table), newline=""))
        names = [next((c for c in wanted if c in (rows.fieldnames or ())), "") for wanted in (_NAMES, _TEXTS)]
        if not all(names):
            raise ValueError(f"{table} needs a column {' or '.join(_NAMES)} and a column {' or '.join(_TEXTS)}")
        for row in rows:
            found.setdefault(folder / row[names[0]], row[names[1]] or "")
    return found


def _image_of(path: Path) -> Path:
    """The image of a *.gt.txt file: `a.png`, `a.jpg`, ... or, as Calamari and ocropus have them, `a.bin.png`."""
    stem = path.name.removesuffix(_TEXT)
    for middle in ("", ".nrm", ".bin"):
        for suffix in _SUFFIXES:
            for candidate in (path.with_name(f"{stem}{middle}{s}") for s in (suffix, suffix.upper())):
                if candidate.is_file():
                    return candidate
    return path.with_name(f"{stem}.png")


def _utf8(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}") from error


def _read(samples: list[tuple[Path, LineLabel]]) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
    for path, label in samples:
        try:
            image = open_image(path)
        except ImageError as error:
            raise ValueError(f"{path}: {error}") from error
        yield normalize_line(image), label
