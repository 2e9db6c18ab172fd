"""Forms as PDF files to print, in black and white, with their JSON beside them.

Drawings of text, lines and cells, in millimetres from the top left corner, as vectors in a PDF.

Text is set in Helvetica, one of the fonts that every viewer and printer brings along (ISO 32000-1, 9.6.2.2), so that
none has to be installed or shipped; it knows the characters of Windows-1252.

Contact sheets: cut lines with their text below, to look through.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.atomic_files import write_file
from text_recognizer.formats.pdf.writer import PRODUCER, PdfFile, stream, text_string
from text_recognizer.images import open_document, to_gray
from text_recognizer.images.normalize import Gray
from text_recognizer.labeling.forms import form as layout
from text_recognizer.labeling.forms.codes import code_cells, marker_cells, marker_number
from text_recognizer.labeling.forms.form import Form, FormPage, Row, form_json

_GRAY = 0.45  # of the boxes: dark enough for every printer, and told from ink by where they are

_POINTS = 72 / 25.4  # of a millimetre

LINES = 40  # of one sheet

_DPI = 127  # five pixels a millimetre
_PIXELS = 5
_WIDTH, _PITCH, _GAP = 150.0, 20.0, 5.0  # millimetres
_IMAGE = 12.0  # height of a line's image


class Words(NamedTuple):
    """What is printed on a form beside its prompts."""

    title: str
    instructions: tuple[str, str, str]
    consent: str
    yes: str
    no: str
    writer: str


_ENGLISH = Words(
    "Handwriting form, page {page} of {pages}",
    (
        "Copy each line into the box below it, as you usually write, with a dark pen.",
        "After a mistake write on and cross nothing out, or leave the box empty.",
        "Photograph the whole sheet with its four black squares, flat and in good light.",
    ),
    "These lines may be used to train programs that read:",
    *("yes", "no", "Writer:"),
)
_FRENCH = Words(
    "Formulaire d'écriture, page {page} sur {pages}",
    (
        "Recopiez chaque ligne dans le cadre placé dessous, de votre écriture habituelle.",
        "En cas d'erreur, continuez sans rien barrer, ou laissez le cadre vide.",
        "Photographiez la feuille entière, avec ses quatre carrés noirs, à plat.",
    ),
    "Ces lignes peuvent servir à entraîner des programmes :",
    *("oui", "non", "Nom :"),
)
_WORDS = {"en": _ENGLISH, "fr": _FRENCH}


def write_form(form: Form, output: Path) -> Path:
    """Write the PDF, and the JSON beside it, whose path is returned. FileExistsError where another form is there.

    The JSON of a form that has been printed must not be lost: only the same form is written again.
    """
    data = form_json(form)
    beside = output.with_suffix(".json")
    if beside == output:
        raise ValueError(f"{output} is to be a PDF: name it .pdf")
    if beside.exists() and beside.read_text(encoding="utf-8") != data:
        raise FileExistsError(f"{beside} holds another form, which may have been printed: name another output")
    write_file(beside, data.encode())  # first: a sheet without it would be lost
    write_file(output, form_pdf(form))
    return beside


def form_pdf(form: Form) -> bytes:
    """The form to print, in black and white."""
    title = f"Handwriting form {form.identifier}"
    return pdf_of([_draw(form, page) for page in form.pages], title)


def _draw(form: Form, page: FormPage) -> Drawing:
    drawing = Drawing(*form.sheet.size)
    for corner, (x, y, side, _) in enumerate(form.sheet.markers):
        drawing.cells(x, y, side, marker_cells(marker_number(page.number, corner)))
    x, y, side, _ = form.sheet.code
    drawing.cells(x, y, side, code_cells(form.code(page)))
    _draw_head(drawing, form, page)
    for number, row in enumerate(page.rows, 1):
        _draw_row(drawing, number, row)
    foot = form.sheet.markers[2][1] + 10
    named = f"{form.identifier}, {page.number}/{len(form.pages)}"
    drawing.text(layout.MARGIN + 18, foot, 3.2, named, gray=0.3)
    return drawing


def _draw_head(drawing: Drawing, form: Form, page: FormPage) -> None:
    words = _WORDS.get(form.language, _ENGLISH)
    left = layout.MARGIN + layout.MARKER + 5
    title = words.title.format(page=page.number, pages=len(form.pages))
    drawing.text(left, layout.MARGIN + 4.5, 5, title, bold=True)
    for number, instruction in enumerate(words.instructions):
        drawing.text(left, layout.MARGIN + 9.5 + 4 * number, 3.2, instruction)
    baseline = layout.CONSENT_BASELINE
    drawing.text(layout.MARGIN, baseline, 3.2, words.consent)
    for box, word in ((form.sheet.yes, words.yes), (form.sheet.no, words.no)):
        drawing.rectangle(box, line=0.3)
        drawing.text(box[0] + box[2] + 1.2, baseline, 3.2, word)
    drawing.text(112, baseline, 3.2, words.writer)
    if form.writer:
        drawing.text(123, baseline, 3.2, form.writer)
    drawing.line(123, baseline + 1, form.sheet.code[0] - 4 - 123, line=0.2)


def _draw_row(drawing: Drawing, number: int, row: Row) -> None:
    x, y, _, height = row.box
    baseline = y - layout.BOX_TOP + layout.PROMPT_BASELINE
    drawing.text(x, baseline, 2.8, f"{number}", gray=0.4)
    drawing.text(x + 6, baseline, layout.PROMPT_SIZE, row.text)
    drawing.rectangle(row.box, line=0.25, gray=_GRAY)
    # A short mark beside the box says where to write, and leaves the writing alone.
    drawing.line(x - layout.MARK_GAP - layout.MARK, y + layout.WRITING_LINE * height, layout.MARK, line=0.2, gray=_GRAY)


class Drawing:
    """One page of width x height millimetres."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._operators: list[str] = []

    def text(self, x: float, y: float, size: float, text: str, bold: bool = False, gray: float = 0.0) -> None:
        """Text from x on, its baseline at y, `size` millimetres high; characters outside of Windows-1252 become "?"."""
        coded = text.encode("cp1252", "replace").hex().upper()
        place = f"{_number(x * _POINTS)} {_number((self.height - y) * _POINTS)}"
        font = f"/F{2 if bold else 1} {_number(size * _POINTS)} Tf"
        self._operators.append(f"BT {_number(gray)} g {font} {place} Td <{coded}> Tj ET")

    def rectangle(self, box: Sequence[float], line: float = 0.25, gray: float = 0.0) -> None:
        """The outline of a box (x, y, width, height), its line `line` millimetres wide around the middle of it."""
        self._operators.append(f"{_number(line * _POINTS)} w {_number(gray)} G {self._box(*box)} re S")

    def line(self, x: float, y: float, length: float, line: float = 0.25, gray: float = 0.0) -> None:
        """A horizontal line from x on, its middle at y."""
        self._operators.append(f"{_number(gray)} g {self._box(x, y - line / 2, length, line)} re f")

    def cells(self, x: float, y: float, side: float, dark: NDArray[np.bool_]) -> None:
        """A square grid of dark and light cells (N, N), `side` millimetres wide."""
        cell = side / len(dark)
        boxes = [
            self._box(x + begin * cell, y + row * cell, (end - begin) * cell, cell)
            for row, values in enumerate(dark)
            for begin, end in _runs(values)
        ]
        # One path, for between neighbours that are filled one by one some viewers leave a light seam.
        self._operators.append("0 g " + " ".join(f"{box} re" for box in boxes) + " f")

    def content(self) -> bytes:
        """The page's content stream."""
        return "\n".join(self._operators).encode("ascii")

    def _box(self, x: float, y: float, width: float, height: float) -> str:
        bottom = self.height - y - height
        return " ".join(_number(value * _POINTS) for value in (x, bottom, width, height))


