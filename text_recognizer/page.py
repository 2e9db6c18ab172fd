"""What a reading is: a page of lines of words, and the regions that lines belong to, with polygons and confidences.

All coordinates are x to the right and y down in pixels of the image that was given, after its EXIF
orientation was applied. Confidences lie in [0, 1]; a higher one is surer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Point = tuple[float, float]
Polygon = tuple[Point, ...]

#: What a region of a page may be, in the words that PAGE XML has for it.
REGION_KINDS = ("paragraph", "heading", "marginalia")


@dataclass(frozen=True)
class Word:
    """A word: its text without spaces, its outline, its confidence, and one confidence a character."""

    text: str
    polygon: Polygon
    confidence: float
    character_confidences: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "polygon": _to_lists(self.polygon),
            "character_confidences": [round(value, 4) for value in self.character_confidences],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Word:
        """The word that `to_dict` described. Raises ValueError where a field is missing or of the wrong kind."""
        with _Naming("word"):
            return cls(
                str(data["text"]),
                _to_polygon(data["polygon"]),
                float(data["confidence"]),
                tuple(float(value) for value in data.get("character_confidences", ())),
            )


@dataclass(frozen=True)
class Line:
    """A line: its text, its outline, its baseline from left to right, its confidence and its words."""

    text: str
    polygon: Polygon
    confidence: float
    baseline: Polygon = ()
    words: tuple[Word, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "polygon": _to_lists(self.polygon),
            "baseline": _to_lists(self.baseline),
            "words": [word.to_dict() for word in self.words],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Line:
        """The line that `to_dict` described. Raises ValueError where a field is missing or of the wrong kind."""
        with _Naming("line"):
            return cls(
                str(data["text"]),
                _to_polygon(data["polygon"]),
                float(data["confidence"]),
                _to_polygon(data.get("baseline", ())),
                tuple(Word.from_dict(word) for word in data.get("words", ())),
            )


@dataclass(frozen=True)
class Region:
    """A part of a page whose lines belong together.

    kind: one of `REGION_KINDS`. polygon: its outline. lines: which of `Page.lines`, in reading order. column: in which
    column of text it stands, from 0 at the left; None for what stands in none, such as a note in the margin or a
    heading above all columns.
    """

    kind: str
    polygon: Polygon
    lines: tuple[int, ...]
    column: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "kind": self.kind,
            "polygon": _to_lists(self.polygon),
            "lines": list(self.lines),
            "column": self.column,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Region:
        """The region that `to_dict` described. Raises ValueError where a field is missing or of the wrong kind."""
        with _Naming("region"):
            if data["kind"] not in REGION_KINDS:
                raise ValueError(f"a region is one of {', '.join(REGION_KINDS)}, not {data['kind']!r}")
            column = data.get("column")
            return cls(
                data["kind"],
                _to_polygon(data["polygon"]),
                tuple(int(line) for line in data["lines"]),
                None if column is None else int(column),
            )


@dataclass(frozen=True)
class Page:
    """A page: its lines in reading order, the size of its image in pixels, and where it came from.

    source: a path, for a page of a document followed by #page=N, from 1 (RFC 8118). models: what read it.
    regions: its parts in reading order; together they hold every line once, or there are none, where nobody looked.
    """

    lines: tuple[Line, ...] = ()
    width: int = 0
    height: int = 0
    source: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        numbers = sorted(number for region in self.regions for number in region.lines)
        if self.regions and numbers != list(range(len(self.lines))):
            raise ValueError(f"the regions of a page hold each of its {len(self.lines)} lines once, not {numbers}")

    @property
    def text(self) -> str:
        """The text of all lines, one a row."""
        return "\n".join(line.text for line in self.lines)

    @property
    def confidence(self) -> float:
        """Mean confidence of the lines, weighted by their characters; 1 for a page without lines."""
        weights = [max(1, len(line.text)) for line in self.lines]
        if not weights:
            return 1.0
        # Of lines as `to_dict` rounds them, so that a page that was written and read again says the same.
        return sum(w * round(line.confidence, 4) for w, line in zip(weights, self.lines, strict=True)) / sum(weights)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return {
            "text": self.text,
            "confidence": round(self.confidence, 4),
            "width": self.width,
            "height": self.height,
            "source": self.source,
            "models": dict(self.models),
            "lines": [line.to_dict() for line in self.lines],
            "regions": [region.to_dict() for region in self.regions],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Page:
        """The page that `to_dict` described. Raises ValueError where a field is missing or of the wrong kind."""
        with _Naming("page"):
            return cls(
                tuple(Line.from_dict(line) for line in data["lines"]),
                int(data["width"]),
                int(data["height"]),
                data.get("source"),
                dict(data.get("models", {})),
                tuple(Region.from_dict(region) for region in data.get("regions", ())),
            )


class _Naming:
    """Turns the errors of reading a dict into a ValueError that says what was being read."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, KeyError):
            raise ValueError(f"a {self.what} has no {error.args[0]!r}") from error
        if isinstance(error, TypeError | AttributeError):
            raise ValueError(f"not a {self.what}: {error}") from error


def _to_lists(polygon: Polygon) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in polygon]


def _to_polygon(points: Any) -> Polygon:
    return tuple((float(x), float(y)) for x, y in points)
