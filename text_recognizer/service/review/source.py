"""Kept readings as a source of the labelling queue: their lines as they stand now, and what people say of them."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from text_recognizer.images import ImageError, open_image
from text_recognizer.labeling.folder import QueueLine
from text_recognizer.labeling.labels import Label
from text_recognizer.labeling.outlines import cut_out
from text_recognizer.labeling.pages import UnknownPage
from text_recognizer.page import Line, Page, Polygon
from text_recognizer.service.annotation.views import png
from text_recognizer.service.feedback import Correction, DamagedImage, FeedbackStore, NewCorrection, UnknownReading
from text_recognizer.service.feedback.records import is_identifier
from text_recognizer.service.feedback.rows import correction
from text_recognizer.service.feedback.tables import CorrectionRow, PageRow, ReadingRow
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.review.store import ILLEGIBLE, SKIPPED, Mark, Place, ReviewStore, marks, seen
from text_recognizer.service.review.tables import ReviewPage

GONE = "this reading is not here any more: it was deleted, or the consent to its use was withdrawn"
_SOMEBODY = "somebody"  # who corrected without a name
_DECODED = 3  # pages: whoever reviews a page asks for its lines one after the other


@dataclass(frozen=True)
class KeptPage:
    """A page of a reading as it is in the database. page: as it was read. corrections, marks: in order of time.
    strange, drifting: see `prepare.Outlier`."""

    reading: str
    number: int
    pages: int
    created: datetime
    image_key: str | None
    page: Page
    corrections: Sequence[Correction]
    marks: Sequence[Mark]
    strange: Sequence[str] = ()
    drifting: Sequence[str] = ()


class ReviewSource:
    """The readings that somebody may review: a `QueueSource` for one request.

    owner: only those of this API key; None: all. A page is named READING/NUMBER, its lines by their numbers from 0.
    """

    title = "Review"

    def __init__(self, store: ReviewStore, feedback: FeedbackStore, owner: str | None) -> None:
        self.store, self.feedback, self.owner = store, feedback, owner
        self._last: tuple[str, KeptPage] | None = None  # a request asks for one page several times

    @property
    def identity(self) -> str:
        """A name that no other queue has."""
        return hashlib.sha256(f"review {self.store.database.name}".encode()).hexdigest()[:16]

    def kept(self, page: str) -> KeptPage:
        """A page. Raises UnknownPage where it is none, or none that may be looked at."""
        if self._last is None or self._last[0] != page:
            self._last = page, self._load(*place_of(page))
        return self._last[1]

    def name(self, page: str) -> str:
        """When the page was read, and which one of its document it is. Raises UnknownPage."""
        kept = self.kept(page)
        part = f", page {kept.number + 1} of {kept.pages}" if kept.pages > 1 else ""
        return f"{kept.created:%Y-%m-%d %H:%M:%S} UTC{part}"

    def size(self, page: str) -> tuple[int, int]:
        """Height and width of a page in pixels. Raises UnknownPage."""
        found = self.kept(page).page
        return found.height, found.width

    def lines(self, page: str) -> list[QueueLine]:
        """The lines as they stand now. Raises UnknownPage."""
        kept = self.kept(page)
        return [_queue_line(kept, number) for number in range(len(kept.page.lines))]

    def add(self, labels: Iterable[Label]) -> None:
        """Keep what was said: of each reading all or nothing. Texts are corrections in the feedback store.

        Raises UnknownPage, InvalidCorrection, FeedbackUnavailable.
        """
        given = [(label, *self._place(label)) for label in labels]
        for reading in dict.fromkeys(place[0] for _, place, _ in given):
            said = [one for one in given if one[1][0] == reading]
            corrections = [made for label, place, kept in said if (made := _correction(label, place, kept))]
            if corrections:
                self._correct(reading, corrections, said[0][0].annotator)
            for label, place, _ in said:
                self.store.mark(place, label.annotator, label.status if label.status in (ILLEGIBLE, SKIPPED) else None)
        self._last = None

    def _correct(self, reading: str, corrections: Sequence[NewCorrection], who: str) -> None:
        try:
            metrics.CORRECTIONS.inc(self.feedback.add_corrections(reading, corrections, who))
        except UnknownReading as error:
            raise UnknownPage(GONE) from error

    def _place(self, label: Label) -> tuple[Place, KeptPage]:
        kept = self.kept(label.page)
        if not label.line.isascii() or not label.line.isdecimal() or int(label.line) >= len(kept.page.lines):
            raise UnknownPage(f"this page has no line {label.line!r}")
        return (kept.reading, kept.number, int(label.line)), kept

    def _load(self, reading: str, number: int) -> KeptPage:
        with self.store.transaction() as session:
            row = session.scalar(select(ReadingRow).where(ReadingRow.id == reading, seen(self.owner)))
            page = session.get(PageRow, (reading, number)) if row else None
            if row is None or page is None:
                raise UnknownPage(GONE)
            mine = (CorrectionRow.reading == reading) & (CorrectionRow.page == number)
            made = session.scalars(select(CorrectionRow).where(mine).order_by(CorrectionRow.id))
            outlier = session.get(ReviewPage, (reading, number))
            return KeptPage(
                reading,
                number,
                session.scalar(select(func.count()).where(PageRow.reading == reading)) or 1,
                row.created,
                page.image_key,
                Page.from_dict(page.page),
                [correction(row) for row in made],
                marks(session, reading, number),
                outlier.strange if outlier else (),
                outlier.drifting if outlier else (),
            )


class ReviewPictures:
    """The pictures of pages that a source may show, see `queue.source.Pictures`. decoded: shared by all requests."""

    def __init__(self, source: ReviewSource, decoded: DecodedPages) -> None:
        self._source, self._decoded = source, decoded

    def page(self, page: str) -> bytes:
        """The page as it is stored. Raises ImageError, UnknownPage."""
        kept = self._source.kept(page)
        try:
            data = self._source.feedback.image(kept.reading, kept.number)
        except DamagedImage as error:
            raise ImageError("the stored image of this page is damaged") from error
        if data is None:
            raise UnknownPage("the image of this page is not here any more")
        return data

    def line(self, page: str, polygon: Polygon, baseline: Polygon) -> bytes:
        """What an outline encloses, straightened, as PNG. Raises ImageError, UnknownPage, ValueError."""
        kept = self._source.kept(page)
        pixels = self._decoded.find(kept.image_key)
        if pixels is None:
            pixels = open_image(self.page(page))
            self._decoded.keep(kept.image_key, pixels)
        return png(cut_out(pixels, polygon, baseline))


class DecodedPages:
    """The pages that somebody looked at last, decoded, by the keys of their images."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: str | None) -> NDArray[np.uint8] | None:
        """The page of an image, where it is here."""
        with self._lock:
            return self._pages.get(key or "")

    def keep(self, key: str | None, pixels: NDArray[np.uint8]) -> None:
        """Remember a page, and forget the one that was remembered first."""
        with self._lock:
            self._pages[key or ""] = pixels
            while len(self._pages) > _DECODED:
                self._pages.popitem(last=False)


