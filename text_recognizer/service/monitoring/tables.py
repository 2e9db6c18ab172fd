"""The tables of monitoring, beside those of feedback in the same database, with a version of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from text_recognizer.service.feedback.schema import Number, Schema, UtcDateTime


class Base(DeclarativeBase):
    """All tables of monitoring."""


class FeaturesRow(Base):
    """The features of one page that was read. document: the reading's id, kept or not. features: JSON."""

    __tablename__ = "reading_features"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    document: Mapped[str] = mapped_column(String(64))
    page: Mapped[int]
    unit: Mapped[str] = mapped_column(String(16))
    models: Mapped[dict[str, str]] = mapped_column(JSON)
    version: Mapped[int]
    features: Mapped[dict[str, Any]] = mapped_column(JSON)


class CheckRow(Base):
    """A check for drift. report: JSON, `DriftReport.to_dict()`; state: `AlertState.to_dict()` after it; alert: the kind
    of alert that was due, and its text."""

    __tablename__ = "drift_checks"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    created: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    drift: Mapped[bool | None]
    report: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    alert: Mapped[str | None] = mapped_column(String(16))
    text: Mapped[str | None] = mapped_column(String(2000))


class TurnRow(Base):
    """Whose turn it is: what of several processes one does at a time, and when it was last done."""

    __tablename__ = "monitoring_turns"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    taken: Mapped[datetime] = mapped_column(UtcDateTime)


SCHEMA = Schema.of(Base, "monitoring_schema", 1)