def pdf_of(pages: Sequence[Drawing], title: str) -> bytes:
    """The pages as a PDF file (1.4); the same pages give the same bytes."""
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    fonts = [
        f"<</Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding>>".encode()
        for name in ("Helvetica", "Helvetica-Bold")
    ]
    objects = [b"<</Type /Catalog /Pages 2 0 R>>", f"<</Type /Pages /Kids [{kids}] /Count {len(pages)}>>".encode()]
    objects += fonts
    for number, page in enumerate(pages):
        size = f"{_number(page.width * _POINTS)} {_number(page.height * _POINTS)}"
        objects.append(
            f"<</Type /Page /Parent 2 0 R /MediaBox [0 0 {size}] /Contents {6 + 2 * number} 0 R "
            "/Resources <</Font <</F1 3 0 R /F2 4 0 R>>>>>>".encode()
        )
        objects.append(stream(page.content()))
    objects.append(f"<</Title {text_string(title)} /Producer {PRODUCER}>>".encode())
    target = io.BytesIO()
    file = PdfFile(target, "1.4")
    for number, body in enumerate(objects, 1):
        file.put(number, body)
    file.close(root=1, info=len(objects))
    return target.getvalue()


def _runs(values: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where runs of True begin and end."""
    edges = np.flatnonzero(np.diff(np.r_[False, values, False].astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


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
