"""Where the characters of a line or a paragraph stand: what an attention network's attention is taught.

The shipped line recogniser says it, by the forced alignment that characters are cut with (`forced_alignment.py`); where
it cannot, the characters are shared out evenly over the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from text_recognizer.atomic_files import whole_folder
from text_recognizer.images import LineStrip, normalize_line_with_box
from text_recognizer.learning.alignment.forced_alignment import ALIGNMENT_VERSION, align, centers_of, extents_of
from text_recognizer.learning.datasets.cache_keys import fingerprint
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.iam_paragraphs import iam_line_boxes
from text_recognizer.learning.datasets.lines import LineDataset
from text_recognizer.learning.datasets.page_xml_regions import Region, page_regions
from text_recognizer.learning.datasets.paragraphs import ParagraphDataset, ParagraphLabel
from text_recognizer.paths import cache_dir
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

#: Changes with the places; stored ones are made again.
PLACES_VERSION = 1

_LINES = 64  # lines that are read together

Image = NDArray[np.uint8]
Columns = NDArray[np.float32]
Places = NDArray[np.float32]


def even_columns(width: float, text: str) -> Columns:
    """The middles (n,) of n characters that share a line's width evenly."""
    return ((np.arange(len(text)) + 0.5) * width / max(1, len(text))).astype(np.float32)


def aligned_columns(images: Sequence[Image], texts: Sequence[str], recognizer: LineTextRecognizer) -> list[Columns]:
    """The middle of each character of normalised lines, in columns of each line; evenly where alignment fails."""
    columns = []
    for image, text, logits in zip(images, texts, recognizer.logits(images), strict=True):
        try:
            aligned = align(logits, text, recognizer.alphabet)
        except ValueError:  # more text than the line has room for
            aligned = []
        # CTC speaks up anywhere within a character: its usual extents say where the middle is.
        left, right = extents_of(aligned).T if aligned else (0, 0)
        found = (centers_of(aligned, recognizer.geometry) + (right - left) / 2)[1:-1] if aligned else np.zeros(0)
        fits = len(found) == len(text)
        columns.append(found.astype(np.float32) if fits else even_columns(image.shape[1], text))
    return columns


def line_places(lines: LineDataset, name: str) -> list[Columns]:
    """The columns of the characters of each line of a dataset, cached; name: for the key."""
    recognizer = LineTextRecognizer()
    texts = [label.text for label in lines.labels]
    marks = fingerprint(PLACES_VERSION, ALIGNMENT_VERSION, recognizer.bundle.sha256, lines.widths.tolist(), texts)
    folder = cache_dir() / f"places-{name}-{marks}"
    if not (folder / "columns.npy").exists():
        with whole_folder(folder) as partial:
            _align_lines(partial, lines, texts, recognizer)
    ends = np.cumsum([len(text) for text in texts])
    return np.split(np.load(folder / "columns.npy"), ends[:-1])


def _align_lines(folder: Path, lines: LineDataset, texts: list[str], recognizer: LineTextRecognizer) -> None:
    found: list[Columns] = [np.zeros(0, np.float32)] * len(lines)
    order = np.argsort(lines.widths, kind="stable")
    for start in range(0, len(order), _LINES):
        group = order[start : start + _LINES].tolist()
        columns = aligned_columns([lines[i][0] for i in group], [texts[i] for i in group], recognizer)
        for index, own in zip(group, columns, strict=True):
            found[index] = own
    np.save(folder / "columns.npy", np.concatenate(found))


def paragraph_places(paragraphs: ParagraphDataset, split: str) -> list[Places]:
    """Row and column (n, 2) of each character of IAM paragraphs, newlines included, in pixels; cached."""
    recognizer = LineTextRecognizer()

    def made() -> Iterator[Places]:
        boxes = iam_line_boxes(split)
        for image, label in _items(paragraphs):
            yield paragraph_character_places(image, label.text, boxes[label.identifier], recognizer)

    return _stored_places(paragraphs, f"iam-paragraphs-{split}", recognizer, made())


