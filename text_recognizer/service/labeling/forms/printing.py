"""Forms as PDF files to print, in black and white, with their JSON beside them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from text_recognizer.folders import write_file
from text_recognizer.service.labeling.forms import layout
from text_recognizer.service.labeling.forms.codes import code_cells, marker_cells, marker_number
from text_recognizer.service.labeling.forms.drawing import Drawing, pdf_of
from text_recognizer.service.labeling.forms.form import Form, FormPage, Row, form_json

_GRAY = 0.45  # of the boxes: dark enough for every printer, and told from ink by where they are


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
