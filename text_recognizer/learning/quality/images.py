"""Images that cannot be used, show nothing, show too much, are far from all others, or are duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from text_recognizer.alphabet import normalize_text
from text_recognizer.learning.quality.findings import Concern, Finding, count, error, note, warning
from text_recognizer.learning.quality.lines import InspectedLine, UnusableImageError

_FAR = 6.0  # robust standard deviations
_LEAST_SPREAD = 0.12  # of logarithms: datasets of one hand and one scanner vary little, and nothing is wrong with that
_ENOUGH = 20  # lines that tell what is usual
_FEW_CHARACTERS = 5  # a width says little of a shorter label
_PROBLEMS = {
    "missing-image": ("without their image", "Training stops at them: bring the files back, or remove the rows."),
    "broken-image": ("whose image cannot be opened", "Training stops at them: save the images anew, or remove them."),
    "sha256": (
        "whose image is not the one in the table (SHA-256)",
        "Bring the image back, or check text and image and write its new SHA-256 into the table.",
    ),
}

_SAME = 0.97  # correlation of thumbnails from which two images show the same writing
_WIDTH = 0.06  # difference of their widths at most
_INK = 0.005  # lines with a smaller share of ink look alike whatever stands there
_BLOCK = 1024  # lines compared at once

Pair = tuple[InspectedLine, InspectedLine]


def problem_findings(problems: Sequence[tuple[InspectedLine, UnusableImageError]]) -> list[Finding]:
    """Images that could not be had."""
    by_code: dict[str, list[Concern]] = defaultdict(list)
    for line, problem in problems:
        by_code[problem.code].append(Concern(line.identifier, f"{line.where}: {problem}"))
    return [
        error(code, f"{count(len(concerns), 'line')} {_PROBLEMS[code][0]}.", _PROBLEMS[code][1], concerns)
        for code, concerns in by_code.items()
    ]


def shape_findings(lines: Sequence[InspectedLine]) -> list[Finding]:
    """Blank images, images of several lines, and sizes far from the rest."""
    seen = [line for line in lines if line.picture]
    inked = [line for line in seen if line.picture and line.picture.ink]
    findings = []
    blank = [line for line in seen if line.picture and not line.picture.ink]
    if blank:
        found = f"{count(len(blank), 'image')} without ink."
        concerns = [Concern(line.identifier, line.where) for line in blank]
        findings.append(error("no-ink", found, "Remove them: nothing can be learned from a blank image.", concerns))
    several = [line for line in inked if line.picture and line.picture.bands > 1]
    if several:
        found = f"{count(len(several), 'image')} with several lines of writing, it seems."
        concerns = [Concern(line.identifier, f"{line.picture.bands} lines") for line in several if line.picture]
        findings.append(warning("several-lines", found, "Cut them into single lines.", concerns))
    for code, what, value in _MEASURES:
        far = _far(inked, value)
        if far:
            found = f"{count(len(far), 'line')} with {what} far from the rest."
            advice = "Look at them: too much or too little was cut out, or the label belongs to another image."
            findings.append(warning(code, found, advice, far))
    return findings


def _height(line: InspectedLine) -> float:
    return line.picture.height if line.picture else 0


def _pitch(line: InspectedLine) -> float:
    """Columns of the normalised line a character of the label."""
    length = len(normalize_text(line.text))
    return line.picture.width / length if line.picture and length >= _FEW_CHARACTERS else 0


_MEASURES: tuple[tuple[str, str, Callable[[InspectedLine], float]], ...] = (
    ("height", "a height", _height),
    ("pitch", "a width for their text", _pitch),
)


def _far(lines: Sequence[InspectedLine], value: Callable[[InspectedLine], float]) -> list[Concern]:
    """The lines whose logarithm of a value is far from the median, in units of the median absolute deviation."""
    known = [(line, np.log(value(line))) for line in lines if value(line)]
    if len(known) < _ENOUGH:
        return []
    logs = np.array([log for _, log in known])
    middle = float(np.median(logs))
    spread = max(_LEAST_SPREAD, 1.4826 * float(np.median(np.abs(logs - middle))))
    far = [(abs(log - middle), line, log) for line, log in known if abs(log - middle) > _FAR * spread]
    far.sort(key=lambda entry: -entry[0])
    return [
        Concern(
            line.identifier,
            f"{np.exp(log):.0f} pixels, {np.exp(log - middle):.2g} times the usual {np.exp(middle):.0f}",
        )
        for _, line, log in far
    ]


@dataclass(frozen=True)
class Duplicates:
    """Pairs of lines with the same image, and with nearly the same one."""

    same: Sequence[Pair]
    near: Sequence[Pair]


def find_duplicates(lines: Sequence[InspectedLine], nearly: bool = True) -> Duplicates:
    """The duplicates among lines. nearly: compare how they look, too, each with each."""
    return Duplicates(same_images(lines), near_images(lines) if nearly else [])


def duplicate_findings(lines: Sequence[InspectedLine], duplicates: Duplicates) -> list[Finding]:
    """Same and nearly same images, and same texts; duplicates in two splits are for `splits.py`."""
    kinds = (
        ("same-image", duplicates.same, "the same image"),
        ("near-image", duplicates.near, "nearly the same image"),
    )
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
