"""Contact sheets: cut lines with their text below, to look through."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from text_recognizer.images import open_document, to_gray
from text_recognizer.images.normalize import Gray
from text_recognizer.service.labeling.forms.drawing import Drawing, pdf_of

LINES = 40  # of one sheet

_DPI = 127  # five pixels a millimetre
_PIXELS = 5
_WIDTH, _PITCH, _GAP = 150.0, 20.0, 5.0  # millimetres
_IMAGE = 12.0  # height of a line's image


def contact_sheet(lines: Sequence[tuple[str, Gray]], columns: int = 2) -> Image.Image:
    """One sheet of labels and images (H, W), in columns; `LINES` of them look well."""
    rows = -(-len(lines) // columns)
    drawing = Drawing(columns * (_WIDTH + _GAP) + _GAP, rows * _PITCH + _GAP)
    places = [(_GAP + number // rows * (_WIDTH + _GAP), _GAP + number % rows * _PITCH) for number in range(len(lines))]
    for (x, y), (label, _) in zip(places, lines, strict=True):
        drawing.text(x, y + _IMAGE + 3.5, 3, label, gray=0.2)
    with open_document(pdf_of([drawing], "Lines"), dpi=_DPI) as document:
        sheet = to_gray(document.page(0)).copy()
    for (x, y), (_, image) in zip(places, lines, strict=True):
        scale = min(_IMAGE * _PIXELS / image.shape[0], _WIDTH * _PIXELS / image.shape[1])
        size = max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        top, left = round(y * _PIXELS), round(x * _PIXELS)
        sheet[top : top + size[1], left : left + size[0]] = small
    return Image.fromarray(sheet)