def page_paragraph_places(paragraphs: ParagraphDataset, path: str, split: str) -> list[Places]:
    """The same for what `xml_page_paragraphs` gives of that path and split."""
    recognizer = LineTextRecognizer()

    def made() -> Iterator[Places]:
        for (image, _), region in zip(_items(paragraphs), page_regions(path, split, Exclusions(path)), strict=True):
            yield region_character_places(image, region, recognizer)

    return _stored_places(paragraphs, "pages-paragraphs", recognizer, made(), paragraphs.key)


def _items(paragraphs: ParagraphDataset) -> Iterator[tuple[Image, ParagraphLabel]]:
    return (paragraphs[index] for index in range(len(paragraphs)))


def _stored_places(
    paragraphs: ParagraphDataset, name: str, recognizer: LineTextRecognizer, made: Iterator[Places], *marks: object
) -> list[Places]:
    """The places of each paragraph, `made` where they are not stored yet; marks: what else they depend on."""
    texts = [label.text for label in paragraphs.labels]
    made_of = recognizer.bundle.sha256, paragraphs.shapes.tolist(), texts
    folder = cache_dir() / f"places-{name}-{fingerprint(PLACES_VERSION, ALIGNMENT_VERSION, *made_of, *marks)}"
    if not (folder / "places.npy").exists():
        with whole_folder(folder) as partial:
            np.save(partial / "places.npy", np.concatenate(list(made)))
    return np.split(np.load(folder / "places.npy"), np.cumsum([len(text) for text in texts])[:-1])


def paragraph_character_places(
    image: Image, text: str, boxes: NDArray[np.float64], recognizer: LineTextRecognizer
) -> NDArray[np.float32]:
    """Row and column (n, 2) of each character of one paragraph, whose lines stand in `boxes` (left, top, width,
    height).

    A newline stands behind the last character of its line.
    """
    lines, texts = [], text.split("\n")
    for left, top, width, height in boxes.astype(int).tolist():
        crop = 255 - image[max(0, top) : top + height + 1, max(0, left) : left + width + 1]
        lines.append(normalize_line_with_box(crop, recognizer.geometry.height))
    columns = aligned_columns([line.image for line in lines], texts, recognizer)
    places = []
    for line, own, box in zip(lines, columns, boxes.tolist(), strict=True):
        across = np.clip(own / line.scale + line.left, 0, box[2]) + box[0]
        places.append(with_newline(box[1] + box[3] / 2, across.astype(np.float32)))
    return np.concatenate(places)[:-1]


def region_character_places(image: Image, region: Region, recognizer: LineTextRecognizer) -> Places:
    """Row and column (n, 2) of each character of the paragraph of a region, each line cut along its own baseline."""
    strips = [LineStrip(line.baseline, line.polygon) for line in region.lines_in(image)]
    lines = [normalize_line_with_box(strip.cut(255 - image), recognizer.geometry.height) for strip in strips]
    texts = [line.text for line in region.lines]
    columns = aligned_columns([line.image for line in lines], texts, recognizer)
    places = []
    for strip, line, own in zip(strips, lines, columns, strict=True):
        across = with_newline(strip.shape[0] / 2, (own / line.scale + line.left).astype(np.float32))[:, ::-1]
        places.append(strip.to_page(across)[:, ::-1])
    return np.concatenate(places)[:-1].astype(np.float32)


def with_newline(row: float, columns: Columns) -> NDArray[np.float32]:
    """Places (n + 1, 2) of a line's characters and the newline behind them."""
    step = float(np.median(np.diff(columns))) if len(columns) > 1 else 10.0
    across = np.append(columns, columns[-1] + max(step, 1.0) if len(columns) else 0.0)
    return np.stack([np.full(len(across), row), across], axis=1).astype(np.float32)
