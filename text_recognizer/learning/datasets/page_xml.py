"""Folders of ground truth as the field exchanges it: images with PAGE XML or ALTO files.

PAGE content of 2010 to 2019 (Pletschacher and Antonacopoulos, ICPR 2010; Transkribus, eScriptorium, OCR-D write
it) and ALTO 2 to 4 (Library of Congress). The files lie beside the images or in `page/` or `alto/` below them.

Which pages a split has: those in the sub-folders `train/`, `val/`, `test/` where there are such; else those named
in `train.txt`, `val.txt`, `test.txt` (a name a line, suffixes do not matter); else a tenth of the pages, drawn by
their names, is `val` and the rest `train`. Nothing in these formats says who wrote a page: keep the writers of
`train` and `val` apart with sub-folders or lists, or scores will flatter. Marks of crossed-out words are taken as
text: each project has its own.

XML files of ground truth, parsed as safely as those that are read back (`formats/xml.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from text_recognizer.formats import FormatError, xml
from text_recognizer.images import CUT_VERSION
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import LeftOut
from text_recognizer.learning.datasets.lines import LineDataset, cached_lines
from text_recognizer.learning.datasets.page_xml_elements import XmlLine, XmlPage, read_alto, read_page_elements
from text_recognizer.learning.datasets.pages import PageTruth, cut_lines
from text_recognizer.paths import cache_dir

SPLITS = ("train", "val", "test")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
_XML_FOLDERS = ("page", "alto", "PAGE", "ALTO")
_QUARTER_TURNS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_SHAPE_TOLERANCE = 0.02  # between the proportions of the image on disk and of the one in the XML


def xml_page_lines(path: str, split: str) -> LineDataset:
    """The lines of one split of a folder of PAGE or ALTO files, cut, normalised, cached.

    Lines without text or place, or with characters outside the alphabet, are left out, counted and named.
    Raises FileNotFoundError and ValueError that name the file at fault.
    """
    folder = Path(path).expanduser().resolve()
    left_out = LeftOut(f"{folder.name}-{split}")
    files = split_files(path, split)
    truth = [read_page(file, left_out) for file in files]
    if not any(page.lines for page in truth):
        raise ValueError("; ".join(left_out.lines()) or f"the files of split {split!r} in {folder} have no lines")
    key = f"xml-{folder.name}-{split}-{fingerprint(CUT_VERSION, *files, *(page.path for page in truth))}"
    return cached_lines(cache_dir(), key, cut_lines(folder.name, truth, left_out, bool), left_out=left_out)


def split_files(path: str, split: str) -> list[Path]:
    """The XML files of a split, sorted.

    Raises FileNotFoundError where the folder or its files are missing, and ValueError where the split is.
    """
    folder = Path(path).expanduser().resolve()
    if not path or not folder.is_dir():
        raise FileNotFoundError(f"{path or 'no path'}: `path` names a folder of images with PAGE XML or ALTO files")
    parts = {name: _xml_files(folder / name) for name in SPLITS if (folder / name).is_dir()}
    if not parts:
        files = _xml_files(folder)
        if not files:
            raise FileNotFoundError(f"{folder} holds no PAGE XML or ALTO files, neither do page/ and alto/ in it")
        parts = _listed(folder, files) or _drawn(files)
    if not parts.get(split):
        raise ValueError(
            f"{folder} has no pages of split {split!r}; there are: {', '.join(p for p in parts if parts[p])}"
        )
    return parts[split]


def read_page(path: Path, left_out: LeftOut) -> PageTruth:
    """One PAGE or ALTO file: its image, its lines in pixels of that, outlines clipped to it.

    Its lines are those of `PageTruth`, and say their region and their number in the file too.

    Raises ValueError where the file is neither or its image is no image of that shape, and FileNotFoundError
    where the image is missing; lines that cannot be used are added to `left_out`.
    """
    root = parse_xml(path)
    read = _READERS.get(root.tag)
    if read is None:
        raise ValueError(f"{path} is neither PAGE XML nor ALTO: its root is <{root.tag}>")
    try:
        page = read(root)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    picture = _picture(path, page.picture)
    size, as_stored = _size(picture, page, path)
    scale = _scale(page, size, path)
    lines, silent = [], []
    for number, line in enumerate(page.lines):
        where = f"{path}, line {line.identifier}"
        placed = len(line.polygon) >= 3 or len(line.baseline) >= 2
        found = _in_pixels(line, scale, size) | {"region": line.region, "number": number} if placed else {}
        if not line.text.strip():
            left_out.add("no text", where)
            silent += [found] * placed
        elif not placed:
            left_out.add("neither outline nor baseline", where)
        else:
            lines.append(found)
    return PageTruth(picture.stem, picture, lines, silent, as_stored)


def _xml_files(folder: Path) -> list[Path]:
    """The ground truth in a folder; METS files, which list others, are none."""
    places = [folder, *(folder / name for name in _XML_FOLDERS)]
    files = {p.resolve() for place in places if place.is_dir() for p in place.glob("*.xml")}
    return sorted(p for p in files if p.stem.lower() not in ("mets", "metadata"))


def _listed(folder: Path, files: list[Path]) -> dict[str, list[Path]]:
    parts = {}
    known = {file.stem: file for file in files}
    for name in SPLITS:
        table = folder / f"{name}.txt"
        if table.is_file():
            names = [
                PurePosixPath(row.strip()).stem for row in table.read_text(encoding="utf-8").splitlines() if row.strip()
            ]
            missing = [name for name in names if name not in known]
            if missing:
                raise FileNotFoundError(f"{table} names {missing[0]}, of which there is no XML file in {folder}")
            parts[name] = [known[name] for name in names]
    return parts


def _drawn(files: list[Path]) -> dict[str, list[Path]]:
    order = sorted(files, key=lambda file: hashlib.sha256(file.stem.encode()).hexdigest())
    held_out = set(order[: max(1, len(files) // 10)] if len(files) > 1 else [])
    return {"train": [f for f in files if f not in held_out], "val": [f for f in files if f in held_out]}


def _picture(path: Path, name: str) -> Path:
    """The image of an XML file: the name that it gives, or its own with the suffix of an image."""
    places = [path.parent, path.parent.parent, path.parent.parent / "images", path.parent / "images"]
    base = PurePosixPath(name.replace("\\", "/")).name  # never a path of another machine
    names = [base] * bool(base) + [path.stem + suffix for suffix in (*_SUFFIXES, *map(str.upper, _SUFFIXES))]
    for candidate in (place / file for file in names for place in places):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f"the image {base or path.stem!r} of {path} is missing: it belongs beside it, or one folder up"
    )


def _size(picture: Path, page: XmlPage, path: Path) -> tuple[tuple[int, int], bool]:
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


def _same_shape(page: XmlPage, size: tuple[int, int]) -> bool:
    """Whether a file is of pictures of these proportions; where it does not say, it may be."""
    if page.width <= 0 or page.height <= 0:
        return True
    return abs(size[0] / page.width / (size[1] / page.height) - 1) <= _SHAPE_TOLERANCE


def _scale(page: XmlPage, size: tuple[int, int], path: Path) -> float:
    """Pixels of the image a unit of the file: not 1 for millimetres, or where the image was reduced since."""
    if page.width <= 0 or page.height <= 0:
        return 1.0
    if not _same_shape(page, size):
        raise ValueError(
            f"{path} is of an image of {page.width:g} x {page.height:g}, its image has {size[0]} x {size[1]} pixels: "
            "another one, or turned or cropped since"
        )
    return size[0] / page.width


def _in_pixels(line: XmlLine, scale: float, size: tuple[int, int]) -> dict[str, Any]:
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
        (left, top), (right, bottom) = polygon.min(axis=0), polygon.max(axis=0)
        level = top + 0.72 * (bottom - top)
        baseline = np.array([[left, level], [right, level]])
    return {"text": line.text, "polygon": polygon.tolist(), "baseline": baseline.tolist()}


_READERS: dict[str, Callable[[Element], XmlPage]] = {"PcGts": read_page_elements, "alto": read_alto}


def parse_xml(path: Path, doctype: bool = False) -> Element:
    """The root of an XML file, see `formats.xml.parse_xml`. Raises ValueError, with the path."""
    if path.stat().st_size > xml.LARGEST:
        raise ValueError(f"{path} has more than {xml.LARGEST // 2**20} MiB")
    try:
        return xml.parse_xml(path.read_bytes(), doctype)
    except FormatError as error:
        raise ValueError(f"{path}: {error}") from error
