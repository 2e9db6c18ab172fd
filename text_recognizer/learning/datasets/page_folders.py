"""Folders of images with PAGE XML or ALTO files: which files describe which image, and which pages a split has.

The files lie beside the images, in a folder for them (`page/`, `alto/`, ...) or beside the folder of the images. An
image that several files describe, as where a program exports PAGE and ALTO, counts once, by its PAGE file.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from text_recognizer.formats import FormatError
from text_recognizer.formats.ground_truth import INDEX_ROOTS, format_of, read_ground_truth
from text_recognizer.formats.xml import parse_file

SPLITS = ("train", "val", "test")

_XML_FOLDERS = ("page", "alto", "xml", "pagexml", "page_xml", "page-xml", "altoxml")  # in any case of letters
_IMAGE_FOLDERS = ("images", "image", "img", "imgs", "jpg", "jpeg", "png", "tif", "tiff")  # likewise; these come first
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
_MARKS = (".xml", ".page", ".alto")  # at the end of an XML file's name, which has the rest in common with its image
_UP = 2  # folders above the one of an XML file, in which a name relative to them may lie

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PageFile:
    """An XML file of a page. format: "page", "alto", or "" where it cannot be read. image: None where it is missing."""

    path: Path
    format: str
    image: Path | None

    @property
    def page(self) -> str:
        """What is the same for all files of one page: its image, or else its name and its folder."""
        return str(self.image) if self.image else str(self.path.parent / own_stem(self.path).casefold())

    @property
    def names(self) -> set[str]:
        """What lists may call it, without a suffix."""
        return {own_stem(self.path), self.path.stem} | ({self.image.stem} if self.image else set())


def split_files(path: str, split: str) -> list[Path]:
    """The XML files of a split, one a page, sorted.

    Raises as `splits_of`, and ValueError where the split is not there.
    """
    parts = splits_of(path)
    if split not in parts:
        raise ValueError(f"{Path(path).resolve()} has no pages of split {split!r}; there are: {', '.join(parts)}")
    return parts[split]


def splits_of(path: str) -> dict[str, list[Path]]:
    """The XML files of each split that has any, one a page, sorted.

    Raises FileNotFoundError where the folder or its files are missing, and ValueError where a page is in two splits or
    several folders may be meant.
    """
    folder = Path(path).expanduser().resolve()
    if not path or not folder.is_dir():
        raise FileNotFoundError(f"{path or 'no path'}: `path` names a folder of images with PAGE XML or ALTO files")
    parts = {name: _page_files(folder / name) for name in SPLITS if (folder / name).is_dir()}
    if not parts:
        files = _page_files(folder)
        if not files:
            raise FileNotFoundError(
                f"{folder} holds no PAGE XML or ALTO files, neither do page/, alto/ or another folder in it"
            )
        parts = _listed(folder, files) or _drawn(files)
    _require_disjoint(folder, parts)
    return {split: [file.path for file in files] for split, files in parts.items() if files}


def image_of(path: Path, name: str) -> Path:
    """The image of an XML file: the one that it names, or the one of its own name. Raises FileNotFoundError.

    name: as the file gives it, "" for none. A relative name is looked up from the file's folder and from those above
    it; then its last part, with any suffix, in the folders that may hold the images of these XML files.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    base = parts[-1] if parts else ""
    top = path.parents[min(_UP, len(path.parents) - 1)]
    if len(parts) > 1 and parts[0] != "/":
        for folder in path.parents[: _UP + 1]:
            found = Path(os.path.normpath(folder.joinpath(*parts)))
            if found.is_file() and found.is_relative_to(top):
                return found
    places = _image_places(path)
    for place in places:
        if base and (place / base).is_file():
            return place / base
    for stem in dict.fromkeys(s.casefold() for s in (PurePosixPath(base).stem, own_stem(path)) if s):
        for place in places:
            if found_image := _image_called(place, stem):
                return found_image
    raise FileNotFoundError(
        f"the image {base or own_stem(path)!r} of {path} is missing: it belongs beside it, one folder up, or in "
        "images/ beside its folder"
    )


def own_stem(path: Path) -> str:
    """The name of an XML file as its image may have it: "a" of a.xml, a.page.xml and a.alto.xml."""
    name = path.name
    while name.casefold().endswith(_MARKS) and (shorter := name[: name.rindex(".")]):
        name = shorter
    return name


def _page_files(folder: Path) -> list[PageFile]:
    """The ground truth in a folder or in its folders for XML, one file a page, sorted by path."""
    inner = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    places = [folder, *(entry for entry in inner if entry.name.casefold() in _XML_FOLDERS)]
    files = _described(path for place in places for path in _xml_in(place))
    if not files:
        others = {entry: found for entry in inner if (found := _described(_xml_in(entry)))}
        if len(others) > 1:
            names = ", ".join(entry.name for entry in others)
            raise ValueError(f"{folder} holds PAGE XML or ALTO files in {names}: name one of these folders")
        files = next(iter(others.values()), [])
    return _one_a_page(folder, files)


