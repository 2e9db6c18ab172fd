"""Pages whose kind changes, for drift.py, and what the shipped recogniser reads on them, kept so that it reads once.

The ordinary kind is the handwriting of IAM forms, read by `open`, which has never seen IAM: to it, all are new pages.

    TEXT_RECOGNIZER_DATA=... python -m benchmarks.monitoring.drift_pages [KIND ...]
        # reads what drift.py needs; resumes
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from text_recognizer import Page, TextRecognizer
from text_recognizer.atomic_files import write_file
from text_recognizer.images.normalize import ink_density
from text_recognizer.learning.datasets.pages import printed_boxes, traced_pages
from text_recognizer.learning.synthesis.photograph import photograph
from text_recognizer.paths import cache_dir, data_dir

Image = NDArray[np.uint8]
MODEL = "open"
ORDINARY = "scans"
FRENCH = "another language"
VALIDATION = "validation"  # what the shipped references are made of
_EVERY = 5  # of the forms, one of so many is also seen changed
_COPISTE = 45  # pages: those of val, and some of train


def _photograph(image: Image, seed: int) -> Image:
    return photograph(image, seed)[0]


def _inverted(image: Image, _: int) -> Image:
    return 255 - image


def _half(image: Image, _: int) -> Image:
    return _resized(image, 0.5)


def _pencil(image: Image, _: int) -> Image:
    """Strokes half a pixel thinner on every side, and half as dark."""
    thin = _resized(cv2.dilate(_resized(image, 2), np.ones((3, 3), np.uint8)), 0.5)
    paper = float(np.median(image))
    return (paper - 0.5 * (paper - thin.astype(np.float32))).clip(0, 255).astype(np.uint8)


def _marker(image: Image, _: int) -> Image:
    """Strokes a pixel thicker on every side."""
    return _resized(cv2.erode(_resized(image, 2), np.ones((5, 5), np.uint8)), 0.5)


def _stained(image: Image, _: int) -> Image:
    """A drop on the lens: a soft round spot, a sixth of the width, always in one place, that takes 40 % of light."""
    height, width = image.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    far = np.hypot(x - 0.68 * width, y - 0.35 * height) / (width / 12)
    return (image * (1 - 0.4 / (1 + np.exp(((far - 1) / 0.08).clip(-30, 30))))).astype(np.uint8)


def _resized(image: Image, scale: float) -> Image:
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


#: What becomes of the handwriting of a form; the second argument is a seed.
CHANGES: dict[str, Callable[[Image, int], Image]] = {
    "photographs": _photograph,
    "inverted colours": _inverted,
    "half the resolution": _half,
    "pencil": _pencil,
    "marker": _marker,
    "stain on the lens": _stained,
}
PRINTED = "printed text"
KINDS = (ORDINARY, *CHANGES, PRINTED, FRENCH)


@dataclass(frozen=True)
class _Form:
    """A form of IAM, not opened yet; boxes (N, 4): x, y, width and height of its handwritten lines."""

    name: str
    split: str
    boxes: NDArray[np.float64]

    def part(self, printed: bool = False, air: int = 20) -> Image:
        """The handwriting, or the print at the head, and some air around it."""
        with PIL.Image.open(data_dir() / "iam" / "forms" / f"{self.name}.webp") as picture:
            image = np.array(picture.convert("L"))
        boxes = self.boxes
        if printed:
            density = ink_density(image, kernel=41)
            boxes = np.array(printed_boxes(density[: max(1, int(boxes[:, 1].min()) - 10)]))
        left, top = np.maximum(boxes[:, :2].min(axis=0) - air, 0).astype(int)
        right, bottom = ((boxes[:, :2] + boxes[:, 2:]).max(axis=0) + air).astype(int)
        return image[top:bottom, left:right]


def _forms() -> list[_Form]:
    """Two of three forms of train, and those of val."""
    rows = json.loads((data_dir() / "iam" / "forms.json").read_text(encoding="utf-8"))
    forms = [_Form(r["form"], r["split"], np.array([line["box_xywh"] for line in r["lines"]])) for r in rows]
    train = [form for form in forms if form.split == "train"]
    return [form for number, form in enumerate(train) if number % 3] + [f for f in forms if f.split == "val"]


def pictures(kind: str) -> Iterator[tuple[str, Image]]:
    """Names and images of the pages of a kind, always the same."""
    if kind == FRENCH:
        pages = [*traced_pages("copiste", "val"), *traced_pages("copiste", "train")][:_COPISTE]
        yield from ((page.identifier, page.image) for page in pages)
    elif kind == VALIDATION:
        yield from ((form.name, form.part()) for form in _forms() if form.split == "val")
        yield from ((page.identifier, page.image) for page in traced_pages("copiste", "val"))
    else:
        yield from _of_forms(kind)


def _of_forms(kind: str) -> Iterator[tuple[str, Image]]:
    for number, form in enumerate(_forms()):
        if kind == ORDINARY:
            yield form.name, form.part()
        elif number % _EVERY == 0 and kind == PRINTED:
            yield form.name, form.part(printed=True)
        elif number % _EVERY == 0:
            yield form.name, CHANGES[kind](form.part(), number)


def readings(kind: str, model: str = MODEL) -> dict[str, Page]:
    """The pages of a kind as they were read, by name; those that were not read yet are left out."""
    file = _file(kind, model)
    rows = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {name: Page.from_dict(row) for name, row in rows.items()}


def read(kind: str, model: str = MODEL) -> None:
    """Read every page of a kind that was not read before. Ctrl-C loses a few pages at most.

    Validation pages are read with the language model, as served; the others, of which there are many, letter by letter.
    """
    recognizer = TextRecognizer(model, threads=1, language="auto" if kind == VALIDATION else None)
    done = {name: page.to_dict() for name, page in readings(kind, model).items()}
    for name, image in pictures(kind):
        if name not in done:
            done[name] = recognizer.read(image).to_dict()
            if len(done) % 10 == 0:
                write_file(_file(kind, model), json.dumps(done).encode())
    write_file(_file(kind, model), json.dumps(done).encode())
    print(f"{model}, {kind}: {len(done)} pages", flush=True)


def _file(kind: str, model: str) -> Path:
    return cache_dir() / "drift" / f"{model}-{kind.replace(' ', '-')}.json"


if __name__ == "__main__":
    cv2.setNumThreads(1)
    chosen = sys.argv[1:]  # kinds; none: all
    for each in chosen or KINDS:
        read(each)
    if not chosen or VALIDATION in chosen:
        read(VALIDATION, "lines")
