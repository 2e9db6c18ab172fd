"""How surely filled forms come back: boxes found, their ink complete, empty ones told apart, by condition.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.labeling.forms [--pages 20] [--wrong FOLDER]

Forms are printed to images and filled: half of the pages with handwriting fonts, a quarter with lines of IAM val, a
quarter with lines of Copiste val; one box in seven stays empty, a page in five is written with a pale pencil. A box is
right if it has its text, and nine tenths of its ink are there with at most a tenth of anything else, at half a
millimetre. The error rates compare what the recogniser reads in the cut real lines with the same ink on white paper.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.labeling.filled_forms import (
    CONDITIONS,
    HEADER,
    FilledPage,
    Gray,
    Score,
    blank_pages,
    fill,
    in_font,
    judge,
    scanned,
    tick,
)
from benchmarks.machine import machine
from text_recognizer import TextRecognizer
from text_recognizer.images import cut_line
from text_recognizer.images.normalize import ink_density
from text_recognizer.labeling.forms.form import Form, make_form
from text_recognizer.labeling.forms.prompts import shipped_prompts, unprintable
from text_recognizer.labeling.forms.scan import Problem, ScannedSheet
from text_recognizer.learning.datasets.iam import iam_rows
from text_recognizer.learning.datasets.pages import is_legible, pages
from text_recognizer.learning.evaluation.error_rates import error_rates
from text_recognizer.learning.synthesis.lines import handwriting_faces
from text_recognizer.paths import data_dir

_EMPTY = 1 / 7
_PENCIL = 0.4  # darkness of a pale pencil

Written = tuple[str, Form, list[FilledPage]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=20, help="at least 4")
    parser.add_argument("--wrong", type=Path, help="folder for pictures of what did not come out right")
    options = parser.parse_args()
    print(machine())
    each = max(1, options.pages // 4)
    sets = [*_in_fonts(each), _real("IAM val", _iam(), each), _real("Copiste val", _copiste(), each)]
    print(HEADER)
    seconds, taken = 0.0, 0
    cuts: dict[str, list[tuple[Gray, Gray, str]]] = {name: [] for name in CONDITIONS}
    for name, condition in CONDITIONS.items():
        score = Score()
        for kind, form, filled in sets:
            for number, page in enumerate(filled):
                picture = condition(page.image, 100 * number + len(kind))
                begin = time.perf_counter()
                result = scanned(picture, form)
                seconds, taken = seconds + time.perf_counter() - begin, taken + 1
                wrong = list(judge(result, page, number, form, score))
                _say(wrong, result, f"{name}, {kind}, page {number + 1}")
                if options.wrong and wrong:
                    _keep(options.wrong, f"{kind}-{number + 1}-{name.strip(' .')}", picture, result, wrong)
                if "val" in kind and isinstance(result, ScannedSheet):
                    cuts[name] += list(_pairs(result, page))
        print(score.row(name), flush=True)
    print(f"\n{seconds / taken:.2f} s a page")
    _print_rates(cuts)


def _say(wrong: list[int], result: ScannedSheet | Problem, where: str) -> None:
    if isinstance(result, Problem):
        print(f"    {where}: {result.what}")
    for row in wrong if isinstance(result, ScannedSheet) else []:
        print(f"    {where}, row {row + 1}: {result.boxes[row].state.value}")


def _keep(folder: Path, name: str, picture: Gray, result: ScannedSheet | Problem, wrong: list[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / f"{name}.jpg")
    for row in wrong if isinstance(result, ScannedSheet) else []:
        image = result.boxes[row].image
        if image is not None:
            Image.fromarray(image).save(folder / f"{name}-row-{row + 1}.png")


def _in_fonts(count: int) -> Iterator[Written]:
    faces, rng = handwriting_faces(), random.Random(1)
    for language in ("en", "fr"):
        form = make_form(shipped_prompts(language), count, language)
        yield f"fonts, {language}", form, _filled(form, lambda text: in_font(text, faces, rng), rng)


def _real(name: str, lines: dict[str, Gray], count: int) -> Written:
    form = make_form(list(lines), count, "en")
    return name, form, _filled(form, lines.__getitem__, random.Random(2))


def _filled(form: Form, write: Callable[[str], Gray], rng: random.Random) -> list[FilledPage]:
    filled = []
    for number, (page, blank) in enumerate(zip(form.pages, blank_pages(form), strict=True)):
        tick(blank, form.sheet.yes)
        lines = [None if rng.random() < _EMPTY else write(row.text) for row in page.rows]
        pen = _PENCIL if number % 4 == 3 else rng.uniform(0.6, 0.95)
        filled.append(fill(blank, [row.box for row in page.rows], lines, rng, pen))
    return filled


def _iam() -> dict[str, Gray]:
    """Text of lines of IAM val -> their ink; paper boxes of single words are no ink."""
    rows = [row for row in iam_rows("val") if row["kind"] == "gray" and _usable(row["text"])]
    rows = rows[:: max(1, len(rows) // 120)]
    images = (Image.open(data_dir() / "iam" / "lines" / f"{row['line_id']}.webp").convert("L") for row in rows)
    return {row["text"]: _ink(np.array(image)) for row, image in zip(rows, images, strict=True)}


def _copiste() -> dict[str, Gray]:
    """Text of lines of Copiste val -> their ink; at most six lines a page."""
    lines: dict[str, Gray] = {}
    for page in pages("copiste", "val"):
        image = page.image()
        usable = [line for line in page.lines if is_legible(line["text"]) and _usable(line["text"])]
        for line in usable[1:13:2]:
            lines[line["text"]] = _ink(cut_line(image, np.array(line["baseline"]), np.array(line["polygon"])))
    return lines


def _usable(text: str) -> bool:
    return 20 <= len(text) <= 70 and not unprintable(text)


def _ink(gray: Gray) -> Gray:
    return np.round(255 * ink_density(gray)).astype(np.uint8)


def _pairs(result: ScannedSheet, page: FilledPage) -> Iterator[tuple[Gray, Gray, str]]:
    """Each cut line with the same ink on white, and its text."""
    for number, row, image in result.filled():
        line = page.lines[number - 1]
        if line is not None:
            yield image, 255 - line, row.text


def _print_rates(cuts: dict[str, list[tuple[Gray, Gray, str]]]) -> None:
    recognizer = TextRecognizer()
    print("\n| real lines | count | CER % of the ink on white | CER % of the cut lines |\n|---|---|---|---|")
    for name, triples in cuts.items():
        texts = [text for _, _, text in triples]
        rates = []
        for images in ([plain for _, plain, _ in triples], [cut for cut, _, _ in triples]):
            readings = [line.text for line in recognizer.read_lines(images)]
            rates.append(error_rates(readings, texts).cer * 100)
        print(f"| {name} | {len(texts)} | {rates[0]:.2f} | {rates[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
