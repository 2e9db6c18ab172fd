"""The tables of the feedback database.

Rows of `pages` and `corrections` go with their reading (ON DELETE CASCADE).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from text_recognizer.service.feedback.schema import Number, Schema, UtcDateTime


class Base(DeclarativeBase):
    """All tables of the feedback database."""


class ReadingRow(Base):
    """A reading. model: JSON, name of a part -> identity of its bundle."""

    __tablename__ = "readings"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    kind: Mapped[str] = mapped_column(String(16))
    model: Mapped[dict[str, str]] = mapped_column(JSON)
    milliseconds: Mapped[float] = mapped_column(Double)
    consent: Mapped[bool]
    owner: Mapped[str | None] = mapped_column(Text, index=True)


class PageRow(Base):
    """A page of a reading. page: JSON, `Page.to_dict()` as it was read. image_key: see images.py."""

    __tablename__ = "pages"

    reading: Mapped[str] = mapped_column(ForeignKey(ReadingRow.id, ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    width: Mapped[int]
    height: Mapped[int]
    image_key: Mapped[str | None] = mapped_column(String(80), index=True)
    page: Mapped[dict[str, Any]] = mapped_column(JSON)


class CorrectionRow(Base):
    """A correction of a line. Numbers grow: of two corrections of one line, the higher is the later one."""

    __tablename__ = "corrections"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    reading: Mapped[str] = mapped_column(ForeignKey(ReadingRow.id, ondelete="CASCADE"), index=True)
    page: Mapped[int]
    line: Mapped[int]
    word: Mapped[int | None]
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    who: Mapped[str | None] = mapped_column(Text, index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)


FEEDBACK = Schema.of(Base, "feedback_schema", 1)
