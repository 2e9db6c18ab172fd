"""Sheets in a picture: which pages' markers are seen, and how millimetres of a sheet become pixels of the picture."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import Gray, ink_density
from text_recognizer.labeling.forms.codes import find_markers
from text_recognizer.labeling.forms.form import Box, Sheet

SCALE = 10  # pixels a millimetre of straightened sheets: 254 dpi
LEAST_MARKERS = 3

_SIDE = 2400  # pixels of a picture's longer side at which markers are looked for first
_FINEST = 14  # pixels a millimetre; finer pictures are reduced before they are sampled, so that nothing is skipped
_PAPER_KERNEL = 61  # pixels of a straightened sheet, six millimetres: the window that must contain some paper

Corners = dict[int, NDArray[np.float32]]


@dataclass(frozen=True)
class FoundSheets:
    """The sheets of a picture, as the markers of each: corner from 0 -> its corners (4, 2) in pixels.

    incomplete: how many markers those sheets show that show too few. twice: whether a page was seen twice, which
    cannot be taken apart.
    """

    sheets: list[Corners]
    incomplete: list[int]
    twice: bool


def find_sheets(gray: Gray) -> FoundSheets:
    """The sheets in a picture uint8 (H, W), by their markers, however they are turned."""
    scale = min(1.0, _SIDE / max(gray.shape))
    found = _grouped(gray, scale)
    if scale < 1 and (not found.sheets or found.incomplete):
        closer = _grouped(gray, 1.0)
        found = closer if len(closer.sheets) >= len(found.sheets) else found
    return found


def _grouped(gray: Gray, scale: float) -> FoundSheets:
    size = round(gray.shape[1] * scale), round(gray.shape[0] * scale)
    small = gray if scale == 1 else np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    pages: dict[int, Corners] = defaultdict(dict)
    twice = False
    for number, corners in find_markers(small):
        page, corner = divmod(number, 4)
        twice |= corner in pages[page]
        # The middle of the first pixel is at 0 in either size.
        pages[page][corner] = ((corners + 0.5) / scale - 0.5).astype(np.float32)
    counts = [len(corners) for corners in pages.values()]
    complete = [corners for _, corners in sorted(pages.items()) if len(corners) >= LEAST_MARKERS]
    return FoundSheets(complete, [count for count in counts if count < LEAST_MARKERS], twice)


class StraightSheet:
    """A sheet of a picture, straightened by its markers.

    gray: the picture (H, W). corners: of its markers, as in `FoundSheets`. sheet: what is known to stand where.
    """

    def __init__(self, gray: Gray, corners: Corners, sheet: Sheet) -> None:
        known = np.concatenate([_outline(sheet.markers[corner]) for corner in corners])
        seen = np.concatenate(list(corners.values()))
        side = float(np.median([np.hypot(*(at[1] - at[0])) for at in corners.values()]))
        reduction = min(1.0, _FINEST * sheet.markers[0][2] / side)
        if reduction < 1:
            size = round(gray.shape[1] * reduction), round(gray.shape[0] * reduction)
            gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
            seen = (seen + 0.5) * reduction - 0.5
        self.picture, self.sheet = gray, sheet
        matrix, _ = cv2.findHomography(known.astype(np.float32), seen.astype(np.float32))
        if matrix is None:
            raise ValueError("the markers lie on one line")
        self.matrix: NDArray[np.float64] = np.asarray(matrix)
        to_pixels = self.matrix @ np.diag([1 / SCALE, 1 / SCALE, 1])
        size = round(sheet.size[0] * SCALE), round(sheet.size[1] * SCALE)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        self.gray: Gray = cv2.warpPerspective(
            gray, to_pixels, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.uint8)

    @cached_property
    def ink(self) -> NDArray[np.float32]:
        """How much ink each pixel of `gray` carries, 1 for that of the print, 0 for paper."""
        return ink_density(self.gray, kernel=_PAPER_KERNEL)

    def in_picture(self, box: Box) -> bool:
        """Whether all of a box in millimetres lies within the picture."""
        points = cv2.perspectiveTransform(_outline(box)[None].astype(np.float64), self.matrix)[0]
        return bool((points >= 0).all() and (points <= (self.picture.shape[1] - 1, self.picture.shape[0] - 1)).all())

    def sample(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Gray:
        """The picture (H, W) at places in millimetres, each of shape (H, W)."""
        places = cv2.perspectiveTransform(np.stack([x, y], axis=-1), self.matrix).astype(np.float32)
        sampled: Gray = cv2.remap(
            self.picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.uint8)
        return sampled

    def sample_ink(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        """The ink of the straightened sheet at places in millimetres: 1 for that of its print, 0 for paper."""
        columns, rows = ((at * SCALE).astype(np.float32) for at in (x, y))
        sampled: NDArray[np.float32] = cv2.remap(self.ink, columns, rows, cv2.INTER_LINEAR).astype(np.float32)
        return sampled

    def sharpness(self, box: Box) -> float:
        """How sharp the print in a box is, whatever its contrast; to compare pictures of the same page."""
        x, y, width, height = (round(value * SCALE) for value in box)
        part = self.gray[y : y + height, x : x + width].astype(np.float32)
        return float(cv2.Laplacian(part, cv2.CV_32F, ksize=3).std() / (part.std() + 1))


def _outline(box: Box) -> NDArray[np.float32]:
    """The corners (4, 2) of a box, clockwise from the top left."""
    x, y, width, height = box
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)
