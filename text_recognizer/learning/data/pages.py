"""Datasets of whole pages with the outline, baseline and text of every line.

Layout: `<name>/pages.json`, a list of {page, split, size, lines: [{text, polygon, baseline}]}, and the
images in `<name>/pages/`. Known names: copiste ("Copiste d'un jour", modern French, CC BY 4.0), hooker,
lathrop, poilus (historical hands).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.images import CUT_VERSION, cut_line, normalize_line, open_image, to_gray
from text_recognizer.images.open import image_header, read_file
from text_recognizer.learning.data.cache import fingerprint
from text_recognizer.learning.data.checks import LeftOut
from text_recognizer.learning.data.lines import LineDataset, LineLabel, cached_lines
from text_recognizer.learning.data.locations import cache_dir, data_dir, require

_SPLIT_VERSION = 1  # of the rule by which pages are set apart


@dataclass(frozen=True)
class PageTruth:
    """A page image on disk and its lines, each a dict with text, polygon and baseline in pixels.

    silent: lines of which no text is known, where they are known, of the same form. as_stored: those pixels are of the
    picture as its file stores it, not of the one that its EXIF orientation turns upright.
    """

    identifier: str
    path: Path
    lines: list[dict[str, Any]]
    silent: list[dict[str, Any]] = field(default_factory=list)
    as_stored: bool = False

    def image(self) -> NDArray[np.uint8]:
        """The page as uint8 (H, W) gray, opened as reading opens it. Raises ImageError (a ValueError)."""
        if not self.as_stored:
            return to_gray(open_image(self.path))
        with image_header(read_file(self.path)) as picture:
            picture.getexif().pop(ExifTags.Base.Orientation, None)
            return to_gray(open_image(picture))


def pages(name: str, split: str) -> list[PageTruth]:
    """The pages of one split of dataset `name`. Raises FileNotFoundError where the dataset is missing.

    Where the dataset sets none apart for validation, a tenth of its letters is, drawn by their names.
    """
    folder = data_dir() / name
    rows = json.loads(require(folder / "pages.json", f"the pages of {name}").read_text(encoding="utf-8"))
    files = {path.stem: path for path in (folder / "pages").iterdir()}
    whole = all(row["split"] == "train" for row in rows)
    return [
        PageTruth(row["page"], files[row["page"]], row["lines"])
        for row in rows
        if (_drawn_split(row["page"]) if whole else row["split"]) == split
    ]


def _drawn_split(page: str) -> str:
    """Pages of one letter, whose names differ in the last number alone, are on the same side."""
    letter = re.sub(r"[-_]\d+$", "", page)
    return "val" if int(hashlib.sha256(letter.encode()).hexdigest(), 16) % 10 == 0 else "train"


def is_legible(text: str) -> bool:
    """Whether the transcription is of plain text: `>...<` marks crossed-out and illegible words."""
    return bool(text) and ">" not in text and "<" not in text


def page_lines(name: str, split: str) -> LineDataset:
    """The lines of the pages, cut along their baselines inside their polygons, normalised.

    Lines with crossed-out words or characters outside the alphabet are left out.
    """
    truth = pages(name, split)
    key = f"{name}-{split}-{fingerprint(data_dir() / name / 'pages.json', CUT_VERSION, _SPLIT_VERSION)}"
    left_out = LeftOut(f"{name}-{split}")
    return cached_lines(cache_dir(), key, cut_lines(name, truth, left_out), left_out=left_out)


def cut_lines(
    name: str, truth: list[PageTruth], left_out: LeftOut, legible: Callable[[str], bool] = is_legible
) -> Iterator[tuple[NDArray[np.uint8], LineLabel]]:
    """The legible lines of pages, normalised, and their labels; each page counts as a writer."""
    alphabet = Alphabet()
    for page in truth:
        image = page.image()
        for number, line in enumerate(page.lines):
            text = normalize_text(line["text"])
            where = f"{page.path}, line {number + 1}"
            if not legible(text) or len(line["baseline"]) < 2:
                left_out.add("crossed-out or illegible words, or no baseline", where)
                continue
            if left_out.unknown(text, alphabet, where):
                continue
            crop = cut_line(image, np.array(line["baseline"]), np.array(line["polygon"]))
            label = LineLabel(f"{page.identifier}-{number:02d}", text, f"{name}-{page.identifier}", name)
            yield normalize_line(crop), label
