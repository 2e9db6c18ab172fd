"""Lines grouped into paragraphs, headings and notes in the margin, by where they stand alone; nothing is read."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from text_recognizer.page import Polygon, Region
from text_recognizer.recognition.boxes import Boxes, Values, common_slope, straight_boxes, turned, writing_height
from text_recognizer.recognition.layout import DetectedLine
from text_recognizer.recognition.paragraph_breaks import Column, leadings, paragraph_starts
from text_recognizer.recognition.reading_order import Block, page_blocks


def page_regions(
    lines: Sequence[DetectedLine], outlines: Sequence[Polygon] | None = None, first: int = 0
) -> tuple[Region, ...]:
    """The regions of lines that are given in reading order.

    Every line is in one region, and the lines of a region follow each other. outlines: those of the lines that a
    region's outline goes around, where they are not to be the lines' own (of a page that was straightened, those on the
    page as it was). first: the number that the first line has on its page.
    """
    regions = []
    for kind, column, members in _parts(lines):
        for run in _runs(members):
            points = [lines[i].polygon if outlines is None else np.array(outlines[i], np.float64) for i in run]
            regions.append(Region(kind, _around(points), tuple(first + i for i in run), column))
    return tuple(sorted(regions, key=lambda region: region.lines))


def _parts(lines: Sequence[DetectedLine]) -> list[tuple[str, int | None, list[int]]]:
    """Kind, column and lines of each part."""
    boxes = straight_boxes(lines)
    turn = turned(-common_slope(lines))
    levels = np.array([np.mean(line.baseline @ turn, axis=0)[1] for line in lines])
    heights = np.array([writing_height(line) for line in lines])
    parts: list[tuple[str, int | None, list[int]]] = []
    blocks = page_blocks(boxes)
    for number, block in enumerate(blocks):
        if block.in_margin:
            parts.append(("marginalia", None, [i for row in block.rows for i in row]))
            continue
        rows = _column(block, boxes, levels, heights)
        starts = np.flatnonzero(paragraph_starts(rows)).tolist()
        last = number + 1 == len(blocks)
        for start, end in zip(starts, [*starts[1:], len(block.rows)], strict=True):
            kind = "heading" if _is_heading(rows, start, end, block.column is None and not last) else "paragraph"
            parts.append((kind, block.column, [i for row in block.rows[start:end] for i in row]))
    return parts


def _column(block: Block, boxes: Boxes, levels: np.ndarray, heights: np.ndarray) -> Column:
    around = boxes.unions(block.rows)
    return Column(
        np.array([np.median(levels[list(row)]) for row in block.rows]),
        around.lefts,
        around.rights,
        np.array([np.max(heights[list(row)]) for row in block.rows]),
    )


def _is_heading(rows: Column, start: int, end: int, heads_columns: bool) -> bool:
    """Whether the rows from start to end, not included, are a heading: few, with more than one row below them, the
    first a full one, and larger than the others or centred."""
    if end - start > 2:
        return False
    if end == len(rows.levels):
        return heads_columns
    widths = rows.rights - rows.lefts
    if len(rows.levels) < end + 2 or widths[end] < 0.6 * rows.width:
        return False  # such as the words before a signature
    left, right = rows.insets
    others = np.r_[0:start, end : len(rows.levels)]
    larger = np.min(rows.heights[start:end]) > 1.3 * np.median(rows.heights[others])
    inset = float(np.minimum(left[start:end], right[start:end]).min()) / rows.width
    skew = float(np.abs(left[start:end] - right[start:end]).max()) / rows.width
    centred = inset > 0.1 and skew < max(0.15, 0.8 * inset)
    return bool(
        (centred and leadings(rows)[end - 1] > 1.1) or (larger and inset > -0.1 and widths[start] < 0.8 * rows.width)
    )


def _runs(members: Sequence[int]) -> list[list[int]]:
    """Ascending numbers cut where one is left out."""
    runs: list[list[int]] = []
    for number in sorted(members):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _around(outlines: Sequence[Values]) -> Polygon:
    """The convex hull of outlines."""
    points = np.vstack(outlines).astype(np.float32)
    return tuple((float(x), float(y)) for x, y in cv2.convexHull(points)[:, 0])
