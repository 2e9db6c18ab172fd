"""What is kept of every reading so that a change of the incoming pages is noticed: numbers, never content."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from text_recognizer.page import Line, Page
from text_recognizer.service.monitoring.image_features import line_look, page_look

#: Grows when a feature is computed otherwise: values of two versions are never compared.
FEATURES_VERSION = 1

#: The features that are numbers, each with what it says.
NUMBERS = {
    "width": "width of the image, pixels",
    "height": "height of the image, pixels",
    "brightness": "mean brightness, 0 black to 1 white",
    "contrast": "between paper and ink, 0 to 1",
    "unevenness": "how much darker the darkest paper is than the usual, 0 to 1",
    "saturation": "mean colourfulness, 0 gray to 1",
    "ink": "share of the image that is ink",
    "sharpness": "steepness of the edges of strokes, share of the contrast a pixel",
    "stroke_width": "width of strokes, pixels",
    "slant": "of the strokes to the right, degrees",
    "skew": "of the lines upwards, degrees",
    "line_height": "height of lines, pixels",
    "lines": "lines a page",
    "characters": "characters a line",
    "lower": "share of lower-case letters a to z",
    "upper": "share of capital letters A to Z",
    "accented": "share of other letters",
    "digits": "share of digits",
    "signs": "share of all other signs",
    "strange_words": "share of words that the language model's list lacks",
    "confidence": "mean confidence of the lines",
    "uncertainty": "mean entropy of the words' confidences, bits",
    "milliseconds": "time that reading took",
}
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
_SIZES = (300, 600, 900, 1200, 1800, 2400, 3600, 4800)
#: Upper bounds of the bins in which Prometheus counts them; confidence and time have their own metrics.
FEATURE_BUCKETS: dict[str, tuple[float, ...]] = {
    "width": _SIZES,
    "height": _SIZES,
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "contrast": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "unevenness": _SHARES,
    "saturation": _SHARES,
    "ink": (0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2),
    "sharpness": (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    "stroke_width": (1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 20),
    "slant": (-20, -10, -5, 0, 5, 10, 15, 20, 30),
    "skew": (-10, -5, -2, -1, 0, 1, 2, 5, 10),
    "line_height": (10, 20, 30, 40, 60, 80, 100, 150, 200),
    "lines": (0, 1, 2, 5, 10, 15, 20, 30, 50),
    "characters": (5, 10, 20, 30, 40, 50, 70, 100),
    "lower": _SHARES,
    "upper": _SHARES,
    "accented": _SHARES,
    "digits": _SHARES,
    "signs": _SHARES,
    "strange_words": _SHARES,
    "uncertainty": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
}
#: The features that are one of a few names.
NAMES = {
    "polarity": "dark on light, or light on dark",
    "tones": "black and white, gray, or color",
}
#: What depends on the model more than on the pages.
OF_THE_MODEL = frozenset({"confidence", "uncertainty"})
#: Recorded and shown, but no sign of other pages: the machine may be busy.
NOT_COMPARED = frozenset({"milliseconds"})

_NAN = math.nan
OutOfVocabularyShare = Callable[[Sequence[str]], float]


@dataclass(frozen=True)
class ReadingFeatures:
    """The features of one page that was read; `NUMBERS` and `NAMES` say what each is, NaN and "" where there is none.

    created: when it was read, with a time zone. models: name of a part -> identity of its bundle. unit: "page", or
    "line" for the crop of one line.
    """

    created: datetime
    models: Mapping[str, str] = field(default_factory=dict)
    unit: str = "page"
    version: int = FEATURES_VERSION
    polarity: str = ""
    tones: str = ""
    width: float = _NAN
    height: float = _NAN
    brightness: float = _NAN
    contrast: float = _NAN
    unevenness: float = _NAN
    saturation: float = _NAN
    ink: float = _NAN
    sharpness: float = _NAN
    stroke_width: float = _NAN
    slant: float = _NAN
    skew: float = _NAN
    line_height: float = _NAN
    lines: float = _NAN
    characters: float = _NAN
    lower: float = _NAN
    upper: float = _NAN
    accented: float = _NAN
    digits: float = _NAN
    signs: float = _NAN
    strange_words: float = _NAN
    confidence: float = _NAN
    uncertainty: float = _NAN
    milliseconds: float = _NAN

    def values(self) -> dict[str, float | str | None]:
        """All features as JSON and databases can hold them: numbers to five digits; None where there is none."""
        numbers = {name: _short(getattr(self, name)) for name in NUMBERS}
        return {**numbers, **{name: getattr(self, name) or None for name in NAMES}}

    @classmethod
    def from_values(
        cls, values: Mapping[str, Any], created: datetime, models: Mapping[str, str], unit: str, version: int
    ) -> ReadingFeatures:
        """The features that `values` gave; what is not known is left out, what is no number is NaN."""
        known = {f.name for f in fields(cls)}
        numbers = {name: _number(values.get(name)) for name in NUMBERS if name in known}
        names = {name: str(values.get(name) or "") for name in NAMES}
        return cls(created, models, unit, version, **names, **numbers)  # type: ignore[arg-type]


@dataclass(frozen=True)
class RecordedReading:
    """The features of a page and which one it is: the document's id (of the reading, where that is stored too) and the
    number of the page in it, from 0."""

    document: str
    page: int
    features: ReadingFeatures


def reading_features(
    image: NDArray[np.uint8],
    page: Page,
    created: datetime,
    unit: str = "page",
    milliseconds: float = _NAN,
    out_of_vocabulary: OutOfVocabularyShare | None = None,
) -> ReadingFeatures:
    """The features of a page that was read, in a few milliseconds; the same for the same page.

    image: uint8 (H, W) or (H, W, 3), to which the page's coordinates refer. out_of_vocabulary: gives the share of words
    that the word list of the language model lacks, where there is one.
    """
    texts = [word.text for line in page.lines for word in line.words]
    look = page_look(image) | line_look(image, [line.polygon for line in page.lines])
    return ReadingFeatures(
        created,
        dict(page.models),
        unit,
        milliseconds=milliseconds,
        skew=_median(_skew(line) for line in page.lines),
        line_height=_median(_height(line) for line in page.lines),
        lines=float(len(page.lines)),
        characters=_mean(len(line.text) for line in page.lines),
        confidence=page.confidence if page.lines else _NAN,
        uncertainty=_mean(_entropy(word.confidence) for line in page.lines for word in line.words),
        strange_words=out_of_vocabulary(texts) if out_of_vocabulary and texts else _NAN,
        **_classes("".join(texts)),  # type: ignore[arg-type]
        **look,  # type: ignore[arg-type]
    )


def _classes(text: str) -> dict[str, float]:
    """The shares of kinds of characters: too coarse to tell what was written."""
    counts = dict.fromkeys(("lower", "upper", "accented", "digits", "signs"), 0)
    for character in text:
        if character.isascii():
            kind = "lower" if character.islower() else "upper" if character.isupper() else ""
            counts[kind or ("digits" if character.isdigit() else "signs")] += 1
        else:
            counts["accented" if character.isalpha() else "signs"] += 1
    return {name: count / len(text) if text else _NAN for name, count in counts.items()}


def _entropy(probability: float) -> float:
    """Bits of doubt whether a word is right: 0 at confidences 0 and 1, 1 at a half."""
    parts = (p * math.log2(p) for p in (probability, 1 - probability) if p > 0)
    return -math.fsum(parts)


def _skew(line: Line) -> float:
    if len(line.baseline) < 2:
        return _NAN
    (left, low), (right, high) = line.baseline[0], line.baseline[-1]
    return math.degrees(math.atan2(low - high, right - left)) if right > left else _NAN


def _height(line: Line) -> float:
    """The area of a line's outline over its length."""
    points = np.array(line.polygon, np.float64)
    if len(points) < 3:
        return _NAN
    x, y = points.T
    area = abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
    length = float(np.hypot(*np.subtract(line.baseline[-1], line.baseline[0]))) if len(line.baseline) > 1 else 0.0
    return area / (length or max(1.0, float(np.ptp(x))))


def _mean(values: Iterable[float]) -> float:
    kept = [value for value in values if math.isfinite(value)]
    return math.fsum(kept) / len(kept) if kept else _NAN


def _median(values: Iterable[float]) -> float:
    kept = [value for value in values if math.isfinite(value)]
    return float(np.median(kept)) if kept else _NAN


def _short(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _number(value: object) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else _NAN  # type: ignore[arg-type]
