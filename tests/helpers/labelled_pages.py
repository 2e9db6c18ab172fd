"""Blank pages in a labelling folder, readings of them and labels, for tests of several rooms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.labels import Label, now
from text_recognizer.labeling.queue import LabelQueue
from text_recognizer.page import Line, Page


def blank_pages(folder: Path) -> Path:
    """Four blank pages in a folder."""
    for name in ("a.png", "p10.png", "p2.png", "inner/b.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((300, 220), 255, np.uint8)).save(folder / name)
    return folder


def box(top: float, left: float = 10, right: float = 200, height: float = 30):
    return ((left, top), (right, top), (right, top + height), (left, top + height))


def label(line="l0001", text="abc", who="Ada", page="a.png", status="labeled", **more) -> Label:
    return Label(page, line, who, now(), status, text, more.pop("polygon", box(10)), **more)


def reading(*tops: float) -> Page:
    lines = [Line(f"text {top}", box(top), 0.5, ((10, top + 22), (200, top + 22))) for top in tops]
    return Page(tuple(lines), 220, 300)


def queue_of(folder, **options) -> LabelQueue:
    pages = LabelingFolder(folder)
    low, high = Line("low", box(10), 0.2), Line("high", box(60), 0.9)
    pages.store_reading("a.png", Page((high, low), 220, 300))
    pages.store_reading("p2.png", Page((Line("middle", box(10), 0.5),), 220, 300))
    return LabelQueue(pages, **options)
