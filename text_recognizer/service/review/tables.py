"""The tables of the review queue, beside those of feedback in the same database, with a version of their own.

They hold no content. All rows go with their reading (ON DELETE CASCADE).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Double, ForeignKey, Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from text_recognizer.service.feedback.tables import Number, ReadingRow, Schema, UtcDateTime


class Base(DeclarativeBase):
    """All tables of the review queue."""


def _reading(**more: bool) -> Mapped[str]:
    return mapped_column(ForeignKey(ReadingRow.id, ondelete="CASCADE"), **more)  # type: ignore[arg-type]


class ReviewPage(Base):
    """A page that is in the queue. strange, drifting: names of features, see `prepare.Outlier`; looked: beside which
    reference and alerts they were looked for, "" where that is to be done yet."""

    __tablename__ = "review_pages"

    reading: Mapped[str] = _reading(primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    strange: Mapped[list[str]] = mapped_column(JSON)
    drifting: Mapped[list[str]] = mapped_column(JSON)
    looked: Mapped[str] = mapped_column(String(32), index=True)


class ReviewLine(Base):
    """A line of such a page. confidence: of the line. doubtful: whether a word of it is. rank: its place in the queue,
    the least first; none where nobody needs to look at it."""

    __tablename__ = "review_lines"
    __table_args__ = (Index("review_lines_in_order", "rank", "reading", "page", "line"),)

    reading: Mapped[str] = _reading(primary_key=True)
    page: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    confidence: Mapped[float] = mapped_column(Double)
    doubtful: Mapped[bool]
    rank: Mapped[float | None] = mapped_column(Double)


class ReviewMark(Base):
    """What somebody said of a line that is no correction. status: illegible or skipped."""

    __tablename__ = "review_marks"
    __table_args__ = (Index("review_marks_of_lines", "reading", "page", "line"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    reading: Mapped[str] = _reading()
    page: Mapped[int]
    line: Mapped[int]
    who: Mapped[str] = mapped_column(Text, index=True)
    status: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime] = mapped_column(UtcDateTime)


class ReservedRow(Base):
    """Who has a reading in hand, and until when it is kept from others."""

    __tablename__ = "review_reserved"

    reading: Mapped[str] = _reading(primary_key=True)
    who: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


SCHEMA = Schema.of(Base, "review_schema", 1)
