"""The review queue in the database: which lines wait, who has which reading in hand, what was said of lines.

All of the queue's state is in the database, so that several server processes share it; a process remembers nothing but
counts, for a moment, and pictures.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, delete, exists, func, select, text, union_all
from sqlalchemy.orm import Session

from text_recognizer.labeling.queue import RESERVED, Progress
from text_recognizer.service.feedback.database import Database, delete_rows
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.feedback.tables import CorrectionRow, ReadingRow
from text_recognizer.service.monitoring.store import FeatureStore
from text_recognizer.service.review.prepare import Preparation
from text_recognizer.service.review.tables import SCHEMA, ReservedRow, ReviewLine, ReviewMark
from text_recognizer.service.settings import Settings

SKIPPED, ILLEGIBLE = "skipped", "illegible"
_AT_ONCE = 20  # new pages that are taken in before a line is handed out; the server takes in the rest meanwhile
_OFTEN = 1.0  # seconds between two looks for new pages before a line is handed out
_WORTH = 20.0  # counts are remembered for so many times the time that counting takes
_LOCK = 0x7265_7669_6577  # any number, the same in every process
_SHOWN_PAGES = 50  # to choose from
_FIRST_LINES = 1000  # among which they are looked for
_RECENT = 100

Place = tuple[str, int, int]  # reading, page, line


@dataclass(frozen=True)
class Wish:
    """Which line somebody wants next. owner: only of readings of this API key; None: of all. order: of the queue's
    `ORDERS`. page: reading and number, for lines of this page alone. passed: not these."""

    who: str
    owner: str | None = None
    order: str = "doubtful"
    page: tuple[str, int] | None = None
    passed: frozenset[Place] = frozenset()


@dataclass(frozen=True)
class Mark:
    """What somebody said of a line that is no correction: illegible, or skipped."""

    line: int
    who: str
    status: str
    created: datetime


class ReviewStore:
    """The queue in the feedback database of a URL. Several threads may use it, and several processes one database.

    features: of readings, which are compared with the reference of the settings; None where none are recorded. Every
    method raises FeedbackUnavailable.
    """

    def __init__(self, url: str, features: FeatureStore | None = None, settings: Settings | None = None) -> None:
        self._feedback = Database(url)
        self.database = Database(url, SCHEMA)
        self.preparation = Preparation(self.database, features, settings)
        self._prepared, self._looked = False, 0.0
        self._counts: dict[str | None, tuple[float, Progress]] = {}

    @contextmanager
    def transaction(self, write: bool = False) -> Iterator[Session]:
        """See `Database.transaction`. Writers come one after the other."""
        if not self._prepared:  # our tables refer to its tables
            with self._feedback.transaction():
                self._prepared = True
        with self.database.transaction(write) as session:
            if write and self.database.engine.dialect.name == "postgresql":
                session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield session

    def prepare(self, pages: int = 200) -> bool:
        """Take in some pages that are new; whether there may be more."""
        with self.transaction():
            pass
        return self.preparation.some(pages)

    def next(self, wish: Wish) -> Place | None:
        """The line that is to be looked at next, its reading reserved; None where there is none at the moment."""
        if time.monotonic() > self._looked + _OFTEN:
            self._looked = time.monotonic()
            self.prepare(_AT_ONCE)
        query = _waiting(wish).where(~_in_hand(wish.who)).order_by(*_ordered(wish.order))
        with self.transaction(write=True) as session:
            for place in _places(session, query.limit(1 + len(wish.passed))):
                if place not in wish.passed:
                    self._reserve(session, place[0], wish.who)
                    return place
        return None

    def reserve(self, reading: str, who: str) -> None:
        """Keep a reading for somebody, unless somebody else has it."""
        with self.transaction(write=True) as session:
            if session.scalar(select(ReadingRow.id).where(ReadingRow.id == reading, ~_in_hand(who))):
                self._reserve(session, reading, who)

    def release(self, reading: str, who: str) -> None:
        """Leave a reading to others."""
        with self.transaction(write=True) as session:
            delete_rows(session, ReservedRow, (ReservedRow.reading == reading) & (ReservedRow.who == who))

    def others(self, wish: Wish) -> bool:
        """Whether others have lines in hand that would come next."""
        with self.transaction() as session:
            return session.scalar(select(exists(_waiting(wish)))) or False

    def progress(self, owner: str | None) -> Progress:
        """How many lines there are to review, how many are done, and by whom."""
        until, found = self._counts.get(owner, (0.0, Progress()))
        if time.monotonic() < until:
            return found
        start = time.monotonic()
        found = self._counted(owner)
        now = time.monotonic()
        self._counts[owner] = (now + _WORTH * (now - start), found)
        return found

    def pages(self, owner: str | None) -> list[tuple[str, int, int, int]]:
        """The pages whose lines come first: reading, number, how many lines are to be reviewed, and how many are
        done."""
        query = _waiting(Wish("", owner)).order_by(*_ordered("doubtful")).limit(_FIRST_LINES)
        with self.transaction() as session:
            found = dict.fromkeys((reading, page) for reading, page, _ in _places(session, query))
            chosen = list(found)[:_SHOWN_PAGES]
            theirs = ReviewLine.reading.in_({reading for reading, _ in chosen})
            lines = Counter(place[:2] for place in _places(session, _ranked(owner).where(theirs)))
            left = Counter(place[:2] for place in _places(session, _ranked(owner).where(theirs, ~_settled())))
        return [(*page, lines[page], lines[page] - left[page]) for page in chosen]

    def recent(self, who: str, owner: str | None) -> list[Place]:
        """The lines of which somebody said something last, the oldest first, each once."""
        said = [
            select(row.reading, row.page, row.line, row.created).where(row.who == who)
            for row in (CorrectionRow, ReviewMark)
        ]
        every = union_all(said[0].where(CorrectionRow.word.is_(None)), said[1]).subquery()
        columns = every.c.reading, every.c.page, every.c.line
        query = select(*columns).join(ReadingRow, ReadingRow.id == every.c.reading).where(seen(owner))
        query = query.group_by(*columns).order_by(func.max(every.c.created).desc()).limit(_RECENT)
        with self.transaction() as session:
            return _places(session, query)[::-1]

    def mark(self, place: Place, who: str, status: str | None) -> None:
        """Keep what somebody says of a line, instead of what the same person said before; None: only forget that."""
        reading, page, line = place
        with self.transaction(write=True) as session:
            delete_rows(session, ReviewMark, _of(ReviewMark, *place) & (ReviewMark.who == who))
            if status is not None:
                row = ReviewMark(reading=reading, page=page, line=line, who=who, status=status, created=utc_now())
                session.add(row)

    def forget(self, person: str) -> int:
        """Delete what a person said of lines; corrections are in the feedback store. Returns how many."""
        with self.transaction(write=True) as session:
            delete_rows(session, ReservedRow, ReservedRow.who == person)
            return delete_rows(session, ReviewMark, ReviewMark.who == person)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()
        self._feedback.close()

    def _reserve(self, session: Session, reading: str, who: str) -> None:
        """Keep a reading for somebody, who looks at one at a time."""
        over = ReservedRow.until <= utc_now()
        session.execute(delete(ReservedRow).where(over | (ReservedRow.who == who) | (ReservedRow.reading == reading)))
        session.add(ReservedRow(reading=reading, who=who, until=utc_now() + timedelta(seconds=RESERVED)))

    def _counted(self, owner: str | None) -> Progress:
        every = _ranked(owner)
        by = select(CorrectionRow.who, CorrectionRow.reading, CorrectionRow.page, CorrectionRow.line).distinct()
        by = by.join(ReadingRow, ReadingRow.id == CorrectionRow.reading).where(CorrectionRow.word.is_(None))
        people = by.where(seen(owner), CorrectionRow.who.is_not(None)).subquery()
        with self.transaction() as session:
            lines = session.scalar(select(func.count()).select_from(every.subquery())) or 0
            waiting = session.scalar(select(func.count()).select_from(every.where(~_settled()).subquery())) or 0
            rows = session.execute(select(people.c.who, func.count()).group_by(people.c.who))
            counts = {row[0]: row[1] for row in rows}
        return Progress(lines, lines - waiting, waiting=waiting, by=Counter(counts))


def marks(session: Session, reading: str, page: int) -> list[Mark]:
    """What was said of the lines of a page that is no correction, in order of time."""
    mine = (ReviewMark.reading == reading) & (ReviewMark.page == page)
    rows = session.scalars(select(ReviewMark).where(mine).order_by(ReviewMark.id))
    return [Mark(row.line, row.who, row.status, row.created) for row in rows]


def seen(owner: str | None) -> ColumnElement[bool]:
    """The readings that may be looked at: kept with consent, for this API key; None: for all."""
    consent = ReadingRow.consent.is_(True)
    return consent if owner is None else consent & (ReadingRow.owner == owner)


def _places(session: Session, query: Select[str, int, int]) -> list[Place]:
    return [(reading, page, line) for reading, page, line in session.execute(query)]


def _ranked(owner: str | None, page: tuple[str, int] | None = None) -> Select[str, int, int]:
    """The lines that are in the queue, done or not."""
    query = select(ReviewLine.reading, ReviewLine.page, ReviewLine.line)
    query = query.join(ReadingRow, ReadingRow.id == ReviewLine.reading)
    query = query.where(ReviewLine.rank.is_not(None), seen(owner))
    return query if page is None else query.where(ReviewLine.reading == page[0], ReviewLine.page == page[1])


def _waiting(wish: Wish) -> Select[str, int, int]:
    """The lines that wait for somebody: nobody has settled them, and they have not passed them on, unless it is those
    that they ask for."""
    if wish.order == "disputed":  # there are none: the last correction of a line counts
        return _ranked(wish.owner, wish.page).where(ReviewLine.rank.is_(None))
    passed_on = exists().where(_of_line(ReviewMark), ReviewMark.who == wish.who, ReviewMark.status == SKIPPED)
    wanted = passed_on if wish.order == SKIPPED else ~passed_on
    return _ranked(wish.owner, wish.page).where(wanted, ~_settled())


def _ordered(order: str) -> tuple[Any, ...]:
    place = ReviewLine.reading, ReviewLine.page, ReviewLine.line
    return (ReadingRow.created.desc(), *place) if order == "page" else (ReviewLine.rank, *place)


def _settled() -> ColumnElement[bool]:
    """A line that somebody corrected or confirmed as a whole, and nobody edited a word of since, or that is
    illegible."""
    whole = case((CorrectionRow.word.is_(None), 1), else_=0)
    last = select(whole).where(_of_line(CorrectionRow)).order_by(CorrectionRow.id.desc()).limit(1)
    illegible = exists().where(_of_line(ReviewMark), ReviewMark.status == ILLEGIBLE)
    return (func.coalesce(last.correlate(ReviewLine).scalar_subquery(), 0) == 1) | illegible


def _in_hand(who: str) -> ColumnElement[bool]:
    """Whether somebody else has the reading."""
    free = (ReservedRow.who == who) | (ReservedRow.until <= utc_now())
    return exists().where(ReservedRow.reading == ReadingRow.id, ~free)


def _of_line(row: type[CorrectionRow] | type[ReviewMark]) -> ColumnElement[bool]:
    return _of(row, ReviewLine.reading, ReviewLine.page, ReviewLine.line)


def _of(row: type[CorrectionRow] | type[ReviewMark], reading: Any, page: Any, line: Any) -> ColumnElement[bool]:
    return (row.reading == reading) & (row.page == page) & (row.line == line)
