"""Make docs/pictures/form.png: a form that a program filled and photographed, and the lines that were cut out of it.

python docs/make_form_picture.py
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.labeling.filled_forms import blank_pages, fill, hard_photograph, in_font, scanned, tick
from text_recognizer.labeling.forms.boxes import trimmed
from text_recognizer.labeling.forms.form import make_form
from text_recognizer.labeling.forms.printing import contact_sheet
from text_recognizer.labeling.forms.prompts import shipped_prompts
from text_recognizer.learning.synthesis.lines import handwriting_faces

HERE = Path(__file__).resolve().parent
HEIGHT = 680


def main() -> None:
    """Write the picture."""
    os.environ["TEXT_RECOGNIZER_DATA"] = str(HERE.parent / "tests" / "data")  # its fonts may be shown anywhere
    rng, faces = random.Random(8), handwriting_faces()
    form = make_form(shipped_prompts("en"), 1, "en", "Ada", seed=2)
    rows = form.pages[0].rows
    blank = blank_pages(form)[0]
    tick(blank, form.sheet.yes)
    written = [None if number == 7 else in_font(row.text, faces, rng) for number, row in enumerate(rows)]
    photograph = hard_photograph(fill(blank, [row.box for row in rows], written, rng).image, seed=9)
    lines = [(row.text, trimmed(image)) for _, row, image in scanned(photograph, form).filled()]
    left, right = Image.fromarray(photograph), contact_sheet(lines, columns=1)
    for picture in (left, right):
        picture.thumbnail((2 * HEIGHT, HEIGHT), Image.Resampling.LANCZOS)
    canvas = Image.new("L", (left.width + right.width, HEIGHT), 255)
    canvas.paste(left, (0, 0))
    canvas.paste(right, (left.width, (HEIGHT - right.height) // 2))
    canvas.quantize(16).save(HERE / "pictures" / "form.png", optimize=True)


if __name__ == "__main__":
    main()
