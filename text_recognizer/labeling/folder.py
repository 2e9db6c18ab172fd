"""A folder of pages that people label: its images, what the model read in them, and what people said.

    DIR/                               images and documents at any depth
    DIR/labeling/labels.jsonl          the labels, see `labels.LabelFile`
    DIR/labeling/readings/NAME.json    what the model read of a page, in the package's JSON with the names of its lines

A page is named by its path below the folder, with #page=N for the pages of a document that has several. The lines that
the model found on a page are named l0001, l0002, ... in the order of its first reading. A line keeps its name when the
page is read again: a line found where one is known already is that line.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.labeling.agreement import Agreed, final, opinions
from text_recognizer.labeling.labels import Label, LabelFile
from text_recognizer.labeling.outlines import SAME_LINE, best_overlap, placed
from text_recognizer.labeling.pages import PageFiles, Readings, UnknownPage
from text_recognizer.page import Line, Page, Polygon

WORK = "labeling"  # the folder's own place in the folder
_KEPT_PAGES = 3  # decoded: whoever labels a page asks for its lines one after the other


@dataclass(frozen=True)
class QueueLine:
    """A line of a page as it stands now.

    polygon, baseline: of the latest label, or as the model found them. text, confidence: of the model; "" and 0 where
    it found no line. history: all labels of the line in order of time.
    """

    id: str
    polygon: Polygon
    baseline: Polygon
    text: str
    confidence: float
    history: tuple[Label, ...] = ()

    @cached_property
    def labels(self) -> dict[str, Label]:
        """The latest label of each annotator."""
        return {label.annotator: label for label in self.history}

    @cached_property
    def opinions(self) -> list[Label]:
        """What counts of the labels, see `agreement.opinions`."""
        return opinions(self.history)

    @cached_property
    def final(self) -> Label | None:
        """What the line is in the end, see `agreement.final`."""
        return final(self.history)


class LabelingFolder:
    """The folder. Its methods may be called from several threads, and several processes may use one folder.

    Raises FileNotFoundError where it is not there, ValueError where it holds no pages or is something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = PageFiles(folder, WORK)
        self._readings = Readings(folder / WORK / "readings")
        _check_work(folder / WORK)
        self._labels = LabelFile(folder / WORK / "labels.jsonl")
        self._by_page = _ByPage()
        self._lines: dict[str, tuple[object, list[QueueLine]]] = {}
        self._pixels: OrderedDict[str, tuple[object, NDArray[np.uint8]]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def title(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    @property
    def identity(self) -> str:
        """A name that no other folder of this machine has."""
        return hashlib.sha256(str(self.folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def pages(self) -> list[str]:
        """The names of all pages in natural order; of a document that cannot be opened, its own."""
        return self._files.pages()

    def pixels(self, page: str) -> NDArray[np.uint8]:
        """The page as `images.open_document` gives it: uint8 (H, W) or (H, W, 3) RGB.

        Raises ImageError where it cannot be read, UnknownPage where there is no such page.
        """
        stamp = self._files.stamp(page)
        with self._lock:
            if page in self._pixels and self._pixels[page][0] == stamp:
                self._pixels.move_to_end(page)
                return self._pixels[page][1]
        pixels = self._files.pixels(page)
        with self._lock:
            self._pixels[page] = (stamp, pixels)
            while len(self._pixels) > _KEPT_PAGES:
                self._pixels.popitem(last=False)
        return pixels

    def name(self, page: str) -> str:
        """What people call a page: its own name."""
        return page

    def size(self, page: str) -> tuple[int, int]:
        """Height and width of a page in pixels. Raises as `pixels` does."""
        height, width = self.pixels(page).shape[:2]
        return height, width

    def image(self, page: str) -> NDArray[np.uint8]:
        """The page as uint8 (H, W, 3) RGB. Raises as `pixels` does."""
        pixels = self.pixels(page)
        return pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB).astype(np.uint8)

    def reading(self, page: str) -> Page | None:
        """What the model read of the page; None where it has not read it yet, or its file is damaged."""
        return self._readings.read(page)[0]

    def store_reading(self, page: str, reading: Page) -> None:
        """Keep what the model read of a page. Lines that were known already keep their names.

        Raises UnknownPage, OSError.
        """
        self._files.check(page)
        self._readings.write(page, reading, {label.line: label.polygon for label in self.labels(page)})

    def labels(self, page: str | None = None) -> list[Label]:
        """All labels, or those of one page, in the order in which they were added. Raises ValueError, OSError."""
        labels = self._labels.read()
        return labels if page is None else self._by_page.of(labels, page)

    def add(self, labels: Iterable[Label]) -> None:
        """Add labels; they are on the disk when this returns, all of them or none.

        A page whose image was deleted meanwhile still takes labels. Raises UnknownPage where one is of a page that was
        never there, OSError where they cannot be written.
        """
        new = list(labels)
        for page in {label.page for label in new}:
            self._check_known(page)
        self._labels.add(new)

    def lines(self, page: str) -> list[QueueLine]:
        """The lines of a page in reading order, those that people added among them.

        A line of the reading that nobody has labelled is left out where another that covers it is labelled.
        """
        labels = self.labels(page)
        stamp = self._readings.stamp(page), len(labels), labels[-1] if labels else None
        with self._lock:
            if page in self._lines and self._lines[page][0] == stamp:
                return list(self._lines[page][1])
        found = self._merged(page, labels)
        with self._lock:
            self._lines[page] = (stamp, found)
        return list(found)

    def agreed(self, page: str | None = None) -> Agreed:
        """The final label of each line, and what is said of those that annotators dispute."""
        labelled = {label.page for label in self.labels(page)}
        there = [name for name in self.pages() if name in labelled]
        gone = sorted(labelled - set(there))  # their labels are still known
        lines = [line for name in there + gone for line in self.lines(name)]
        settled = tuple(label for line in lines if (label := line.final) is not None)
        disputed = tuple(tuple(line.opinions) for line in lines if line.opinions and line.final is None)
        return Agreed(settled, disputed)

    def _check_known(self, page: str) -> None:
        try:
            self._files.check(page)
        except UnknownPage:
            if not self._readings.read(page)[0] and not self.labels(page):
                raise

    def _merged(self, page: str, labels: Sequence[Label]) -> list[QueueLine]:
        reading, names = self._readings.read(page)
        history: dict[str, list[Label]] = {}
        for label in labels:
            history.setdefault(label.line, []).append(label)
        read = dict(zip(names, reading.lines, strict=True)) if reading else {}
        taken = [said[-1].polygon for said in history.values() if said[-1].status in ("labeled", "illegible")]
        lines = [
            _line(name, line, history.get(name, []))
            for name, line in read.items()
            if name in history or best_overlap(line.polygon, taken)[1] < SAME_LINE
        ]
        more = [_line(name, None, said) for name, said in history.items() if name not in read]
        return placed(lines, more)


class _ByPage:
    """Labels sorted by their pages; only those that are new are looked at."""

    def __init__(self) -> None:
        self._pages: dict[str, list[Label]] = {}
        self._count = 0
        self._last: Label | None = None
        self._lock = threading.Lock()

    def of(self, labels: Sequence[Label], page: str) -> list[Label]:
        """The labels of a page, out of all labels."""
        with self._lock:
            if self._count and (len(labels) < self._count or labels[self._count - 1] is not self._last):
                self._pages, self._count = {}, 0
            for label in labels[self._count :]:
                self._pages.setdefault(label.page, []).append(label)
            self._count, self._last = len(labels), labels[-1] if labels else None
            return list(self._pages.get(page, []))


def _check_work(work: Path) -> None:
    """Raises ValueError where something else than labels lies in our place in the folder."""
    if not work.exists():
        return
    ours = ("labels.jsonl", "readings")
    there = [] if work.is_file() else [path.name for path in work.iterdir() if not path.name.startswith(".")]
    if work.is_file() or (there and not set(there) & set(ours)):
        raise ValueError(f"{work} holds something that is no labels: rename it, labels are to be kept there")


def _line(name: str, read: Line | None, history: Sequence[Label]) -> QueueLine:
    text, confidence = (read.text, read.confidence) if read else ("", 0.0)
    if history:
        return QueueLine(name, history[-1].polygon, history[-1].baseline, text, confidence, tuple(history))
    assert read is not None  # a line is known from the reading or from a label
    return QueueLine(name, read.polygon, read.baseline, text, confidence)
