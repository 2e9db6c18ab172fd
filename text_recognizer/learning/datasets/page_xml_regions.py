"""Paragraphs of PAGE XML and ALTO files: a text region (ALTO: text block) is one, with the text of its lines.

An image must not hold a line that its text does not. Where a line of a region has no text, no place or a character
outside the alphabet, the longest run of lines without a gap is the paragraph, and what other lines lie in its block is
painted over. How large writing is on a page says nothing, scans being what they are: a paragraph is scaled until its
lines are as high as those of IAM, measured by the line detector, as reading does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.alphabet import Alphabet, normalize_text
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.iam_paragraphs import consecutive
from text_recognizer.learning.datasets.page_folders import split_files
from text_recognizer.learning.datasets.page_xml import OWN_PAGES, READING_VERSION, read_page
from text_recognizer.learning.datasets.pages import PageTruth
from text_recognizer.learning.datasets.paragraphs import (
    LINE_HEIGHT,
    PAGE_WIDTH,
    ParagraphDataset,
    ParagraphLabel,
    cached_paragraphs,
    ink_at_scale,
)
from text_recognizer.learning.datasets.registry import register
from text_recognizer.paths import cache_dir
from text_recognizer.recognition.layout.detector import LineDetector

#: Changes with how paragraphs are cut; prepared ones are made again.
REGION_VERSION = 1

_AIR = 0.3  # of the height of a line, kept around the block
_APART = 0.3  # likewise: lines whose baselines are nearer to each other stand side by side

Points = NDArray[np.float64]
Ink = NDArray[np.uint8]


@dataclass(frozen=True)
class RegionLine:
    """A line: its number in the file, its text, outline (N, 2) and baseline (M, 2), x and y in pixels."""

    number: int
    text: str
    polygon: Points
    baseline: Points

    @property
    def row(self) -> float:
        """Where it stands, by its baseline."""
        return float(self.baseline[:, 1].mean())


@dataclass(frozen=True)
class Region:
    """A paragraph of a page: its lines from top to bottom, the block (left, top, right, bottom) of the page's pixels
    that is cut out, and the outlines of all other lines of the page."""

    identifier: str
    page: PageTruth
    lines: list[RegionLine]
    block: tuple[int, int, int, int]
    others: list[Points]

    def lines_in(self, image: Ink) -> list[RegionLine]:
        """Its lines, in pixels of the paragraph's image, which `region_image` made."""
        scale = image.shape[1] / (self.block[2] - self.block[0])
        corner = self.block[:2]
        return [
            RegionLine(line.number, line.text, (line.polygon - corner) * scale, (line.baseline - corner) * scale)
            for line in self.lines
        ]


@register(replace(OWN_PAGES, name="pages-paragraphs", kind="paragraphs", about="text regions of PAGE XML or ALTO"))
def xml_page_paragraphs(path: str, split: str) -> ParagraphDataset:
    """The paragraphs of one split of a folder of PAGE or ALTO files, cut, scaled, cached; each page counts as a writer.

    Lines that cannot be used are counted and named. Raises FileNotFoundError and ValueError that name the file at
    fault.
    """
    folder, exclusions = Path(path).expanduser().resolve(), Exclusions(f"{Path(path).name}-{split}")
    regions = page_regions(path, split, exclusions)
    if not regions:
        raise ValueError("; ".join(exclusions.lines()) or f"the files of split {split!r} in {folder} have no lines")
    detector = LineDetector()
    files = [*split_files(path, split), *dict.fromkeys(region.page.path for region in regions)]
    made_of = fingerprint(REGION_VERSION, READING_VERSION, detector.bundle.sha256, *files)
    key = f"pages-paragraphs-{folder.name}-{split}-{made_of}"
    return cached_paragraphs(cache_dir(), key, _samples(regions, folder.name, detector), len(regions), exclusions)


