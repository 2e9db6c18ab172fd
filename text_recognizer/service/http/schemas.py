"""What the API takes and gives, for checking and for its OpenAPI description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from text_recognizer.formats import FORMATS
from text_recognizer.page import Page
from text_recognizer.service.payloads import PROBLEM_TYPE

#: The formats that the API writes: those for which a reading is enough, without its picture.
WRITTEN_FORMATS = [name for name, format in FORMATS.items() if not format.needs_image]

Responses = dict[int | str, dict[str, Any]]

_FILES = {FORMATS[name].media_type: {"schema": {"type": "string"}} for name in WRITTEN_FORMATS if name != "json"}
EVENTS: Responses = {
    200: {"description": "Events, one a line, as they happen", "content": {"application/x-ndjson": {}}}
}
WRITTEN: Responses = {200: {"description": "The pages in the format", "content": {"application/json": {}} | _FILES}}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
IMAGE: Responses = {200: {"description": "The image", "content": {"image/jpeg": _BINARY}}}
PICTURE: Responses = {200: {"description": "The image", "content": {"image/png": _BINARY}}}


def _known_format(name: str) -> str:
    if name not in WRITTEN_FORMATS:
        raise ValueError(f"there are the formats {', '.join(WRITTEN_FORMATS)}")
    return name


FormatName = Annotated[
    str, AfterValidator(_known_format), WithJsonSchema({"type": "string", "enum": WRITTEN_FORMATS, "title": "Format"})
]

_Coordinate = Annotated[float, Field(ge=-1e9, le=1e9)]
_Point = Annotated[list[_Coordinate], Field(min_length=2, max_length=2)]

_EXAMPLE_LINE: dict[str, Any] = {
    "text": "Dear Ada,",
    "confidence": 0.93,
    "polygon": [[96.0, 80.0], [420.0, 78.0], [420.0, 132.0], [96.0, 134.0]],
    "baseline": [[96.0, 120.0], [420.0, 118.0]],
    "words": [],
}
EXAMPLE_PAGE: dict[str, Any] = {
    "text": "Dear Ada,",
    "confidence": 0.93,
    "width": 1240,
    "height": 1754,
    "source": None,
    "models": {"detector": "detector 1", "lines": "lines 2", "language": "language 2"},
    "lines": [_EXAMPLE_LINE],
    "regions": [{"kind": "paragraph", "polygon": _EXAMPLE_LINE["polygon"], "lines": [0], "column": 0}],
}


class Options(BaseModel):
    """How to read; in JSON beside the image, in a form as fields, otherwise in the query."""

    unit: Literal["page", "line"] = Field("page", description="Whether an image holds a page or one cropped line")
    format: FormatName = Field("json", description="json: the object described here; others: a file of that format")
    language_model: bool = Field(True, description="Whether the language model, if the server has one, has its say")
    store: bool = Field(False, description="Keep reading and image on the server, so that it can be corrected")
    consent: bool = Field(False, description="What is kept may be used for training")
    pictures: bool = Field(False, description="Send pictures of pages that browsers do not show: of PDF and TIFF")


class PredictRequest(Options):
    """An image, or the address of one, and how to read it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"image": "data:image/png;base64,iVBORw0KGgo..."},
                {"image_url": "https://example.org/letter.jpg", "unit": "page"},
            ]
        },
    )
    image: str | None = Field(None, description="The image, TIFF or PDF in base64, or as a data URL")
    image_url: str | None = Field(None, max_length=2000, description="Its address, where the server fetches them")

    @model_validator(mode="after")
    def _one_source(self) -> PredictRequest:
        if (self.image is None) == (self.image_url is None):
            raise ValueError("give either image or image_url")
        return self


class BatchRequest(Options):
    """Several images."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"images": ["iVBORw0KGgo..."]}]})
    images: list[str] = Field(default_factory=list, description="Images, TIFFs or PDFs in base64, or as data URLs")
    image_urls: list[Annotated[str, StringConstraints(max_length=2000)]] = Field(default_factory=list)


class PageReading(BaseModel):
    """A page of a document."""

    pred: str
    conf: float = Field(ge=0, le=1)
    page: dict[str, Any] = Field(description="Lines and words with outlines in pixels, as docs/serve.md describes")
    milliseconds: float
    picture: str | None = Field(None, description="The page as a JPEG data URL, where asked for and needed")


class Prediction(BaseModel):
    """The text of an image or document; `page` for one page, `pages` for several."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "pred": "Dear Ada,",
                    "conf": 0.93,
                    "page": EXAMPLE_PAGE,
                    "id": "0b9f4d3c9f0e4a0f8a5c6a7a5a4a3a2a",
                    "model": {"detector": "detector 1", "lines": "lines 2", "language": "language 2"},
                    "milliseconds": 412.0,
                    "stored": False,
                }
            ]
        }
    )
    pred: str = Field(description="The text, one line a row; an empty row between pages")
    conf: float = Field(ge=0, le=1, description="Mean confidence, weighted by length")
    page: dict[str, Any] | None = None
    pages: list[PageReading] | None = None
    picture: str | None = None
    id: str = Field(description="Names the reading, for corrections")
    model: dict[str, str]
    milliseconds: float
    stored: bool = Field(description="Whether it is kept, so that corrections of it are taken")


