"""The tables of the feedback database.

Rows of `pages` and `corrections` go with their reading (ON DELETE CASCADE).

What all tables of the feedback database share: types of columns, and a version for those that change together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts rows up by itself only as INTEGER


class Base(DeclarativeBase):
    """All tables of the feedback database."""


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


@dataclass(frozen=True)
class Schema:
    """Tables that come and change together. versions: the table whose one row says in which version they are there."""

    tables: MetaData
    versions: Table
    version: int

    @classmethod
    def of(cls, base: type[DeclarativeBase], name: str, version: int) -> Schema:
        """All tables of a base, and one of that name for their version, which grows with every change of them."""
        number = Column("id", Integer, primary_key=True, autoincrement=False)
        versions = Table(name, base.metadata, number, Column("version", Integer, nullable=False))
        return cls(base.metadata, versions, version)


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
