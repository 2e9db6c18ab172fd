"""Strips of empty paper, cut out of the margins of real pages: what drawn lines are written on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.atomic_files import whole_folder
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.pages import TracedPage, traced_pages
from text_recognizer.paths import cache_dir, data_dir

#: Changes with the strips; stored ones are cut again.
MARGINS_VERSION = 1

#: Height and width of a strip, in pixels of its page.
STRIP = (96, 384)

#: Page sets whose licence is CC BY 4.0, so that what is drawn on their paper may be used for anything.
SETS = tuple("copiste cremma18 cremma19 cremma20 decennales htromance lathrop peraire poilus timeus".split())

_PAGES = 24  # of a set
_PER_PAGE = 3
_TRIES = 150  # places of a page that are tried
_AIR = 12  # pixels around a line that are no margin
_DARK = 110  # gray level of the paper at least
_UNEVEN = 45  # gray levels between its lightest and darkest part, at most: more is the edge of a page
_FLAT = 1.0  # standard deviation of gray levels at least: less is white that a scanner has made
_LIGHT = 0.86  # of the light around it: a darker pixel looks like ink, or like a rule through the writing
_INK = 0.004  # share of such pixels, at most

Strips = NDArray[np.uint8]


def margin_strips() -> Strips:
    """(N, 96, 384) gray strips of the train pages of the sets that are installed, cached; none where there are none."""
    there = [name for name in SETS if (data_dir() / name / "pages.json").is_file()]
    if not there:
        return np.zeros((0, *STRIP), np.uint8)
    key = fingerprint(MARGINS_VERSION, *(data_dir() / name / "pages.json" for name in there))
    folder = cache_dir() / f"margins-{key}"
    if not (folder / "strips.npy").exists():
        with whole_folder(folder) as partial:
            np.save(partial / "strips.npy", _cut(there))
    return np.asarray(np.load(folder / "strips.npy"), np.uint8)


def _cut(names: Sequence[str]) -> Strips:
    pages = (page for name in names for page in islice(traced_pages(name, "train"), _PAGES))
    found = [strip for page in pages for strip in islice(strips_of(page, random.Random(page.identifier)), _PER_PAGE)]
    return np.stack(found) if found else np.zeros((0, *STRIP), np.uint8)


def strips_of(page: TracedPage, rng: random.Random) -> Iterator[Strips]:
    """The strips of a page without a line or anything that looks like ink, at random places that do not overlap."""
    height, width = page.image.shape
    taken = np.zeros((height, width), np.uint8)
    for line in page.lines:
        cv2.fillPoly(taken, [np.round(line.polygon).astype(np.int32)], 1)
    taken = cv2.dilate(taken, np.ones((2 * _AIR + 1, 2 * _AIR + 1), np.uint8))
    sums = cv2.integral(taken)
    free = height - STRIP[0], width - STRIP[1]
    if min(free) < 0:
        return
    for _ in range(_TRIES):
        row, column = rng.randint(0, free[0]), rng.randint(0, free[1])
        bottom, right = row + STRIP[0], column + STRIP[1]
        if sums[bottom, right] - sums[row, right] - sums[bottom, column] + sums[row, column]:
            continue
        strip = page.image[row:bottom, column:right]
        if _is_empty(strip):
            taken[row:bottom, column:right] = 1
            sums = cv2.integral(taken)
            yield strip.copy()


def _is_empty(strip: Strips) -> bool:
    """Whether a strip is paper alone: evenly light, no edge of the page, no ink."""
    if strip.std() < _FLAT:
        return False
    small = cv2.blur(strip, (9, 9))
    if small.min() < _DARK or int(small.max()) - int(small.min()) > _UNEVEN:
        return False
    around = cv2.blur(strip, (41, 41))
    return bool((strip < _LIGHT * around).mean() < _INK)
