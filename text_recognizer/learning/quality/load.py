"""The lines of anything that can be inspected: a folder, or a dataset of the registry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from text_recognizer.images import cut_line
from text_recognizer.learning.datasets.exclusions import Exclusions, any_alphabet
from text_recognizer.learning.datasets.line_images import holds_line_images
from text_recognizer.learning.datasets.page_folders import splits_of
from text_recognizer.learning.datasets.page_xml import read_page
from text_recognizer.learning.datasets.pages import PageTruth
from text_recognizer.learning.datasets.registry import find, load
from text_recognizer.learning.quality.findings import Concern, Finding, count, error, warning
from text_recognizer.learning.quality.folder_rows import IAM_COLUMNS, manifest_lines
from text_recognizer.learning.quality.lines import Gathered, Gray, InspectedLine, UnusableImageError, page_of
from text_recognizer.learning.quality.preview import Sample, samples
from text_recognizer.lines_tsv import TABLE
from text_recognizer.paths import data_dir

_KEPT_WIDTH = 900  # pixels of a paragraph or page that is kept for the report
_MADE = 500  # samples of a dataset that is made


def gather(name: str, path: str = "") -> Gathered:
    """The lines of a dataset. name: of the registry, with a split or without, or a folder with lines.tsv or with PAGE
    or ALTO files. path: of the datasets "folder" and "pages".

    Raises FileNotFoundError where it is not there and ValueError for what is no dataset.
    """
    folder = Path(path or name).expanduser()
    if name in ("folder", "pages") or folder.is_dir():
        return _folder(folder)
    if "/" in name:
        raise FileNotFoundError(f"there is no folder {name}")
    description, split = find(name)
    if description.kind == "characters":
        raise ValueError("checks are for lines, paragraphs and pages; `data show` shows characters")
    if description.name == "iam" and (data_dir() / "iam" / "lines.tsv").is_file():
        gathered = manifest_lines(data_dir() / "iam", IAM_COLUMNS, ".webp")
        gathered.lines = [line for line in gathered.lines if split in ("", line.split)]
    else:
        gathered = Gathered(name, "", description.kind, _registered(name, path))
    gathered.name, gathered.about = name, f"{description.about} ({description.licence})"
    if not gathered.lines:
        raise ValueError(f"{name} has no {description.kind}")
    return gathered


def together(parts: list[Gathered]) -> Gathered:
    """Several datasets as one, to see what they have in common; identifiers then begin with the dataset's name."""
    if len(parts) > 1:
        for part in parts:
            for line in part.lines:
                line.identifier = f"{part.name}/{line.identifier}"
    lines = [line for part in parts for line in part.lines]
    for position, line in enumerate(lines):
        line.position = position
    kinds = sorted({part.kind for part in parts})
    if len(kinds) > 1:
        raise ValueError(f"{' and '.join(kinds)} cannot be inspected together: check them one after the other")
    about = "; ".join(part.about for part in parts)
    return Gathered(
        ", ".join(part.name for part in parts), about, kinds[0], lines, [f for part in parts for f in part.findings]
    )


def _folder(folder: Path) -> Gathered:
    folder = folder.resolve()
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if (folder / TABLE).exists():
        found = manifest_lines(folder)
    elif holds_line_images(folder):
        about = f"line images with their texts in {folder}"
        found = Gathered(folder.name, about, "lines", _registered("line-images", str(folder)))
    else:
        found = _xml_lines(folder)
    if not found.lines and not found.findings:
        raise ValueError(f"{folder} has no lines")
    return found


def _xml_lines(folder: Path) -> Gathered:
    """The lines of PAGE and ALTO files of every split there is, and the files that cannot be used."""
    lines: list[InspectedLine] = []
    broken: list[Concern] = []
    exclusions = Exclusions(folder.name)
    for split, files in splits_of(str(folder)).items():
        for file in files:
            try:
                page = read_page(file, exclusions)
            except (ValueError, OSError) as problem:
                broken.append(Concern(file.name, str(problem)))
                continue
            lines += [_cut(page, file, number, line, split) for number, line in enumerate(page.lines)]
    return Gathered(
        folder.name, f"lines of PAGE or ALTO files in {folder}", "lines", lines, _xml_findings(broken, exclusions)
    )


def _xml_findings(broken: list[Concern], exclusions: Exclusions) -> list[Finding]:
    findings = []
    if broken:
        found = f"{count(len(broken), 'file')} that cannot be used."
        findings.append(error("page-files", found, "Correct or remove them: training would stop at them.", broken))
    for reason, places in exclusions.reasons.items():
        concerns = [Concern(place) for place in places]
        found = f"{count(len(places), 'line')} with {reason}."
        findings.append(warning("left-out", found, "Training leaves them out; add what is missing.", concerns))
    return findings


def _cut(page: PageTruth, file: Path, number: int, line: dict[str, Any], split: str) -> InspectedLine:
    def fetch() -> tuple[Gray, str]:
        try:
            image = _page_image(page.path, page.as_stored)
        except (ValueError, OSError) as problem:
            raise UnusableImageError("broken-image", f"{page.path.name}: {problem}") from problem
        crop = cut_line(image, np.array(line["baseline"]), np.array(line["polygon"]))
        return crop, _digest(crop)

    where = f"{file.name}, line {line['number'] + 1}"
    return InspectedLine(f"{page.identifier}-{number:02d}", line["text"], split, "", page.identifier, where, fetch)


@lru_cache(maxsize=2)
def _page_image(path: Path, as_stored: bool) -> Gray:
    """A page in gray; lines are inspected page by page."""
    return PageTruth("", path, [], as_stored=as_stored).image()


def _digest(image: Gray) -> str:
    return hashlib.sha256(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes()).hexdigest()


def _registered(name: str, path: str) -> list[InspectedLine]:
    """The lines of every split that is there, those with characters outside the alphabet, too."""
    description, named = find(name)
    splits = [named] if named else list(description.splits) or [""]
    found: list[InspectedLine] = []
    for split in splits:
        whole = f"{description.name}-{split}" if split and not description.by_path else name
        try:
            with any_alphabet():
                items = load(whole, description.kind, split, path=path, count=_MADE)
        except ValueError:
            if named or (not found and split == splits[-1]):
                raise
            continue  # a split that this copy of the dataset does not have
        found += _items(items, description.kind, split)
    return found


def _items(items: Any, kind: str, split: str) -> list[InspectedLine]:
    """Lines stay where they are stored; of paragraphs and pages a small picture is kept."""
    if kind == "lines":
        return [
            InspectedLine(
                label.identifier, label.text, split, label.writer, page_of(label.identifier), label.source,
                _stored(items, number), normalized=True,
            )
            for number, label in enumerate(items.labels)
        ]  # fmt: skip
    return [_whole(sample, number, split) for number, sample in enumerate(samples(items))]


def _stored(dataset: Any, number: int) -> Callable[[], tuple[Gray, str]]:
    def fetch() -> tuple[Gray, str]:
        image = dataset[number][0]
        return image, _digest(image)

    return fetch


def _whole(sample: Sample, number: int, split: str) -> InspectedLine:
    digest = _digest(sample.image)
    scale = min(1.0, _KEPT_WIDTH / sample.image.shape[1])
    size = max(1, round(sample.image.shape[1] * scale)), max(1, round(sample.image.shape[0] * scale))
    small = 255 - cv2.resize(sample.image, size, interpolation=cv2.INTER_AREA)
    identifier = sample.identifier or f"{number}"
    return InspectedLine(
        identifier, sample.text, split, sample.writer, "", identifier, lambda: (small, digest), normalized=True
    )
