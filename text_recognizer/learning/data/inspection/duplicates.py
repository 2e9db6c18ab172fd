"""Images that are in a dataset more than once, to the byte or nearly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.data.inspection.findings import Concern, Finding, count, error, note, warning
from text_recognizer.learning.data.inspection.lines import InspectedLine

_SAME = 0.97  # correlation of thumbnails from which two images show the same writing
_WIDTH = 0.06  # difference of their widths at most
_INK = 0.005  # lines with a smaller share of ink look alike whatever stands there
_BLOCK = 1024  # lines compared at once

Pair = tuple[InspectedLine, InspectedLine]


@dataclass(frozen=True)
class Doubles:
    """Pairs of lines with the same image, and with nearly the same one."""

    same: Sequence[Pair]
    near: Sequence[Pair]


def find_doubles(lines: Sequence[InspectedLine], nearly: bool = True) -> Doubles:
    """The doubles among lines. nearly: compare how they look, too, each with each."""
    return Doubles(same_images(lines), near_images(lines) if nearly else [])


def duplicate_findings(lines: Sequence[InspectedLine], doubles: Doubles) -> list[Finding]:
    """Same and nearly same images, and same texts; doubles in two splits are for `splits.py`."""
    kinds = (("same-image", doubles.same, "the same image"), ("near-image", doubles.near, "nearly the same image"))
    findings = []
    for code, pairs, how in kinds:
        other = [pair for pair in pairs if _texts_differ(pair)]
        alike = [pair for pair in pairs if not _texts_differ(pair)]
        if other:
            findings.append(
                error(
                    f"{code}-other-text",
                    f"{count(len(other), 'pair')} of lines with {how} and different labels.",
                    "At most one label is right: remove the other line.",
                    _concerns(other),
                )
            )
        if alike:
            findings.append(
                warning(
                    code,
                    f"{count(len(alike), 'pair')} of lines with {how} and the same label.",
                    "Remove one of them: it counts twice.",
                    _concerns(alike),
                )
            )
    again = _same_texts(lines)
    if again:
        findings.append(
            note(
                "same-text",
                f"{count(again, 'line')} with a text that the same writer wrote before.",
                "Nothing must be done, though different texts teach more.",
            )
        )
    return findings


def same_images(lines: Sequence[InspectedLine]) -> list[Pair]:
    """Lines with an image of an earlier line, with that one; blank ones left out."""
    first: dict[str, InspectedLine] = {}
    pairs = []
    for line in lines:
        if line.picture and line.picture.ink:
            earlier = first.setdefault(line.picture.digest, line)
            if earlier is not line:
                pairs.append((earlier, line))
    return pairs


def near_images(lines: Sequence[InspectedLine]) -> list[Pair]:
    """Pairs of different images that look the same."""
    seen = [line for line in lines if line.picture and line.picture.ink > _INK]
    if not seen:
        return []
    pictures = [line.picture for line in seen if line.picture]
    vectors = np.stack([picture.thumbnail for picture in pictures])
    widths = np.log([picture.width for picture in pictures])
    pairs = []
    for a, b in _alike(vectors):
        if abs(widths[a] - widths[b]) < _WIDTH and pictures[a].digest != pictures[b].digest:
            pairs.append((seen[a], seen[b]))
    return pairs


def _alike(vectors: np.ndarray) -> Iterator[tuple[int, int]]:
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        for a, b in zip(*np.nonzero(block @ vectors[start:].T > _SAME), strict=True):
            if a < b:
                yield start + int(a), start + int(b)


def _texts_differ(pair: Pair) -> bool:
    return normalize_text(pair[0].text) != normalize_text(pair[1].text)


def _concerns(pairs: Sequence[Pair]) -> list[Concern]:
    return [Concern(line.identifier, f"as {other.identifier}", (other.identifier,)) for other, line in pairs]


def _same_texts(lines: Sequence[InspectedLine]) -> int:
    texts: dict[str, set[str]] = defaultdict(set)
    again = 0
    for line in lines:
        if line.writer and line.text:
            again += line.text in texts[line.writer]
            texts[line.writer].add(line.text)
    return again
