"""The tables of the feedback database.

Rows of `pages` and `corrections` go with their reading (ON DELETE CASCADE).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Double, ForeignKey, Integer, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA_VERSION = 1  # grows with every change of the tables; database.py refuses a newer one

_Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts rows up by itself only as INTEGER


class UtcDateTime(TypeDecorator[datetime]):
    """A time with a time zone: stored as UTC, given back as UTC. SQLite has no time zones, so they go and return."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time to store."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time as it comes back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables of the feedback database."""


class SchemaRow(Base):
    """The version of the tables: one row."""

    __tablename__ = "feedback_schema"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]


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

    id: Mapped[int] = mapped_column(_Number, primary_key=True)
    reading: Mapped[str] = mapped_column(ForeignKey(ReadingRow.id, ondelete="CASCADE"), index=True)
    page: Mapped[int]
    line: Mapped[int]
    word: Mapped[int | None]
    before: Mapped[str] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    who: Mapped[str | None] = mapped_column(Text, index=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime)
