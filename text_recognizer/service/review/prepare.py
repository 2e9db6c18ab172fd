"""Which lines are to be reviewed, and in which order: worked out once for each page, and kept in the database.

A line is to be reviewed where the recogniser doubts a word of it, or where its page is unlike the usual ones. The
rank is the confidence of the line, as in the labelling queue; on an outlier page it counts half: there the
confidence itself is not to be trusted.

Whether one page lies far outside of what is usual, and in which of its features.

Drift is told of many pages together (`monitoring.drift`); a person looks at one. A number is measured by how far it
lies outside the middle 80 % of the reference, in widths of that middle: of a normal distribution, a width is 2.6
standard deviations, so that a width outside of it is 3.8 from the mean.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, insert, null, select, update
from sqlalchemy.orm import Session

from text_recognizer.recognition.promotion import reading_bundle
from text_recognizer.service.feedback.database import Database, insert_once
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.feedback.tables import PageRow, ReadingRow
from text_recognizer.service.monitoring.alerts import ENDED
from text_recognizer.service.monitoring.features import NOT_COMPARED, OF_THE_MODEL, ReadingFeatures
from text_recognizer.service.monitoring.reference import Reference, find_reference, load_reference
from text_recognizer.service.monitoring.store import FeatureStore
from text_recognizer.service.review.tables import ReviewLine, ReviewPage
from text_recognizer.service.settings import Settings

DOUBTFUL = 0.75  # words below are shaded on the web page (web/js/text.js)
TRUST = 0.5  # what the confidence of a line on an outlier page counts
_ALERTS = 20  # the latest, whose windows count
_FRESH = 10.0  # seconds for which reference and alerts are taken for the latest
_LATE = timedelta(minutes=1)  # in which the features of a reading may still come
_LONGEST = timedelta(hours=3)  # that a document takes to be read: its features are older than its reading
_log = logging.getLogger("text_recognizer.review")

FAR = 1.0  # widths outside, and beyond all that the reference has: a page unlike the usual
FAR_IN_DRIFT = 0.25  # widths outside, of a feature that drifted while the page was read
RARE, RARE_IN_DRIFT = 0.01, 0.1  # of a feature that is a name: its share in the reference, the same two ways


class Preparation:
    """Puts pages into the queue. features: None where none are recorded. Several processes may prepare at once."""

    def __init__(self, database: Database, features: FeatureStore | None, settings: Settings | None) -> None:
        self._database, self._features, self._settings = database, features, settings
        self._usual: tuple[Reference | None, list[DriftWindow], str] = (None, [], "")
        self._until = 0.0

    def some(self, pages: int) -> bool:
        """Take in at most so many new pages, and look at so many; whether there may be more. Raises
        FeedbackUnavailable."""
        return max(self._take_in(pages), self._look(pages)) >= pages

    def _take_in(self, count: int) -> int:
        here = exists().where((ReviewPage.reading == PageRow.reading) & (ReviewPage.page == PageRow.number))
        new = select(PageRow).join(ReadingRow, ReadingRow.id == PageRow.reading)
        new = new.where(ReadingRow.consent.is_(True), PageRow.image_key.is_not(None), ~here)
        with self._database.transaction() as session:
            rows = session.scalars(new.order_by(ReadingRow.created.desc()).limit(count)).all()
            found = [(row.reading, row.number, row.page["lines"]) for row in rows]
        if found:
            with self._database.transaction(write=True) as session:
                for reading, number, lines in found:
                    self._insert(session, reading, number, lines)
        return len(found)

    def _insert(self, session: Session, reading: str, number: int, lines: Sequence[dict[str, Any]]) -> None:
        page = ReviewPage(reading=reading, page=number, strange=[], drifting=[], looked="")
        if not insert_once(session, page):  # another process was faster, or the reading was deleted a moment ago
            return
        rows = [
            {"reading": reading, "page": number, "line": index, **_measured(line)} for index, line in enumerate(lines)
        ]
        if rows:
            session.execute(insert(ReviewLine), rows)

    def _look(self, count: int) -> int:
        """Look for outliers among the pages that were not yet compared with the latest reference and alerts."""
        reference, windows, stamp = self._latest()
        old = select(ReviewPage.reading, ReviewPage.page, ReadingRow.created).where(ReviewPage.looked != stamp)
        old = old.join(ReadingRow, ReadingRow.id == ReviewPage.reading).order_by(ReadingRow.created.desc())
        with self._database.transaction() as session:
            pages = session.execute(old.limit(count)).tuples().all()
        if not pages:
            return 0
        found = {}
        if reference is not None and self._features is not None:
            times = [created for _, _, created in pages]
            names = {reading for reading, _, _ in pages}
            for row in self._features.of(names, min(times) - _LONGEST, max(times) + _LATE):
                found[row.document, row.page] = outlier(row.features, reference, windows)
        soon = utc_now() - _LATE
        known = [(name, page) for name, page, at in pages if reference is None or (name, page) in found or at < soon]
        with self._database.transaction(write=True) as session:
            for name, page in sorted(known):  # in one order, so that two processes never wait for each other
                _keep(session, name, page, found.get((name, page), Outlier()), stamp)
        return len(known)

    def _latest(self) -> tuple[Reference | None, list[DriftWindow], str]:
        """The reference, the windows of alerts, and what changes when they do."""
        if time.monotonic() >= self._until:
            self._usual = self._read_latest()
            self._until = time.monotonic() + _FRESH
        return self._usual

    def _read_latest(self) -> tuple[Reference | None, list[DriftWindow], str]:
        if self._features is None or self._settings is None:
            return None, [], "no features"
        try:
            path = find_reference(self._settings.drift_reference, reading_bundle(self._settings.model, "lines"))
            changed = path.stat().st_mtime_ns if path.is_file() else 0
            reference = load_reference(path)
        except (OSError, ValueError) as error:
            _log.warning("no page is compared with the usual ones: %s", error)
            return None, [], "no reference"
        checks = [one for one in self._features.checks(_ALERTS, alerts_only=True) if one.alert != ENDED]
        windows = [DriftWindow(one.report.start, one.report.end, one.report.drifted) for one in checks]
        version = f"{path} {changed} {[one.id for one in checks]}"
        return reference, windows, hashlib.sha256(version.encode()).hexdigest()[:32]


def _measured(line: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a line as the feedback store has it."""
    sure = float(line["confidence"])
    doubtful = min((float(word["confidence"]) for word in line["words"]), default=sure) < DOUBTFUL
    return {"confidence": sure, "doubtful": doubtful, "rank": sure if doubtful else None}