def page_name(reading: str, number: int) -> str:
    """The name of a page."""
    return f"{reading}/{number}"


def place_of(page: str) -> tuple[str, int]:
    """The reading and the number that a page's name says. Raises UnknownPage where it is no such name."""
    reading, _, number = page.partition("/")
    if not is_identifier(reading) or not number.isascii() or not number.isdecimal() or len(number) > 6:
        raise UnknownPage(f"there is no page {page!r}")
    return reading, int(number)


def _queue_line(kept: KeptPage, number: int) -> QueueLine:
    """A line with what was said of it. The last word counts: every label is as good as an adjudication."""
    line = kept.page.lines[number]
    made = [row for row in kept.corrections if row.line == number]
    box = _outline(kept.page, line)
    labels = [_of_correction(kept, row, box) for row in made if row.word is None]
    labels += [_of_mark(kept, row, box) for row in kept.marks if row.line == number]
    words_alone = bool(made) and made[-1].word is not None
    text = made[-1].after if words_alone else line.text  # the words that were right already are not typed again
    history = tuple(sorted(labels, key=lambda label: label.time))
    return QueueLine(str(number), box, line.baseline, text, line.confidence, history)


def _of_correction(kept: KeptPage, row: Correction, box: Polygon) -> Label:
    status = "labeled" if row.after else "no-line"
    return _label(kept, row, row.who or _SOMEBODY, status, row.after, box)


def _of_mark(kept: KeptPage, row: Mark, box: Polygon) -> Label:
    return _label(kept, row, row.who, row.status, "", box)


def _label(kept: KeptPage, said: Correction | Mark, who: str, status: str, text: str, box: Polygon) -> Label:
    page, when = page_name(kept.reading, kept.number), said.created.isoformat(timespec="milliseconds")
    origin = "queue" if status == SKIPPED else "adjudication"
    return Label(page, str(said.line), who, when, status, text, box, origin=origin)


def _outline(page: Page, line: Line) -> Polygon:
    """The outline of a line; of the crop of one, which may have none, its edge."""
    if len(line.polygon) >= 3:
        return line.polygon
    return ((0, 0), (page.width, 0), (page.width, page.height), (0, page.height))


def _correction(label: Label, place: Place, kept: KeptPage) -> NewCorrection | None:
    """What a label says as a correction. What turns out to be illegible is no text of a whole line any more."""
    _, page, line = place
    if label.status in ("labeled", "no-line"):
        return NewCorrection(page, line, label.text)
    made = [row for row in kept.corrections if row.line == line]
    if label.status == SKIPPED or not made or made[-1].word is not None or not made[-1].after:
        return None
    return NewCorrection(page, line, kept.page.lines[line].text, word=0)
