"""What a model makes of whole datasets, sample by sample, so that two models can be compared on the same samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.datasets.pages import TracedPage, traced_pages
from text_recognizer.learning.datasets.registry import find
from text_recognizer.learning.datasets.sources import LineSource, ParagraphSource, line_dataset, paragraph_dataset
from text_recognizer.learning.evaluation.calibration import word_outcomes
from text_recognizer.learning.evaluation.error_rates import decoded_texts, read_dataset
from text_recognizer.learning.evaluation.pages import handwriting_block, iam_pages
from text_recognizer.learning.evaluation.suites.bootstrap import Counts
from text_recognizer.learning.evaluation.suites.readers import (
    CharacterReader,
    DetectorReader,
    LineReader,
    ParagraphReader,
    TaskReader,
)
from text_recognizer.learning.evaluation.suites.slices import Slice, by_name, halves, line_slices
from text_recognizer.learning.synthesis.characters import CLASSES, CharacterSource, character_dataset
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer


@dataclass(frozen=True)
class Samples:
    """N samples of a set and what was read in them.

    names: of the samples. groups: whose they are, which is what the bootstrap draws. errors: for each measure the
    errors and how many there could be, (N,) each. truths, texts: where there is text. sure, right: (W,) confidence of
    the words that were read, and whether they are right. image: of a sample, gray uint8 (H, W), ink dark.
    """

    set: str
    names: Sequence[str]
    groups: Sequence[str]
    slices: Sequence[Slice]
    errors: Mapping[str, tuple[Counts, Counts]]
    truths: Sequence[str] = ()
    texts: Sequence[str] = ()
    sure: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    right: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    image: Callable[[int], NDArray[np.uint8]] | None = None


def check_sets(names: Sequence[str]) -> None:
    """Raises FileNotFoundError that names every set whose data are not here, and says where to get it; ValueError for
    an unknown one."""
    gone = []
    for name in names:
        description, _ = find(name)
        if missing := description.missing():
            gone.append(f"{name} ({' and '.join(map(str, missing))}) from {description.source}")
    if gone:
        raise FileNotFoundError(
            f"the suite needs data that are not here: {'; '.join(gone)}. TEXT_RECOGNIZER_DATA names the folder of all "
            "datasets (docs/data.md); --suite basic needs none"
        )


def read_set(reader: TaskReader, name: str) -> Samples:
    """What the reader makes of a dataset of its kind. Raises ValueError for another kind."""
    for kind, read in _READ.items():
        if isinstance(reader, kind):
            return read(reader, name)
    raise ValueError(f"nothing measures {reader.bundle.task} on datasets")


def _lines(reader: LineReader, name: str) -> Samples:
    dataset = line_dataset(LineSource(name))
    labels, recognizer = dataset.labels, reader.recognizer
    images = [dataset[index][0] for index in range(len(dataset))]
    sure, right = np.zeros(0), np.zeros(0, bool)
    if isinstance(recognizer, LineTextRecognizer):
        lines = recognizer.decode(recognizer.logits(images))
        texts = decoded_texts(recognizer, lines)
        sure = np.concatenate([recognizer.confidences(line) for line in lines])
        right = word_outcomes(recognizer, dataset, lines).right
    else:
        texts = read_dataset(recognizer, dataset)
    truths = [normalize_text(label.text) for label in labels]
    return Samples(
        name,
        [label.identifier for label in labels],
        [label.writer for label in labels],
        line_slices(labels, images),
        _text_errors(texts, truths),
        truths,
        texts,
        sure,
        right,
        lambda index: 255 - dataset[index][0],
    )


def _paragraphs(reader: ParagraphReader, name: str) -> Samples:
    dataset = paragraph_dataset(ParagraphSource(name))
    truths = [normalize_text(label.text) for label in dataset.labels]
    texts = [normalize_text(reader.recognizer.text(dataset[index][0])) for index in range(len(dataset))]
    names = [label.identifier for label in dataset.labels]
    lengths = np.array([len(truth) for truth in truths])
    return Samples(
        name,
        names,
        names,
        halves("length", lengths, ("shorter half", "longer half")),
        _text_errors(texts, truths),
        truths,
        texts,
        image=lambda index: 255 - dataset[index][0],
    )


def _characters(reader: CharacterReader, name: str) -> Samples:
    if reader.recognizer.classes != CLASSES:
        raise ValueError(f"{reader.bundle.folder} knows other classes than {CLASSES}")
    dataset = character_dataset(CharacterSource(name.replace("-characters", "")))
    answers = reader.recognizer.logits(np.asarray(dataset.pixels)).argmax(axis=1)
    truths = [CLASSES[number] for number in dataset.labels]
    kinds = ["digits" if c.isdigit() else "capitals" if c.isupper() else "small letters" for c in truths]
    return Samples(
        name,
        [str(number) for number in range(len(truths))],
        list(dataset.writers),
        [*by_name("class", kinds), *by_name("character", truths), *by_name("writer", list(dataset.writers))],
        {"error rate": ((answers != dataset.labels).astype(np.int64), np.ones(len(truths), np.int64))},
        truths,
        [CLASSES[number] for number in answers],
        image=lambda index: 255 - np.asarray(dataset.pixels[index]),
    )


def _pages(reader: DetectorReader, name: str) -> Samples:
    pages = _traced(name)
    found = [reader.errors(reader.answers([page.image])[0], [line.polygon for line in page.lines]) for page in pages]
    counts = np.array(found, np.int64).reshape(-1, 2)
    names = [page.identifier for page in pages]
    lines = np.array([len(page.lines) for page in pages])
    ink = np.array([float(np.median(page.image) - np.quantile(page.image, 0.02)) for page in pages])
    return Samples(
        name,
        names,
        names,
        [*halves("lines", lines, ("fewer", "more")), *halves("ink", ink, ("lighter half", "darker half"))],
        {"1 - F1": (counts[:, 0], counts[:, 1])},
        image=lambda index: pages[index].image,
    )


def _traced(name: str) -> list[TracedPage]:
    """Pages of which all lines are known: of IAM's forms the handwriting, for nobody traced the signature below it."""
    description, split = find(name)
    if description.name == "iam-forms":
        return [handwriting_block(page) for page in iam_pages(split)]
    return list(traced_pages(description.name.removesuffix("-pages"), split))


def _text_errors(read: Sequence[str], true: Sequence[str]) -> dict[str, tuple[Counts, Counts]]:
    """Wrong characters and words of texts."""
    words = [text.split() for text in read], [text.split() for text in true]
    return {"CER": line_distances(read, true), "WER": line_distances(*words)}


def line_distances(read: Sequence[Sequence[str]], true: Sequence[Sequence[str]]) -> tuple[Counts, Counts]:
    """Edits from each reading to its truth, and the lengths of the truths: (N,) each."""
    edits = [Levenshtein.distance(a, b) for a, b in zip(read, true, strict=True)]
    return np.array(edits, np.int64), np.array([len(b) for b in true], np.int64)


_READ: dict[type[TaskReader], Callable[..., Samples]] = {
    LineReader: _lines,
    ParagraphReader: _paragraphs,
    CharacterReader: _characters,
    DetectorReader: _pages,
}
