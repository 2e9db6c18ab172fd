"""A diagnosis for people: a table, a picture, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from text_recognizer.learning.evaluation.diagnosis import Term

_ADVICE = {
    "irreducible": "Measure it: let somebody read a hundred lines again, and correct labels that are wrong.",
    "bias": "It does not even read what it learned from. Train longer, try a larger network, another learning rate "
    "(--find-learning-rate), less augmentation and dropout; overfit one batch to rule out a bug "
    "(--overfit-batches=1).",
    "variance": "It reads what it learned from, and not what is new. More data before all: more writers, synthetic "
    "lines, a start from a trained bundle (--start_from); then more augmentation, dropout and weight decay.",
    "shift": "It reads data like its own, and not yours. Look at the worst lines (evaluate --worst 20), train on "
    "lines like them (label some, fine-tune on them), or make synthetic ones that look like them.",
    "worn-out val": "The choices fit val by chance. Draw a larger or a new val set, and look at test less often.",
}
_WIDTH, _ROW, _LEFT, _RIGHT = 860, 44, 150, 120
_COLOURS = {"irreducible": "#9e9e9e", "bias": "#4c78a8", "variance": "#f58518", "shift": "#54a24b"}


def order(terms: Sequence[Term]) -> list[Term]:
    """The terms that something can be done about, the largest first; those that are not above 0 left out."""
    return sorted((term for term in terms if term.value > 0), key=lambda term: -term.value)


def print_diagnosis(terms: Sequence[Term], title: str) -> None:
    """Print the parts of the error, and what to try next, the largest part first."""
    table = Table("part", "points", "+/-", "measured", title=title, box=None, title_justify="left")
    for term in terms:
        spread = f"{100 * term.deviation:.2f}" if term.deviation else ""
        table.add_row(term.name, f"{100 * term.value:.2f}", spread, term.about)
    console = Console()
    console.print(table)
    for number, term in enumerate(order(terms), 1):
        doubt = " (within its measuring error)" if 0 < term.value < 2 * term.deviation else ""
        console.print(
            f"{number}. {term.name}, {100 * term.value:.2f} points{doubt}. {_ADVICE[term.name]}", markup=False
        )


def diagnosis_picture(terms: Sequence[Term], title: str) -> Image.Image:
    """The parts of the error as bars, each beginning where the one before ends; what is below 0 goes back."""
    ends = [0.0]
    for term in terms:
        ends.append(ends[-1] + term.value)
    low, high = min(0.0, *ends), max(*ends, 1e-6)
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    picture = Image.new("RGB", (_WIDTH, _ROW * (len(terms) + 2)), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(18)
    draw.text((16, 12), title, "black", font)
    for number, (term, start, end) in enumerate(zip(terms, ends, ends[1:], strict=False), 1):
        y = number * _ROW + 8
        left, right = (_LEFT + (value - low) * scale for value in sorted((start, end)))
        draw.text((16, y + 4), term.name, "black", font)
        draw.rectangle((left, y, max(right, left + 1), y + _ROW - 16), fill=_COLOURS.get(term.name, "#b279a2"))
        draw.text((right + 8, y + 4), f"{100 * term.value:+.2f}", "black", font)
    draw.line((_LEFT - low * scale, _ROW, _LEFT - low * scale, _ROW * (len(terms) + 1)), "#404040")
    total = f"{100 * ends[-1]:.2f} % of characters are wrong in the end"
    draw.text((16, _ROW * (len(terms) + 1) + 8), total, "black", font)
    return picture
