"""What a machine reads on a form: square markers at the corners, and a QR code that names the form and the page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from text_recognizer.images.normalize import Gray

#: Markers are ArUco's (Garrido-Jurado et al., 2014), of 5 x 5 cells: four numbers a page, one a corner.
_DICTIONARY = cv2.aruco.DICT_5X5_250
_MARKER_CELLS = 7  # with the black border
_TURNS_OF_NUMBERS = 62  # pages until the numbers of the markers begin anew
_PREFIX = "TRF1"  # of the code's text; a later version of it counts up
_CODE = re.compile(rf"{_PREFIX}:([0-9A-F]{{8}}):([0-9]+):([0-9A-F]{{8}})")
_CELL = 12  # pixels of a code's cell while it is read
_ALIKE = 0.9  # share of the cells in which a code that is hard to read must agree with the one it is taken for


def digest(*parts: object) -> str:
    """Eight hexadecimal digits that stand for some values."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:8].upper()


def marker_number(page: int, corner: int) -> int:
    """The number of a marker: page from 1, corner from 0, clockwise from the top left."""
    return (page - 1) % _TURNS_OF_NUMBERS * 4 + corner


def marker_cells(number: int) -> NDArray[np.bool_]:
    """The cells (7, 7) of a marker, True where it is dark."""
    dictionary = cv2.aruco.getPredefinedDictionary(_DICTIONARY)
    dark: NDArray[np.bool_] = cv2.aruco.generateImageMarker(dictionary, number, _MARKER_CELLS) == 0
    return dark


def find_markers(gray: Gray) -> list[tuple[int, NDArray[np.float32]]]:
    """The markers in a picture: their numbers and corners (4, 2) in pixels, clockwise from their own top left."""
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(_DICTIONARY), _parameters())
    corners, numbers, _ = detector.detectMarkers(gray)
    if numbers is None:
        return []
    found = zip(np.ravel(numbers).tolist(), corners, strict=True)
    return [(number, np.asarray(at, np.float32).reshape(4, 2)) for number, at in found if number < 248]


def _parameters() -> cv2.aruco.DetectorParameters:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    parameters.minMarkerPerimeterRate = 0.015  # a sheet may fill little of the picture
    return parameters


def code_text(form: str, page: int, page_digest: str) -> str:
    """What the code of a page says."""
    return f"{_PREFIX}:{form}:{page}:{page_digest}"


def parse_code(text: str) -> tuple[str, int, str] | None:
    """Form, page and hash of the page's texts of what a code says; None where it is no form's code."""
    match = _CODE.fullmatch(text)
    return (match[1], int(match[2]), match[3]) if match else None


def code_cells(text: str) -> NDArray[np.bool_]:
    """The cells (N, N) of the QR code of a text (ISO/IEC 18004), True where it is dark, without the quiet zone."""
    parameters = cv2.QRCodeEncoder.Params()
    parameters.correction_level = cv2.QRCodeEncoder_CORRECT_LEVEL_Q
    image = cv2.QRCodeEncoder.create(parameters).encode(text)
    dark = image < 128
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    cells: NDArray[np.bool_] = dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cells


def read_code(gray: Gray, box: tuple[float, float, float, float], likely: Iterable[str]) -> str | None:
    """What the code at a box (x, y, width, height in pixels, straightened) says; None where it cannot be told.

    likely: what it may say. A blurred or partly hidden code is compared with those, cell by cell.
    """
    window = _window(gray, box)
    if window is None:
        return None
    for picture in (window, _two_tone(window)):
        text, *_ = cv2.QRCodeDetector().detectAndDecode(picture)
        if parse_code(text):
            return str(text)
    scores = {text: _likeness(window, code_cells(text)) for text in likely}
    best = max(scores, key=lambda text: scores[text], default=None)
    return best if best is not None and scores[best] > _ALIKE else None


def _window(gray: Gray, box: tuple[float, float, float, float]) -> Gray | None:
    """The code enlarged, with half a quiet zone around it."""
    x, y, width, height = box
    margin = 0.08 * width
    left, top = max(0, round(x - margin)), max(0, round(y - margin))
    part = gray[top : round(y + height + margin), left : round(x + width + margin)]
    if min(part.shape) < 40:
        return None
    side = 29 * _CELL  # 25 cells and a quiet zone of two on each side
    return np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def _two_tone(gray: Gray) -> Gray:
    """Black and white, each place compared with its surroundings."""
    smooth = cv2.GaussianBlur(gray, (0, 0), _CELL / 4)
    tones = cv2.adaptiveThreshold(smooth, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9 * _CELL | 1, 5)
    return np.asarray(tones, np.uint8)


def _likeness(window: Gray, cells: NDArray[np.bool_]) -> float:
    """The share of the cells that are as dark as they should be, at the best of a few small shifts."""
    dark = (_two_tone(window) < 128).astype(np.float32)
    count = len(cells)
    size = len(window) * 25 / 29
    best = 0.0
    for shift in np.ndindex(5, 5):
        origin = (len(window) - size) / 2 + (np.array(shift) - 2) * _CELL / 3
        at = [np.round(origin[axis] + (np.arange(count) + 0.5) * size / count).astype(int) for axis in (0, 1)]
        found = dark[np.ix_(*(np.clip(places, 0, len(window) - 1) for places in at))] > 0.5
        best = max(best, float((found == cells).mean()))
    return best
