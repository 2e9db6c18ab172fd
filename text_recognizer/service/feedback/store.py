"""The feedback store: readings, their images and what people corrected in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from text_recognizer.service.feedback import rows
from text_recognizer.service.feedback.database import Database, delete_rows
from text_recognizer.service.feedback.images import open_images
from text_recognizer.service.feedback.records import (
    NewCorrection,
    ReadingSummary,
    Statistics,
    StoredReading,
    UnknownReading,
    is_identifier,
    utc_now,
)
from text_recognizer.service.feedback.tables import CorrectionRow, PageRow, ReadingRow

_MAX_INTEGER = 2**31 - 1  # that the databases can look for


class FeedbackStore:
    """Readings and corrections in a database, images by their content in a folder or an object store.

    url: sqlite:///FILE or postgresql://... images: a folder, or s3://bucket/prefix or another fsspec URL.
    Several threads may use one store, and several processes one database. Nothing is opened before the first
    use, so a service starts, and says that it is not ready, while its database is away.

    Every method raises FeedbackUnavailable (an OSError) where the database or the images cannot be used.
    The constructor raises ValueError for a URL of another kind, or where its driver is not installed.
    """

    def __init__(self, url: str, images: str) -> None:
        self._database = Database(url)
        self._transaction = self._database.transaction
        self._images = open_images(images)

    def save_reading(self, reading: StoredReading) -> None:
        """Keep a reading with its images, whole or not at all.

        `image_key` and `corrections` are not looked at. Raises ValueError where the id is taken already, or
        where an image is neither JPEG, PNG nor WebP.
        """
        keys = [None if page.image is None else self._images.write(page.image) for page in reading.pages]
        images = {key: page.image for key, page in zip(keys, reading.pages, strict=True) if key and page.image}
        with self._transaction(write=True) as session:
            if session.get(ReadingRow, reading.id) is not None:
                raise ValueError(f"a reading is stored as {reading.id!r} already")
            for key in sorted(images):  # in one order, so that two processes never wait for each other
                self._lock_image(session, key)
                if not self._images.exists(key):  # deleted a moment ago with the last other page that had it
                    self._images.write(images[key])
            session.add(rows.reading_row(reading))
            session.flush()  # pages refer to it
            session.add_all(rows.page_rows(reading, keys))

    def add_corrections(self, reading_id: str, corrections: Sequence[NewCorrection], who: str | None) -> int:
        """Keep corrections of one reading, in the order given, all or none; returns how many.

        who: the person who made them. When this returns, they survive a crash of the program and of the machine.
        Raises UnknownReading, and InvalidCorrection (a ValueError) that says what is wrong with which correction.
        """
        with self._transaction(write=True) as session:
            # Locked: where two people correct one line, the text before the second correction is the first one's.
            if not is_identifier(reading_id) or session.get(ReadingRow, reading_id, with_for_update=True) is None:
                raise UnknownReading(reading_id)
            pages = _pages(session, reading_id)
            stored = [rows.correction(row) for row in _corrections(session, reading_id)]
            session.add_all(rows.correction_rows(reading_id, corrections, pages, stored, who, utc_now()))
        return len(corrections)

    def reading(self, reading_id: str) -> StoredReading:
        """A reading with its corrections applied: the last one of a line is its text. Raises UnknownReading.

        The words of a corrected line take its text over where their number is the same; else the line has none.
        Images are fetched by `image`; `image_key` says which pages have one.
        """
        with self._transaction() as session:
            row = session.get(ReadingRow, reading_id) if is_identifier(reading_id) else None
            if row is None:
                raise UnknownReading(reading_id)
            return rows.stored_reading(row, _pages(session, reading_id), _corrections(session, reading_id))

    def image(self, reading_id: str, page: int) -> bytes | None:
        """The encoded image of a page, counted from 0; None where no such page, or no image of it, is stored.

        Raises DamagedImage (FeedbackUnavailable) where the stored image has changed.
        """
        if not is_identifier(reading_id) or not 0 <= page <= _MAX_INTEGER:
            return None
        with self._transaction() as session:
            row = session.get(PageRow, (reading_id, page))
            key = row.image_key if row else None
        return self._images.read(key) if key else None

    def set_consent(self, reading_id: str, consent: bool) -> None:
        """Whether the reading may be used for training. Raises UnknownReading."""
        with self._transaction(write=True) as session:
            row = session.get(ReadingRow, reading_id) if is_identifier(reading_id) else None
            if row is None:
                raise UnknownReading(reading_id)
            row.consent = consent

    def delete_reading(self, reading_id: str) -> bool:
        """Delete a reading, its corrections, and its images that no other page has. False where there is none."""
        return is_identifier(reading_id) and self._delete_readings(ReadingRow.id == reading_id) > 0

    def forget(self, person: str) -> int:
        """Delete the readings that a person owns and the corrections that the person made; returns how many of both."""
        with self._transaction(write=True) as session:
            made = delete_rows(session, CorrectionRow, CorrectionRow.who == person)
        return made + self._delete_readings(ReadingRow.owner == person)

    def purge(self, retention_days: int, now: datetime | None = None) -> int:
        """Delete readings without consent that are older than the limit; returns how many.

        Their corrections and images go with them, and so do images that no page refers to (left behind by a crash).
        now: with a time zone. Raises ValueError for a negative number of days.
        """
        if retention_days < 0:
            raise ValueError(f"readings cannot be kept for {retention_days} days")
        limit = (now or utc_now()) - timedelta(days=retention_days)
        count = self._delete_readings(ReadingRow.consent.is_(False) & (ReadingRow.created < limit))
        with self._transaction() as session:
            used = set(session.scalars(select(PageRow.image_key).where(PageRow.image_key.is_not(None))))
        self._remove_images(key for key in self._images.list_keys() if key not in used)
        self._images.remove_partial()
        return count

    def readings(self, limit: int = 50, before: str | None = None) -> list[ReadingSummary]:
        """The most recent readings, newest first. before: only those older than this one, for the next page of a list.

        Raises UnknownReading where `before` is none.
        """
        query = rows.summaries().order_by(ReadingRow.created.desc(), ReadingRow.id.desc()).limit(limit)
        with self._transaction() as session:
            if before is not None:
                last = session.get(ReadingRow, before) if is_identifier(before) else None
                if last is None:
                    raise UnknownReading(before)
                same_time = (ReadingRow.created == last.created) & (ReadingRow.id < last.id)
                query = query.where((ReadingRow.created < last.created) | same_time)
            return [ReadingSummary(*row) for row in session.execute(query)]

    def consented(self) -> list[str]:
        """The ids of the readings that may be used for training, oldest first."""
        query = select(ReadingRow.id).where(ReadingRow.consent).order_by(ReadingRow.created, ReadingRow.id)
        with self._transaction() as session:
            return list(session.scalars(query))

    def statistics(self) -> Statistics:
        """How much is stored."""
        with self._transaction() as session:

            def count(column: Any, *conditions: ColumnElement[bool]) -> int:
                return session.scalar(select(func.count(column)).where(*conditions)) or 0

            return Statistics(
                readings=count(ReadingRow.id),
                consented=count(ReadingRow.id, ReadingRow.consent.is_(True)),
                pages=count(PageRow.number),
                images=count(PageRow.image_key),
                corrections=count(CorrectionRow.id),
                confirmed=count(CorrectionRow.id, CorrectionRow.before == CorrectionRow.after),
            )

    def ping(self) -> None:
        """Return where the database answers and has its tables (they are made where missing), else raise."""
        with self._transaction() as session:
            session.execute(select(1))

    def close(self) -> None:
        """Close the connections. A store that is used again opens new ones."""
        self._database.close()

    def _delete_readings(self, condition: ColumnElement[bool]) -> int:
        chosen = select(ReadingRow.id).where(condition)
        with self._transaction(write=True) as session:
            keys = set(session.scalars(select(PageRow.image_key).where(PageRow.reading.in_(chosen))))
            count = delete_rows(session, ReadingRow, condition)  # pages and corrections go with it
        self._remove_images(key for key in keys if key)
        return count

    def _remove_images(self, keys: Iterable[str]) -> None:
        """Delete the images that no page refers to. A page that is being saved is waited for, or waits for us."""
        for key in sorted(keys):
            with self._transaction(write=True) as session:
                self._lock_image(session, key)
                if session.scalar(select(PageRow.reading).where(PageRow.image_key == key).limit(1)) is None:
                    self._images.delete(key)

    def _lock_image(self, session: Session, key: str) -> None:
        """One transaction at a time has an image; in SQLite, one writes at a time anyway."""
        if self._database.engine.dialect.name == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(key[:15], 16)})


def _pages(session: Session, reading_id: str) -> Sequence[PageRow]:
    return session.scalars(select(PageRow).where(PageRow.reading == reading_id).order_by(PageRow.number)).all()


def _corrections(session: Session, reading_id: str) -> Sequence[CorrectionRow]:
    query = select(CorrectionRow).where(CorrectionRow.reading == reading_id).order_by(CorrectionRow.id)
    return session.scalars(query).all()