def page_regions(path: str, split: str, exclusions: Exclusions) -> list[Region]:
    """The paragraphs of a split, in the order of the files; arguments and errors as of `xml_page_paragraphs`."""
    return [region for file in split_files(path, split) for region in _regions(read_page(file, exclusions), exclusions)]


def _regions(page: PageTruth, exclusions: Exclusions) -> Iterator[Region]:
    regions: dict[str, list[dict[str, Any]]] = {}
    for line in page.lines:
        regions.setdefault(line["region"], []).append(line)
    outlines = {line["number"]: np.array(line["polygon"]) for line in page.lines + page.silent}
    with Image.open(page.path) as image:
        size = image.size
    for name, members in regions.items():
        usable = _usable(members, page, exclusions)
        run = consecutive(usable) if usable else []
        if not _below_each_other(run):
            for one in run:
                exclusions.add("a region whose lines do not stand below each other", _where(page, one.number))
        elif run:
            own = {one.number for one in run}
            others = [outline for number, outline in outlines.items() if number not in own]
            yield Region(f"{page.identifier}-{name}", page, run, _block(run, size), others)


def _usable(members: list[dict[str, Any]], page: PageTruth, exclusions: Exclusions) -> list[RegionLine]:
    """The lines of a region without a character outside the alphabet."""
    alphabet, usable = Alphabet(), []
    for line in members:
        text = normalize_text(line["text"])
        if not exclusions.unknown(text, alphabet, _where(page, line["number"])):
            usable.append(RegionLine(line["number"], text, np.array(line["polygon"]), np.array(line["baseline"])))
    return usable


def _where(page: PageTruth, number: int) -> str:
    return f"{page.path}, line {number + 1}"


def _height(lines: list[RegionLine]) -> float:
    """The median height of outlines, in pixels."""
    return float(np.median([np.ptp(line.polygon[:, 1]) for line in lines]))


def _below_each_other(lines: list[RegionLine]) -> bool:
    """Whether each line stands below the one before it, and not beside it as in a table."""
    return all(after.row - before.row > _APART * _height(lines) for before, after in pairwise(lines))


def _block(lines: list[RegionLine], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the lines with some air, on a page of a size (width, height)."""
    points, air = np.concatenate([line.polygon for line in lines]), _AIR * _height(lines)
    left, top = np.maximum(points.min(axis=0) - air, 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(points.max(axis=0) + air) + 1, size).astype(int).tolist()
    return left, top, right, bottom


def _samples(regions: list[Region], folder: str, detector: LineDetector) -> Iterator[tuple[Ink, ParagraphLabel]]:
    for _, members in groupby(regions, key=lambda region: region.page.path):
        of_page = list(members)
        page = of_page[0].page.image()
        for region in of_page:
            text = "\n".join(line.text for line in region.lines)
            writer = f"{folder}-{region.page.identifier}"
            yield region_image(page, region, detector), ParagraphLabel(region.identifier, text, writer, folder)


def region_image(page: NDArray[np.uint8], region: Region, detector: LineDetector) -> Ink:
    """A region of a gray page (H, W) at the scale of paragraphs: uint8, ink 255, other lines painted over."""
    left, top, right, bottom = region.block
    cut = page[top:bottom, left:right]
    found = detector.detect(cut)
    # Where nothing is found, as if it were of a page of A4.
    scale = LINE_HEIGHT / np.median([line.height for line in found]) if found else PAGE_WIDTH / page.shape[1]
    ink = ink_at_scale(cut, min(float(scale), PAGE_WIDTH / cut.shape[1]))
    scale, hidden = ink.shape[1] / cut.shape[1], np.zeros(ink.shape, np.uint8)
    others = [(outline - (left, top)) * scale for outline in region.others]
    # One by one: together, OpenCV leaves out where two of them overlap.
    for outline in others:
        cv2.fillPoly(hidden, [np.round(outline).astype(np.int32)], 1)
    for line in region.lines_in(ink):
        cv2.fillPoly(hidden, [np.round(line.polygon).astype(np.int32)], 0)
    ink[hidden > 0] = 0
    return ink
