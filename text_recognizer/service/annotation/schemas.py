"""What the labelling queue's API takes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from text_recognizer.labeling.labels import Label, now

_Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
_Point = tuple[_Coordinate, _Coordinate]
_Name = Annotated[str, Field(min_length=1, max_length=2000)]
Annotator = Annotated[str, Field(min_length=1, max_length=80)]
Outline = Annotated[list[_Point], Field(min_length=3, max_length=2000)]
Baseline = Annotated[list[_Point], Field(max_length=2000)]


_LABEL: dict[str, Any] = {
    "page": "letter.jpg",
    "line": "l0001",
    "status": "labeled",
    "text": "Dear Ada,",
    "polygon": [[96, 80], [420, 78], [420, 132], [96, 134]],
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


def _example(body: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [body]})


class NextRequest(_Strict):
    """Ask for the next line. page: only of this one. passed: lines (page, line) that are not wanted now."""

    model_config = _example({"annotator": "Ada"})
    annotator: Annotator
    order: Literal["doubtful", "page", "disputed", "skipped"] = "doubtful"
    page: _Name | None = None
    passed: Annotated[list[tuple[_Name, _Name]], Field(max_length=10_000)] = []


class ReleaseRequest(_Strict):
    """Leave a line to others."""

    model_config = _example({"annotator": "Ada", "page": "letter.jpg", "line": "l0001"})
    annotator: Annotator
    page: _Name
    line: _Name


class OneLabel(_Strict):
    """What an annotator says about a line. baseline: empty where the outline was drawn."""

    page: _Name
    line: _Name
    status: Literal["labeled", "illegible", "no-line", "skipped"]
    text: Annotated[str, Field(max_length=5000)] = ""
    polygon: Outline
    baseline: Baseline = []
    adjudication: bool = False
    seconds: Annotated[float, Field(ge=0, le=1e7)] | None = None

    def to_label(self, annotator: str) -> Label:
        """The label, given now. Raises ValueError that says what is wrong with it."""
        return Label(
            self.page,
            self.line,
            annotator.strip(),
            now(),
            self.status,
            self.text if self.status == "labeled" else "",
            tuple(self.polygon),
            tuple(self.baseline),
            "adjudication" if self.adjudication else "queue",
            self.seconds,
        )


class LabelsRequest(_Strict):
    """Labels to keep: all of them are, or none."""

    model_config = _example({"annotator": "Ada", "labels": [_LABEL]})
    annotator: Annotator
    labels: Annotated[list[OneLabel], Field(min_length=1, max_length=500)]


class OutlineRequest(_Strict):
    """An outline in a page, whose line is to be shown or read."""

    model_config = _example({"page": "letter.jpg", "polygon": _LABEL["polygon"]})
    page: _Name
    polygon: Outline
    baseline: Baseline = []
