"""Photographs and scans of filled forms to lines with their text. Nothing is dropped without being said."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from text_recognizer.images import ImageError, open_document, to_gray
from text_recognizer.images.normalize import Gray
from text_recognizer.labeling.forms.boxes import CutBox, State, cut_box, tick_ink
from text_recognizer.labeling.forms.codes import parse_code, read_code
from text_recognizer.labeling.forms.form import PAPERS, Box, Form, FormPage, Row, Sheet, sheet_of
from text_recognizer.labeling.forms.sheets import LEAST_MARKERS, SCALE, Corners, StraightSheet, find_sheets

_PDF_DPI = 300
_TICKED = 0.05  # share of a box to tick that is inked; a thin stroke through it makes about a tenth


class Consent(StrEnum):
    """What the boxes to tick say."""

    YES = "yes"
    NO = "no"
    OPEN = "open"  # neither is ticked
    BOTH = "both"


@dataclass(frozen=True)
class Photo:
    """One picture. name: of the file, with the page where it has several. digest: SHA-256 of the file, likewise."""

    name: str
    digest: str


@dataclass(frozen=True)
class ScannedSheet:
    """A sheet that was recognised. boxes: one for each row of the page. sharpness: to compare pictures of one page."""

    photo: Photo
    form: Form
    page: FormPage
    consent: Consent
    boxes: tuple[CutBox, ...]
    sharpness: float

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.photo.name}, form {self.form.identifier}, page {self.page.number}"

    def filled(self) -> Iterator[tuple[int, Row, Gray]]:
        """The rows that somebody wrote: number from 1, row, image."""
        for number, (row, box) in enumerate(zip(self.page.rows, self.boxes, strict=True), 1):
            if box.image is not None:
                yield number, row, box.image

    def numbers(self, state: State) -> list[int]:
        """The rows whose box is in that state, from 1."""
        return [number for number, box in enumerate(self.boxes, 1) if box.state is state]


@dataclass(frozen=True)
class Problem:
    """Something that went wrong with a picture or one of its sheets; `what` names the picture."""

    what: str


def scan_file(path: Path, forms: dict[str, Form]) -> Iterator[ScannedSheet | Problem]:
    """The sheets of a file (an image, a PDF, a TIFF of several pages), and what could not be used of it."""
    try:
        data = path.read_bytes()
        with open_document(data, dpi=_PDF_DPI, name=str(path)) as document:
            for number in range(len(document)):
                several = len(document) > 1
                name = f"{path.name}#{number + 1}" if several else path.name
                digest = hashlib.sha256(data + (b"#%d" % number if several else b"")).hexdigest()
                yield from scan_photo(document.page(number), Photo(name, digest), forms)
    except (ImageError, OSError) as error:
        yield Problem(str(error))


def scan_photo(image: NDArray[np.uint8], photo: Photo, forms: dict[str, Form]) -> Iterator[ScannedSheet | Problem]:
    """The sheets in a picture (H, W) or (H, W, 3), and what could not be used of it."""
    gray = to_gray(image)
    found = find_sheets(gray)
    if found.twice:
        yield Problem(f"{photo.name} shows the same page number twice: photograph one sheet at a time")
        return
    if not found.sheets and not found.incomplete:
        yield Problem(f"{photo.name} shows no form: none of the black squares at its corners was found")
    for count in found.incomplete:
        if count > 1 or not found.sheets:  # a single square beside a whole sheet may be anything
            seen = f"{count} of the 4 black squares of a sheet"
            yield Problem(f"{photo.name} shows only {seen}, {LEAST_MARKERS} are needed: photograph the whole sheet")
    for corners in found.sheets:
        yield _scan_sheet(gray, corners, photo, forms)


def best_of(sheets: Iterable[ScannedSheet]) -> tuple[list[ScannedSheet], list[tuple[ScannedSheet, ScannedSheet]]]:
    """One picture of each page: the one with most boxes to be seen, of those the sharpest; and the pairs of a picture
    left aside and the one taken instead.
    """
    chosen: dict[tuple[str, int], ScannedSheet] = {}
    aside: list[tuple[ScannedSheet, ScannedSheet]] = []
    for sheet in sheets:
        key = sheet.form.identifier, sheet.page.number
        known = chosen.get(key)
        if known is not None:
            better, worse = (sheet, known) if _quality(sheet) > _quality(known) else (known, sheet)
            aside = [(old, better if new is worse else new) for old, new in aside] + [(worse, better)]
            sheet = better
        chosen[key] = sheet
    return [chosen[key] for key in sorted(chosen)], aside


def _quality(sheet: ScannedSheet) -> tuple[int, float]:
    return sum(box.state in (State.FILLED, State.EMPTY) for box in sheet.boxes), sheet.sharpness


def _scan_sheet(gray: Gray, corners: Corners, photo: Photo, forms: dict[str, Form]) -> ScannedSheet | Problem:
    code, sheet = _read_code(gray, corners, forms)
    parsed = parse_code(code) if code else None
    if parsed is None or sheet is None:
        return Problem(
            f"{photo.name} shows a sheet whose QR code cannot be read: photograph it from closer by, in focus"
        )
    identifier, number, page_digest = parsed
    form = forms.get(identifier)
    if form is None:
        return Problem(
            f"{photo.name} shows form {identifier}, page {number}, whose JSON is missing: name it with --forms"
        )
    page = next((page for page in form.pages if page.number == number), None)
    if page is None or page.digest != page_digest:
        return Problem(f"{photo.name} shows page {number} of form {identifier}, which is not the one in its JSON")
    if sheet.sheet != form.sheet:
        sheet = StraightSheet(gray, corners, form.sheet)
    boxes = tuple(cut_box(sheet, row.box) for row in page.rows)
    return ScannedSheet(photo, form, page, _consent(sheet, form.sheet), boxes, sheet.sharpness(form.sheet.code))


def _read_code(gray: Gray, corners: Corners, forms: dict[str, Form]) -> tuple[str | None, StraightSheet | None]:
    """What the sheet's code says, and the sheet straightened by the layout with which it could be read."""
    codes: dict[Sheet, list[str]] = {}
    for form in forms.values():
        codes.setdefault(form.sheet, []).extend(form.code(page) for page in form.pages)
    for paper in PAPERS:  # the sheet may be of another form, and is to be named then
        codes.setdefault(sheet_of(paper), [])
    for layout, likely in codes.items():
        sheet = StraightSheet(gray, corners, layout)
        text = read_code(sheet.gray, _pixels(layout.code), likely)
        if text:
            return text, sheet
    return None, None


def _pixels(box: Box) -> Box:
    x, y, width, height = (value * SCALE for value in box)
    return x, y, width, height


def _consent(sheet: StraightSheet, layout: Sheet) -> Consent:
    yes, no = (share > _TICKED for share in tick_ink(sheet, (layout.yes, layout.no)))
    if yes and no:
        return Consent.BOTH
    return Consent.YES if yes else Consent.NO if no else Consent.OPEN
