"""Folders of ground truth as the field exchanges it: images with PAGE XML or ALTO files.

PAGE content of 2010 to 2024 (Pletschacher and Antonacopoulos, ICPR 2010; Transkribus, eScriptorium, OCR-D write
it) and ALTO 2 to 4 (Library of Congress), read as `label import` reads them (`formats/ground_truth.py`), their lines in
reading order. `page_folders.py` finds the files and their images.

Which pages a split has: those in the sub-folders `train/`, `val/`, `test/` where there are such; else those named
in `train.txt`, `val.txt`, `test.txt` (a name a line, suffixes do not matter); else a tenth of the pages, drawn by
their names, is `val` and the rest `train`. Nothing in these formats says who wrote a page: keep the writers of
`train` and `val` apart with sub-folders or lists, or scores will flatter. Marks of crossed-out words are taken as
text: each project has its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from text_recognizer.formats import FormatError
from text_recognizer.formats.ground_truth import read_ground_truth
from text_recognizer.formats.xml import parse_file
from text_recognizer.images import CUT_VERSION
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.lines import LineDataset, cached_lines
from text_recognizer.learning.datasets.page_folders import SPLITS, image_of, split_files
from text_recognizer.learning.datasets.pages import PageTruth, baseline_in, cut_lines
from text_recognizer.learning.datasets.registry import Description, register
from text_recognizer.page import Line, Page
from text_recognizer.paths import cache_dir

#: Changes with what is read of a file; prepared lines are made again.
READING_VERSION = 1

_QUARTER_TURNS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_SHAPE_TOLERANCE = 0.02  # between the proportions of the image on disk and of the one in the XML


OWN_PAGES = Description(
    "pages",
    "lines",
    "images with PAGE XML or ALTO files",
    licence="your own",
    source="`path` names it",
    splits=SPLITS,
    options=("path",),
)


@register(OWN_PAGES)
def xml_page_lines(path: str, split: str) -> LineDataset:
    """The lines of one split of a folder of PAGE or ALTO files, cut, normalised, cached.

    Lines without text or place, or with characters outside the alphabet, are left out, counted and named.
    Raises FileNotFoundError and ValueError that name the file at fault.
    """
    folder = Path(path).expanduser().resolve()
    exclusions = Exclusions(f"{folder.name}-{split}")
    files = split_files(path, split)
    truth = [read_page(file, exclusions) for file in files]
    if not any(page.lines for page in truth):
        raise ValueError("; ".join(exclusions.lines()) or f"the files of split {split!r} in {folder} have no lines")
    made_of = CUT_VERSION, READING_VERSION, *files, *(page.path for page in truth)
    key = f"xml-{folder.name}-{split}-{fingerprint(*made_of)}"
    return cached_lines(cache_dir(), key, cut_lines(folder.name, truth, exclusions), exclusions=exclusions)


def read_page(path: Path, exclusions: Exclusions) -> PageTruth:
    """One PAGE or ALTO file: its image, its lines in pixels of that, outlines clipped to it.

    Its lines are those of `PageTruth`, in reading order, and say their region and their number on the page too.

    Raises ValueError where the file is neither or its image is no image of that shape, and FileNotFoundError
    where the image is missing; lines that cannot be used are added to `exclusions`.
    """
    root = parse_file(path)
    try:
        truth = read_ground_truth(root)
    except FormatError as error:
        raise ValueError(f"{path}: {error}") from error
    page = truth.page
    picture = image_of(path.absolute(), page.source or "")
    size, as_stored = _size(picture, page, path)
    scale = _scale(page, size, path)
    lines, silent = [], []
    for number, (line, mark) in enumerate(zip(page.lines, truth.marks, strict=True)):
        where = f"{path}, line {mark.identifier or number + 1}"
        placed = len(line.polygon) >= 3 or len(line.baseline) >= 2
        found = _in_pixels(line, scale, size) | {"region": mark.block, "number": number} if placed else {}
        if mark.status == "model" or not line.text.strip():
            exclusions.add("a model's reading that nobody has checked" if line.text.strip() else "no text", where)
            silent += [found] * placed
        elif not placed:
            exclusions.add("neither outline nor baseline", where)
        else:
            lines.append(found)
    return PageTruth(picture.stem, picture, lines, silent, as_stored)


def _size(picture: Path, page: Page, path: Path) -> tuple[tuple[int, int], bool]:
    """Width and height of the picture, and whether the file means it as stored: programs differ in whether they heed
    EXIF, so a quarter turn counts where the file's own proportions are those of the upright picture."""
    try:
        with Image.open(picture) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation) in _QUARTER_TURNS
            stored, upright = image.size, image.size[::-1] if turned else image.size
            as_stored = turned and not _same_shape(page, upright) and _same_shape(page, stored)
            return (stored if as_stored else upright), as_stored
    except UnidentifiedImageError as error:
        raise ValueError(f"{picture}, the image of {path}, is no image") from error


def _same_shape(page: Page, size: tuple[int, int]) -> bool:
    """Whether a file is of pictures of these proportions; where it does not say, it may be."""
    if page.width <= 0 or page.height <= 0:
        return True
    return abs(size[0] / page.width / (size[1] / page.height) - 1) <= _SHAPE_TOLERANCE


def _scale(page: Page, size: tuple[int, int], path: Path) -> float:
    """Pixels of the image a unit of the file: not 1 for millimetres, or where the image was reduced since."""
    if page.width <= 0 or page.height <= 0:
        return 1.0
    if not _same_shape(page, size):
        raise ValueError(
            f"{path} is of an image of {page.width:g} x {page.height:g}, its image has {size[0]} x {size[1]} pixels: "
            "another one, or turned or cropped since"
        )
    return size[0] / page.width


def _in_pixels(line: Line, scale: float, size: tuple[int, int]) -> dict[str, Any]:
    """The line as `PageTruth` holds it; what the file lacks of outline and baseline is made from the other."""
    limit = np.array(size, float) - 1
    polygon, baseline = (
        np.clip(np.array(points, float).reshape(-1, 2) * scale, 0, limit) for points in (line.polygon, line.baseline)
    )
    if len(polygon) < 3:
        reach = 0.03 * size[1] + 0 * baseline
        reach[:, 0] = 0
        polygon = np.clip(np.vstack([baseline - reach, (baseline + 0.4 * reach)[::-1]]), 0, limit)
    if len(baseline) < 2:
        baseline = baseline_in(polygon)
    return {"text": line.text, "polygon": polygon.tolist(), "baseline": baseline.tolist()}
