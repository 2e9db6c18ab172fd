"""From readings to features, kept and counted: nothing here may delay or break an answer."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet
from text_recognizer.page import Page
from text_recognizer.recognition.text.language_model import CharacterLanguageModel
from text_recognizer.service.feedback.records import FeedbackUnavailable, utc_now
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.monitoring.features import (
    NUMBERS,
    OutOfVocabularyShare,
    ReadingFeatures,
    RecordedReading,
    reading_features,
)
from text_recognizer.service.monitoring.store import FeatureStore

_WAITING = 2000  # readings that may wait for the database; they are small
_AT_ONCE = 200  # that are stored in one transaction
_AGAIN = 5.0  # seconds until a database that did not take them is tried again
_log = logging.getLogger("text_recognizer.monitoring")


def measured(
    image: NDArray[np.uint8],
    page: Page,
    unit: str,
    milliseconds: float,
    out_of_vocabulary: OutOfVocabularyShare | None = None,
) -> ReadingFeatures | None:
    """The features of a page that was just read, see `reading_features`; None, counted as lost, where they cannot be
    computed."""
    start = time.perf_counter()
    try:
        return reading_features(image, page, utc_now(), unit, milliseconds, out_of_vocabulary)
    except Exception as error:  # the text was read: the client gets it
        metrics.FEATURES_LOST.labels("failed").inc()
        _log.warning("no features of a reading: %r", error)
        return None
    finally:
        metrics.FEATURES_SECONDS.observe(time.perf_counter() - start)


def out_of_vocabulary_share(language: CharacterLanguageModel | None, classes: Alphabet) -> OutOfVocabularyShare | None:
    """A function that gives the out-of-vocabulary share of words; None where the language model has no word list.

    classes: the alphabet of the recogniser; a word with another character is out of vocabulary.
    """
    if language is None or not len(language.words):
        return None
    words = language.words

    def share(texts: Sequence[str]) -> float:
        known = [classes.encode(text) for text in texts if all(character in classes for character in text)]
        return (len(texts) - len(known) + int(words.out_of_vocabulary(known).sum())) / len(texts)

    return share


class FeatureRecorder:
    """Counts features for Prometheus and stores them, in a thread of its own. store: None where nothing is kept.

    While the database is locked, full or away, they wait, 2,000 readings at most; what comes beyond them, and what
    still waits at the end, is lost, and counted.
    """

    def __init__(self, store: FeatureStore | None) -> None:
        self._store = store
        self._waiting: queue.Queue[RecordedReading | None] = queue.Queue(_WAITING)
        self._ended = threading.Event()
        self._away = False
        self._thread = threading.Thread(target=self._serve, name="features", daemon=True)
        if store is not None:
            self._thread.start()

    def record(self, document: str, page: int, features: ReadingFeatures | None) -> None:
        """Take the features of a page; returns at once."""
        if features is None:
            return
        _count(features)
        if self._store is None:
            return
        try:
            self._waiting.put_nowait(RecordedReading(document, page, features))
            metrics.FEATURES_WAITING.inc()
        except queue.Full:
            metrics.FEATURES_LOST.labels("queue").inc()

    def close(self) -> None:
        """Store what waits, as far as the database takes it now, then end the thread."""
        if self._store is None:
            return
        self._ended.set()
        with contextlib.suppress(queue.Full):  # then there is enough to wake it
            self._waiting.put_nowait(None)
        self._thread.join()
        self._store.close()

    def _serve(self) -> None:
        while not self._ended.is_set() or not self._waiting.empty():
            rows = self._next()
            while rows and not self._add(rows):
                if self._ended.is_set():
                    while not self._waiting.empty():
                        rows += self._next()
                    self._lose(len(rows))
                    return
                self._ended.wait(_AGAIN)

    def _next(self) -> list[RecordedReading]:
        """What waits, the oldest first; where nothing does, it is waited for."""
        found = [self._waiting.get()]
        while len(found) < _AT_ONCE and not self._waiting.empty():
            found.append(self._waiting.get())
        return [row for row in found if row is not None]

    def _add(self, rows: list[RecordedReading]) -> bool:
        """Store some; False where they are to be tried again."""
        assert self._store is not None
        try:
            self._store.add(rows)
        except FeedbackUnavailable as error:
            if not self._away:  # once, and not every few seconds
                _log.warning("the features of readings wait for the database: %s", error)
            self._away = True
            return False
        except Exception as error:  # the thread must live
            _log.warning("the features of %d readings cannot be stored: %s", len(rows), error)
            self._lose(len(rows))
            return True
        self._away = False
        metrics.FEATURES_STORED.inc(len(rows))
        metrics.FEATURES_WAITING.dec(len(rows))
        return True

    def _lose(self, count: int) -> None:
        metrics.FEATURES_LOST.labels("store").inc(count)
        metrics.FEATURES_WAITING.dec(count)
        _log.warning("the features of %d readings are lost", count)


def _count(features: ReadingFeatures) -> None:
    for name in NUMBERS:
        value = getattr(features, name)
        if value == value and name in metrics.FEATURES:  # not NaN
            metrics.FEATURES[name].observe(value)
