"""How well whole pages are read: lines found (at IoU 0.5) and the character error rate of the page's text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from scipy.optimize import linear_sum_assignment

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.datasets.pages import TracedPage, is_legible, traced_pages
from text_recognizer.learning.evaluation.error_rates import Matches
from text_recognizer.learning.synthesis.photograph import photograph
from text_recognizer.page import Line, Page
from text_recognizer.recognition.recognizer import TextRecognizer

#: The notice printed at the head of every Copiste page; the ground truth leaves it out.
_NOTICE = (
    "J'ai lu les conditions de participation et j'y consens. Je comprends que mon manuscrit sera anonymisé et utilisé "
    "par BAnQ pour des activités de recherche et développement et qu'il pourra aussi être publié et partagé sous "
    "licence CC-BY pour être utilisé librement à des fins non commerciales."
)


@dataclass
class PageScores(Matches):
    """Sums over pages. found: lines matched at IoU 0.5; predicted, expected: lines in all; edits,
    characters: of the text of pages_with_text."""

    edits: int = 0
    characters: int = 0
    pages: int = 0
    pages_with_text: int = 0

    @property
    def cer(self) -> float:
        """Character error rate of whole pages, lines joined by spaces in reading order."""
        return self.edits / max(1, self.characters)


def overlaps(found: Sequence[NDArray], expected: Sequence[NDArray], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Intersection over union of every pair of polygons, drawn at half size. Returns (found, expected)."""
    masks = [[_drawn(polygon, shape) for polygon in polygons] for polygons in (found, expected)]
    result = np.zeros((len(found), len(expected)))
    for i, (a, box_a) in enumerate(masks[0]):
        for j, (b, box_b) in enumerate(masks[1]):
            if box_a[0] < box_b[2] and box_b[0] < box_a[2] and box_a[1] < box_b[3] and box_b[1] < box_a[3]:
                both = int(np.count_nonzero(a & b))
                result[i, j] = both / max(1, int(np.count_nonzero(a)) + int(np.count_nonzero(b)) - both)
    return result


def _drawn(polygon: NDArray, shape: tuple[int, int]) -> tuple[NDArray[np.bool_], list[float]]:
    points: NDArray[np.float64] = np.asarray(polygon, np.float64)
    mask = np.zeros((shape[0] // 2 + 1, shape[1] // 2 + 1), np.uint8)
    cv2.fillPoly(mask, [np.round(points / 2).astype(np.int32)], 1)
    return mask > 0, [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]


def match_lines(iou: NDArray[np.float64], least: float = 0.5) -> list[tuple[int, int]]:
    """The pairs of the best one-to-one assignment whose IoU is at least `least`."""
    rows, columns = linear_sum_assignment(-np.where(iou >= least, iou, 0))
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if iou[i, j] >= least]


def is_notice(text: str) -> bool:
    """Whether a line reads like a piece of the notice printed on Copiste pages."""
    if len(text) < 30:
        return False
    shortest = min(
        Levenshtein.distance(text, _NOTICE[start : start + len(text)]) for start in range(0, len(_NOTICE) - 20, 4)
    )
    # Long lines are alike by chance less than short ones: so is what is left of the small print on a photograph.
    return shortest < (0.6 if len(text) >= 80 else 0.5) * len(text)


def add_page(
    scores: PageScores, page: Page, truth: TracedPage, count_text: bool = True, block_only: bool = False
) -> None:
    """Add one reading to the sums.

    What the truth leaves out counts neither way: the notice printed on Copiste pages and, with block_only,
    whatever stands outside of the block of the lines that it names (print and signature on an IAM form).
    """
    iou = overlaps(
        [np.array(line.polygon) for line in page.lines], [line.polygon for line in truth.lines], truth.image.shape
    )
    low, high = block(truth)
    ignored = {
        i
        for i, line in enumerate(page.lines)
        if iou[i].max(initial=0.0) < 0.1 and (is_notice(line.text) or (block_only and _outside(line, low, high)))
    }
    matches = match_lines(iou)
    scores.pages += 1
    scores.found += len(matches)
    scores.predicted += len(page.lines) - len(ignored)
    scores.expected += len(truth.lines)
    if count_text:
        scores.pages_with_text += 1
        text = normalize_text(" ".join(line.text for i, line in enumerate(page.lines) if i not in ignored))
        reference = normalize_text(" ".join(line.text or "" for line in truth.lines))
        scores.edits += Levenshtein.distance(text, reference)
        scores.characters += len(reference)


def block(page: TracedPage) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The upper left and the lower right corner of the box around a page's lines."""
    points = np.vstack([line.polygon for line in page.lines]) if page.lines else np.zeros((1, 2))
    return points.min(axis=0), points.max(axis=0)


def _outside(line: Line, low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    middle = np.mean(line.polygon, axis=0)
    return bool((middle < low).any() or (middle > high).any())


def handwriting_block(page: TracedPage, air: int = 20) -> TracedPage:
    """An IAM form cropped to its handwritten lines, with `air` pixels around them."""
    low, high = block(page)
    left, top = np.maximum(low - air, 0).astype(int)
    right, bottom = (high + air).astype(int)
    moved = [type(line)(line.baseline - (left, top), line.polygon - (left, top), line.text) for line in page.lines]
    return TracedPage(page.identifier, page.image[top:bottom, left:right], moved)


def photographed(page: TracedPage, seed: int) -> TracedPage:
    """A page as a telephone would see it (simulated), its lines where they come to lie."""
    picture, matrix = photograph(page.image, seed)

    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return cv2.perspectiveTransform(points.astype(np.float64).reshape(-1, 1, 2), matrix)[:, 0]

    lines = [type(line)(moved(line.baseline), moved(line.polygon), line.text) for line in page.lines]
    return TracedPage(page.identifier, picture, lines)


def measure_pages(recognizer: TextRecognizer, pages: Iterable[TracedPage], block_only: bool = False) -> PageScores:
    """Read pages and add up their scores. Pages with crossed-out words count for line detection only."""
    scores = PageScores()
    for page in pages:
        reading = recognizer.read(page.image)
        legible = all(is_legible(line.text or "") for line in page.lines)
        add_page(scores, reading, page, count_text=legible, block_only=block_only)
    return scores


def iam_pages(split: str) -> list[TracedPage]:
    """The IAM forms of a split with their handwritten lines alone."""
    pages = traced_pages("iam", split)
    return [TracedPage(p.identifier, p.image, [line for line in p.lines if line.text is not None]) for p in pages]