def _xml_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.casefold() == ".xml" and path.is_file())


def _described(paths: Iterable[Path]) -> list[PageFile]:
    """The files with what they describe; those that are no page's, METS files for one, are left out."""
    found = []
    for path in paths:
        try:
            root = parse_file(path)
        except FormatError:
            found.append(PageFile(path, "", None))  # whoever reads it says what is wrong
            continue
        if root.tag not in INDEX_ROOTS:
            found.append(PageFile(path, format_of(root), _image_or_none(path, root)))
    return found


def _image_or_none(path: Path, root: Element) -> Path | None:
    try:
        return image_of(path, read_ground_truth(root).page.source or "")
    except (FormatError, FileNotFoundError):
        return None


def _one_a_page(folder: Path, files: list[PageFile]) -> list[PageFile]:
    chosen: dict[str, PageFile] = {}
    # A stable order: of two files of one format, the one that lies first.
    for file in sorted(files, key=lambda file: ("page", "alto", "").index(file.format)):
        chosen.setdefault(file.page, file)
    if len(chosen) < len(files):
        _say_once(
            f"{folder}: of {len(files)} files of PAGE and ALTO several describe one image: {len(chosen)} are taken, "
            "one an image, PAGE before ALTO"
        )
    return sorted(chosen.values(), key=lambda file: file.path)


@cache
def _say_once(sentence: str) -> None:
    _log.warning("%s", sentence)


def _image_places(path: Path) -> list[Path]:
    """Folders that may hold the image of an XML file: its own, the one above, and the folders in both."""
    near = [path.parent, path.parent.parent]
    inner = [entry for place in near for entry in _folders_in(place)]
    inner.sort(key=lambda entry: entry.name.casefold() not in _IMAGE_FOLDERS)
    return list(dict.fromkeys([*near, *inner]))


def _folders_in(folder: Path) -> Iterator[Path]:
    """The folders in one, but for hidden ones and reduced pictures."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith(".") and "thumb" not in entry.name.casefold():
            yield entry


def _image_called(folder: Path, stem: str) -> Path | None:
    """The image in a folder with that stem, in lower case, and whatever suffix an image has."""
    for suffix in _SUFFIXES:  # most are found without reading the folder
        if (folder / f"{stem}{suffix}").is_file():
            return folder / f"{stem}{suffix}"
    images = (entry for entry in sorted(folder.iterdir()) if entry.suffix.casefold() in _SUFFIXES)
    return next((entry for entry in images if entry.stem.casefold() == stem and entry.is_file()), None)


def _listed(folder: Path, files: list[PageFile]) -> dict[str, list[PageFile]]:
    """The pages of each list that there is. Raises FileNotFoundError for a name that no page has."""
    parts = {}
    known = {name: file for file in files for name in file.names}
    for split in SPLITS:
        table = folder / f"{split}.txt"
        if table.is_file():
            rows = table.read_text(encoding="utf-8-sig").splitlines()
            names = [PurePosixPath(row.strip().replace("\\", "/")) for row in rows if row.strip()]
            missing = [name.stem for name in names if not {name.name, name.stem, _bare(name)} & known.keys()]
            if missing:
                raise FileNotFoundError(f"{table} names {missing[0]}, of which there is no XML file in {folder}")
            found = (known.get(name.name) or known.get(name.stem) or known[_bare(name)] for name in names)
            parts[split] = list(dict.fromkeys(found))
    return parts


def _bare(name: PurePosixPath) -> str:
    return own_stem(Path(name.name))


def _drawn(files: list[PageFile]) -> dict[str, list[PageFile]]:
    order = sorted(files, key=lambda file: hashlib.sha256(file.path.stem.encode()).hexdigest())
    held_out = set(order[: max(1, len(files) // 10)] if len(files) > 1 else [])
    return {"train": [f for f in files if f not in held_out], "val": [f for f in files if f in held_out]}


def _require_disjoint(folder: Path, parts: dict[str, list[PageFile]]) -> None:
    """Raises ValueError that names a page which is in two splits: a score on it would flatter."""
    places: dict[str, tuple[str, Path]] = {}
    for split, files in parts.items():
        for file in files:
            other, path = places.setdefault(file.page, (split, file.path))
            if other != split:
                raise ValueError(
                    f"{folder}: {path.name} of {other} and {file.path.name} of {split} are of one page: take it out of "
                    "one of them"
                )