class CorrectionIn(BaseModel):
    """A person's text of a whole line; the text as it was read confirms it."""

    model_config = ConfigDict(extra="forbid")
    page: int = Field(0, ge=0, le=100_000, description="From 0")
    line: int = Field(ge=0, le=100_000, description="From 0")
    word: int | None = Field(None, ge=0, le=100_000, description="Which word was edited; none: the line as a whole")
    text: str = Field(max_length=1000, description="Of the whole line")


class FeedbackRequest(BaseModel):
    """Corrections of a kept reading: kept all, or none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"id": "0b9f4d3c9f0e4a0f8a5c6a7a5a4a3a2a", "corrections": [{"line": 0, "text": "Dear Ada,"}]}]
        },
    )
    id: str = Field(min_length=1, max_length=64)
    corrections: list[CorrectionIn] = Field(min_length=1, max_length=1000)
    who: str | None = Field(None, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$", description="Name of the person")
    consent: bool | None = Field(None, description="Changes whether the reading may be used for training")


class Kept(BaseModel):
    """How many corrections are now safe on disk."""

    kept: int


class ConsentRequest(BaseModel):
    """Whether a kept reading may be used for training."""

    model_config = ConfigDict(extra="forbid")
    consent: bool


class WordIn(BaseModel):
    """A word of a line."""

    text: str = Field(max_length=10_000)
    polygon: list[_Point] = Field(max_length=10_000, description="Outline in pixels, x to the right and y down")
    confidence: float = Field(ge=0, le=1)
    character_confidences: list[Annotated[float, Field(ge=0, le=1)]] = []


class LineIn(BaseModel):
    """A line of a page."""

    text: str = Field(max_length=10_000)
    polygon: list[_Point] = Field(max_length=10_000, description="Outline in pixels, x to the right and y down")
    confidence: float = Field(ge=0, le=1)
    baseline: list[_Point] = Field([], max_length=10_000, description="From left to right")
    words: list[WordIn] = []


class RegionIn(BaseModel):
    """A part of a page: which of its lines belong together."""

    kind: str = Field(max_length=100, description="paragraph, heading or marginalia")
    polygon: list[_Point] = Field(max_length=10_000, description="Outline in pixels, x to the right and y down")
    lines: list[int] = Field(max_length=100_000, description="From 0")
    column: int | None = Field(None, ge=0, le=1000, description="From 0 at the left; none for what stands in no column")


class PageIn(BaseModel):
    """A page as it was answered; only its lines and its size are needed."""

    lines: list[LineIn]
    width: int = Field(ge=0, le=10**9)
    height: int = Field(ge=0, le=10**9)
    source: str | None = None
    models: dict[str, str] = {}
    regions: list[RegionIn] = []

    _page: Page = PrivateAttr()

    @model_validator(mode="after")
    def _whole(self) -> PageIn:
        """Raises ValueError where its regions are not made of its lines."""
        self._page = Page.from_dict(self.model_dump())
        return self

    def to_page(self) -> Page:
        """The page."""
        return self._page


class FormatRequest(BaseModel):
    """Pages to be written in a format."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"pages": [EXAMPLE_PAGE], "format": "txt"}]}
    )
    pages: list[PageIn] = Field(min_length=1, max_length=10_000)
    format: FormatName

    def to_pages(self) -> list[Page]:
        """The pages."""
        return [page.to_page() for page in self.pages]


class ProblemOut(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


_PROBLEM = {PROBLEM_TYPE: {"schema": ProblemOut.model_json_schema()}}

#: Of every route of the API.
REFUSALS: Responses = {
    "4XX": {"description": "What was wrong with the request", "content": _PROBLEM},
    503: {"description": "Too much to do: try again after the seconds in Retry-After", "content": _PROBLEM},
}

#: Of the routes that read one document.
READ: Responses = {
    200: {"description": "What was read", "content": _FILES},
    502: {"description": "The server of the image failed", "content": _PROBLEM},
    504: {"description": "The server of the image was too slow", "content": _PROBLEM},
}
READY: Responses = {503: {"description": "Not ready: the feedback store cannot be used", "content": _PROBLEM}}


def body(model: Any, files: str) -> dict[str, Any]:
    """The description of a body that may be JSON, a form, or a file itself."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    fields: dict[str, Any] = Options.model_json_schema()["properties"]
    upload: dict[str, Any] = {"type": "string", "format": "binary"}
    form = {"type": "object", "required": [files], "properties": {files: upload} | fields}
    if files == "files":
        form["properties"] = {files: {"type": "array", "items": upload}} | fields
    content = {
        "application/json": {"schema": model.model_json_schema()},
        "multipart/form-data": {"schema": form},
        "image/*": binary,
        "application/pdf": binary,
    }
    return {"requestBody": {"required": True, "content": content}}
