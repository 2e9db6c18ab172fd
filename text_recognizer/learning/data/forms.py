"""Pages for the line detector: images with the baseline and outline of their lines, from every page dataset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from text_recognizer.images.normalize import ink_density, remove_rules
from text_recognizer.learning.data.locations import data_dir, require
from text_recognizer.learning.data.pages import pages

#: Changes with how lines are traced; prepared pages are made again.
TRACE_VERSION = 1


@dataclass(frozen=True)
class TracedLine:
    """A line's baseline (N, 2) and outline (M, 2), both x, y in pixels, and its text where it is known."""

    baseline: NDArray[np.float64]
    polygon: NDArray[np.float64]
    text: str | None = None


@dataclass(frozen=True)
class TracedPage:
    """A page image gray uint8 (H, W) and its lines."""

    identifier: str
    image: NDArray[np.uint8]
    lines: list[TracedLine]


def traced_pages(name: str, split: str) -> Iterator[TracedPage]:
    """The pages of "iam", "copiste", "hooker", "lathrop" or "poilus"."""
    if name == "iam":
        yield from iam_forms(split)
        return
    for page in pages(name, split):
        lines = [
            TracedLine(np.array(line["baseline"], float), np.array(line["polygon"], float), line["text"])
            for line in page.lines
            if len(line["baseline"]) >= 2 and len(line["polygon"]) >= 3
        ]
        yield TracedPage(page.identifier, page.image(), lines)


def iam_forms(split: str) -> Iterator[TracedPage]:
    """IAM forms: handwritten lines from the database's boxes, the printed lines above them traced here."""
    folder = data_dir() / "iam"
    rows = json.loads(require(folder / "forms.json", "the IAM forms").read_text(encoding="utf-8"))
    for row in rows:
        if row["split"] != split:
            continue
        with Image.open(Path(folder / "forms" / f"{row['form']}.webp")) as picture:
            image = np.array(picture.convert("L"))
        density = ink_density(image, kernel=41)
        boxes = [line["box_xywh"] for line in row["lines"]]
        lines = [trace_box(density, box, line["text"]) for box, line in zip(boxes, row["lines"], strict=True)]
        top = int(min(y for _, y, _, _ in boxes))
        lines += [trace_box(density, box) for box in printed_boxes(density[: max(1, top - 10)])]
        yield TracedPage(row["form"], image, lines)


def trace_box(density: NDArray[np.float32], box: list[float], text: str | None = None) -> TracedLine:
    """The line inside an upright box (x, y, w, h): its baseline follows the ink, its outline is the box."""
    x, y, w, h = box
    left, top, right, bottom = round(x), round(y), round(x + w), round(y + h)
    ink = density[max(0, top) : bottom, max(0, left) : right]
    windows = max(1, min(8, round(w / max(h, 1) / 1.5)))
    centers, rows = [], []
    for part in range(windows):
        piece = ink[:, ink.shape[1] * part // windows : ink.shape[1] * (part + 1) // windows]
        profile = cv2.GaussianBlur(piece.sum(axis=1, keepdims=True), (1, 5), 0)[:, 0] if piece.size else np.zeros(1)
        if profile.max() > 1:
            centers.append(left + (part + 0.5) * w / windows)
            rows.append(top + float(np.flatnonzero(profile > 0.5 * profile.max())[-1]) + 1)
    slope, level = 0.0, y + 0.72 * h
    if rows:
        level = float(np.median(rows))
    if len(rows) >= 3:
        slopes = [(rows[j] - rows[i]) / (centers[j] - centers[i]) for i in range(len(rows)) for j in range(i)]
        slope = float(np.clip(np.median(slopes), -0.08, 0.08))
        level = float(np.median([row - slope * (at - x - w / 2) for row, at in zip(rows, centers, strict=True)]))
    level = float(np.clip(level, y + 0.4 * h, y + h))
    baseline = np.array([[x, level - slope * w / 2], [x + w, level + slope * w / 2]])
    polygon = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    return TracedLine(baseline, polygon, text)


def printed_boxes(density: NDArray[np.float32]) -> list[list[float]]:
    """Boxes (x, y, w, h) of the upright printed lines in the head of a form, wide gaps splitting a line in two."""
    clean = remove_rules(density, length=250, min_share=0.0)
    mask = (clean > 0.4).astype(np.uint8)
    mask[:, : mask.shape[1] // 14] = 0  # the shadow of the scanner's edge
    words = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 25), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(words)
    boxes = [[float(v) for v in row[:4]] for row in stats[1:count] if row[2] > 12 and 8 <= row[3] <= 45 and row[4] > 60]
    lines: list[list[float]] = []
    for x, y, w, h in sorted(boxes):
        for line in lines:
            overlap = min(line[1] + line[3], y + h) - max(line[1], y)
            if overlap > 0.5 * min(line[3], h) and x - (line[0] + line[2]) < 60:
                right, bottom = max(line[0] + line[2], x + w), max(line[1] + line[3], y + h)
                line[1] = min(line[1], y)
                line[2], line[3] = right - line[0], bottom - line[1]
                break
        else:
            lines.append([x, y, w, h])
    return [line for line in lines if line[2] > 40]
