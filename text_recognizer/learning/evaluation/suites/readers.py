"""One way to ask every kind of model: what does it read in these images, and how many errors are that?"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from text_recognizer.alphabet import normalize_text
from text_recognizer.images import to_gray
from text_recognizer.learning.evaluation.pages import match_lines, overlaps
from text_recognizer.learning.evaluation.suites.suite import Case, Suite
from text_recognizer.recognition.bundle import Bundle, bundle_task, find_bundle
from text_recognizer.recognition.layout.detector import LineDetector
from text_recognizer.recognition.recognizer import open_line_reader
from text_recognizer.recognition.registry import slot_of
from text_recognizer.recognition.text.character_recognizer import CharacterRecognizer
from text_recognizer.recognition.text.line_recognizer import NO_LANGUAGE
from text_recognizer.recognition.text.paragraph_recognizer import ParagraphTextRecognizer

Image = NDArray[np.uint8]
Matrix = NDArray[np.float64]

_THREADS = 1  # so that processor time says what reading costs, whatever else the machine does


class TaskReader(ABC):
    """A model of some slot. An answer is whatever it makes of an image; errors are counted against another answer.

    measures: of what it makes of datasets, the first of them also of a suite's images.
    """

    measures: tuple[str, ...] = ("CER", "WER")
    bundle: Bundle

    @property
    def measure(self) -> str:
        """What errors on the images of a suite are."""
        return self.measures[0]

    @abstractmethod
    def answers(self, images: Sequence[Image]) -> list[Any]:
        """What it reads in each image uint8 (H, W) or (H, W, 3)."""

    def truth(self, suite: Suite, case: Case) -> Any:  # noqa: ARG002 - only detectors need the suite
        """The right answer to a case: its text."""
        return normalize_text(case.text)

    def errors(self, answer: Any, truth: Any) -> tuple[int, int]:
        """Errors of an answer, and how many there could be."""
        return Levenshtein.distance(answer, truth), len(truth)

    def shown(self, answer: Any) -> str:
        """An answer in words."""
        return str(answer)

    def moved(self, answer: Any, matrix: Matrix) -> Any:  # noqa: ARG002 - text is the same wherever it stands
        """The answer to an image whose points went through the matrix (2, 3)."""
        return answer

    def weights(self) -> int:
        """Bytes of the weights."""
        files = [path for path in self.bundle.folder.rglob("*") if path.suffix in (".onnx", ".npz")]
        return sum(path.stat().st_size for path in files)


class LineReader(TaskReader):
    """Reads crops of lines, by CTC or by attention, with the language model of the bundle where it has one."""

    def __init__(self, bundle: Path, language: str) -> None:
        self.recognizer = open_line_reader(bundle, _THREADS, None if language == NO_LANGUAGE else language)
        self.bundle = self.recognizer.bundle

    def answers(self, images: Sequence[Image]) -> list[str]:
        """Texts."""
        return [line.text for line in self.recognizer.read(images)]


class ParagraphReader(TaskReader):
    """Reads images of paragraphs, a newline as a space. The detector is the shipped one."""

    def __init__(self, bundle: Path) -> None:
        self.recognizer = ParagraphTextRecognizer(bundle, LineDetector(threads=_THREADS), _THREADS)
        self.bundle = self.recognizer.bundle

    def answers(self, images: Sequence[Image]) -> list[str]:
        """Texts."""
        return [" ".join(line.text for line in self.recognizer.read(image)) for image in images]


class CharacterReader(TaskReader):
    """Reads rows of square cells with a character each; an answer has a text for each cell."""

    measures = ("error rate",)

    def __init__(self, bundle: Path) -> None:
        self.recognizer = CharacterRecognizer(bundle, _THREADS)
        self.bundle = self.recognizer.bundle

    def answers(self, images: Sequence[Image]) -> list[list[str]]:
        """The characters of each row."""
        return [[read.text for read in self.recognizer.read(_cells(image))] for image in images]

    def truth(self, suite: Suite, case: Case) -> list[str]:  # noqa: ARG002
        """The case's characters; a space is an empty cell."""
        return [character.strip() for character in case.text]

    def errors(self, answer: list[str], truth: list[str]) -> tuple[int, int]:
        """Cells that were read wrongly; upper and lower case of one letter look alike alone, and count as the same."""
        pairs = zip(answer, truth, strict=False)
        return sum(a.lower() != b.lower() for a, b in pairs) + abs(len(answer) - len(truth)), len(truth)

    def shown(self, answer: list[str]) -> str:
        """The characters in a row."""
        return "".join(character or " " for character in answer)


class DetectorReader(TaskReader):
    """Finds lines; an answer is their outlines, and the image's size."""

    measures = ("1 - F1",)

    def __init__(self, bundle: Path) -> None:
        self.detector = LineDetector(bundle, _THREADS)
        self.bundle = self.detector.bundle

    def answers(self, images: Sequence[Image]) -> list[list[Matrix]]:
        """The outlines (M, 2) of the lines of each page."""
        return [[line.polygon for line in self.detector.detect(to_gray(image))] for image in images]

    def truth(self, suite: Suite, case: Case) -> list[Matrix]:
        """The outlines that the suite knows of the image."""
        return suite.outlines(case.image)

    def errors(self, answer: list[Matrix], truth: list[Matrix]) -> tuple[int, int]:
        """Lines without a partner at IoU 0.5, of all lines of both: 1 - F1."""
        found = 0
        if answer and truth:
            corner = np.concatenate([*answer, *truth]).max(axis=0)
            found = len(match_lines(overlaps(answer, truth, (int(corner[1]) + 2, int(corner[0]) + 2))))
        return len(answer) + len(truth) - 2 * found, len(answer) + len(truth)

    def shown(self, answer: list[Matrix]) -> str:
        """How many lines."""
        return f"{len(answer)} line{'s' if len(answer) != 1 else ''}"

    def moved(self, answer: list[Matrix], matrix: Matrix) -> list[Matrix]:
        """The outlines where the change has moved them."""
        return [cv2.transform(outline[:, None], matrix)[:, 0] for outline in answer]


def open_reader(bundle: str | os.PathLike[str], language: str = "auto") -> TaskReader:
    """The reader of a bundle of any slot. Raises BundleError for one that cannot be used, ValueError for others."""
    task, folder = bundle_task(bundle), find_bundle(bundle)
    readers: dict[str, Callable[[Path], TaskReader]] = {
        "paragraphs": ParagraphReader,
        "characters": CharacterReader,
        "detector": DetectorReader,
    }
    return LineReader(folder, language) if slot_of(task) == "lines" else readers[task](folder)


def _cells(image: Image) -> list[Image]:
    side = image.shape[0]
    return [image[:, start : start + side] for start in range(0, image.shape[1] - side // 2, side)]
