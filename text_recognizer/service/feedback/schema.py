"""What all tables of the feedback database share: types of columns, and a version for those that change together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Integer, MetaData, Table, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts rows up by itself only as INTEGER


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
