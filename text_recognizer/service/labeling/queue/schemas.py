"""What the labelling queue's API takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from text_recognizer.service.labeling.labels import Label, now

_Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
_Point = tuple[_Coordinate, _Coordinate]
_Name = Annotated[str, Field(min_length=1, max_length=2000)]
Annotator = Annotated[str, Field(min_length=1, max_length=80)]
Outline = Annotated[list[_Point], Field(min_length=3, max_length=2000)]
Baseline = Annotated[list[_Point], Field(max_length=2000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NextRequest(_Strict):
    """Ask for the next line. page: only of this one. passed: lines (page, line) that are not wanted now."""

    annotator: Annotator
    order: Literal["doubtful", "page", "disputed", "skipped"] = "doubtful"
    page: _Name | None = None
    passed: Annotated[list[tuple[_Name, _Name]], Field(max_length=10_000)] = []


class ReleaseRequest(_Strict):
    """Leave a line to others."""

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

    annotator: Annotator
    labels: Annotated[list[OneLabel], Field(min_length=1, max_length=500)]


class OutlineRequest(_Strict):
    """An outline in a page, whose line is to be shown or read."""

    page: _Name
    polygon: Outline
    baseline: Baseline = []