def _keep(session: Session, reading: str, page: int, found: Outlier, stamp: str) -> None:
    """Keep in what a page is an outlier, and the ranks that follow of its lines."""
    row = session.get(ReviewPage, (reading, page))
    if row is None:
        return
    row.looked = stamp
    strange, drifting = list(found.strange), list(found.drifting)
    if (row.strange, row.drifting) == (strange, drifting):
        return
    row.strange, row.drifting = strange, drifting
    mine: ColumnElement[bool] = (ReviewLine.reading == reading) & (ReviewLine.page == page)
    usual = case((ReviewLine.doubtful, ReviewLine.confidence), else_=null())
    rank = ReviewLine.confidence * TRUST if found else usual
    unseen = {"synchronize_session": False}  # no line is held here
    session.execute(update(ReviewLine).where(mine).values(rank=rank), execution_options=unseen)


@dataclass(frozen=True)
class DriftWindow:
    """A window of readings of which an alert told, and the features that had drifted in it."""

    start: datetime
    end: datetime
    features: Sequence[str]


@dataclass(frozen=True)
class Outlier:
    """Names of the features in which a page lies far outside, the farthest first. strange: of the reference.
    drifting: those that drifted, with the page, in the window of an alert."""

    strange: tuple[str, ...] = ()
    drifting: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.strange or self.drifting)


def outlier(features: ReadingFeatures, reference: Reference, windows: Iterable[DriftWindow] = ()) -> Outlier:
    """In which features a page is an outlier; in none where it cannot be compared: a line crop, or another version."""
    if (features.unit, features.version) != (reference.unit, reference.version):
        return Outlier()
    far = {name: _distance(name, features, reference) for name in _compared(reference)}
    strange = [name for name, (widths, beyond) in far.items() if widths >= FAR and beyond]
    drifted = {name for w in windows if w.start <= features.created <= w.end for name in w.features}
    drifting = [name for name in drifted & far.keys() if far[name][0] >= FAR_IN_DRIFT]

    def farthest(names: list[str]) -> tuple[str, ...]:
        return tuple(sorted(names, key=lambda name: (-far[name][0], name)))

    return Outlier(farthest(strange), farthest(drifting))


def _compared(reference: Reference) -> set[str]:
    return (reference.quantiles.keys() | reference.sample.names.keys()) - NOT_COMPARED - OF_THE_MODEL


def _distance(name: str, features: ReadingFeatures, reference: Reference) -> tuple[float, bool]:
    """How many widths a feature lies outside, and whether it lies beyond all that the reference has."""
    value = getattr(features, name, math.nan)
    if name in reference.sample.names:
        return _rarity(str(value), reference.sample.names[name].tolist())
    if not math.isfinite(value):
        return 0.0, False
    least, low, *_, high, most = reference.quantiles[name]
    width = high - low or most - least or 0.1 * abs(high) or 0.1  # where all were the same, a tenth of it
    return max(0.0, low - value, value - high) / width, not least <= value <= most


def _rarity(value: str, usual: Sequence[str]) -> tuple[float, bool]:
    known = [kind for kind in usual if kind]
    share = known.count(value) / len(known) if value and known else 1.0
    return (FAR if share < RARE else FAR_IN_DRIFT if share < RARE_IN_DRIFT else 0.0), share < RARE
