"""What goes into the feedback store and comes out of it, its errors, and where it is kept."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from text_recognizer.page import Page
from text_recognizer.paths import HOME_VARIABLE, home_dir

KINDS = ("page", "line")
_IDENTIFIER = re.compile(r"[0-9A-Za-z_-]{1,64}")

__all__ = ["DATABASE_VARIABLE", "HOME_VARIABLE", "IMAGES_VARIABLE", "feedback_database", "feedback_images", "home_dir"]

DATABASE_VARIABLE = "TEXT_RECOGNIZER_FEEDBACK_DATABASE"
IMAGES_VARIABLE = "TEXT_RECOGNIZER_FEEDBACK_IMAGES"


class FeedbackUnavailable(OSError):  # noqa: N818 (it names a state)
    """The database or the image folder cannot be used; the message says which and why."""


class DamagedImage(FeedbackUnavailable):
    """A stored image is no longer what was stored: its content does not have its hash."""


class UnknownReading(LookupError):  # noqa: N818
    """No reading has this identifier."""

    def __init__(self, identifier: str) -> None:
        super().__init__(f"no reading is stored as {identifier!r}")


class InvalidCorrection(ValueError):  # noqa: N818
    """A correction that cannot be kept; the message says what is wrong with it."""


def is_identifier(text: str) -> bool:
    """Whether a reading may have this identifier: 1 to 64 letters, digits, "_" or "-", so it is safe in file names."""
    return _IDENTIFIER.fullmatch(text) is not None


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class NewCorrection:
    """The text of a whole line as a person wrote it; the same text as before confirms the line.

    page, line: counted from 0. word: which word was edited, counted from 0; None for the line as a whole.
    text: the new text of the WHOLE line; empty where nothing is written there.
    """

    page: int
    line: int
    text: str
    word: int | None = None


@dataclass(frozen=True)
class Correction:
    """A stored correction: the text of the line before and after it, who made it, and when (UTC)."""

    page: int
    line: int
    word: int | None
    before: str
    after: str
    who: str | None
    created: datetime


@dataclass(frozen=True)
class StoredPage:
    """A page of a reading.

    image: the encoded image (JPEG, PNG or WebP) to save; a reading that comes out of the store leaves it None
    and has `image_key`, where there is an image: `FeedbackStore.image` fetches it.
    """

    page: Page
    image: bytes | None = None
    image_key: str | None = None


@dataclass(frozen=True)
class StoredReading:
    """A reading: what was read by which models, for whom, and whether it may be used for training.

    id: given by the caller; 1 to 64 letters, digits, "_" or "-". kind: "page", or "line" where each page is
    the crop of one line. model: identities of the model bundles. consent: may be used for training. owner: name
    of the API key. created: with a time zone. corrections: oldest first; only of readings out of the store.
    Raises ValueError for other values.
    """

    id: str
    pages: tuple[StoredPage, ...]
    kind: str = "page"
    model: Mapping[str, str] = field(default_factory=dict)
    milliseconds: float = 0.0
    consent: bool = False
    owner: str | None = None
    created: datetime = field(default_factory=utc_now)
    corrections: tuple[Correction, ...] = ()

    def __post_init__(self) -> None:
        if not is_identifier(self.id):
            raise ValueError(f"{self.id!r} is no identifier of a reading: 1 to 64 letters, digits, '_' or '-' are")
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of reading; there are: {', '.join(KINDS)}")
        if self.created.tzinfo is None:
            raise ValueError(f"the time {self.created} of reading {self.id} has no time zone")


@dataclass(frozen=True)
class ReadingSummary:
    """A reading in a list: without its pages. corrections: how many were made, confirmations included."""

    id: str
    created: datetime
    kind: str
    consent: bool
    owner: str | None
    pages: int
    corrections: int


@dataclass(frozen=True)
class Statistics:
    """How much is stored. images: pages with an image. confirmed: corrections that changed nothing."""

    readings: int
    consented: int
    pages: int
    images: int
    corrections: int
    confirmed: int


def feedback_database() -> str:
    """The URL of the feedback database: $TEXT_RECOGNIZER_FEEDBACK_DATABASE, or a SQLite file in the home folder."""
    return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{(home_dir() / 'feedback.db').as_posix()}"


def feedback_images() -> str:
    """The folder or URL of the images: $TEXT_RECOGNIZER_FEEDBACK_IMAGES, or `images` in the home folder."""
    return os.environ.get(IMAGES_VARIABLE) or str(home_dir() / "images")
