"""A candidate that reads a share of the requests once more, in the background, where nobody waits for it."""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from text_recognizer.labeling.agreement import edits
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer, ReadLine
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.reading.batching import SeenLines
from text_recognizer.service.reading.comparisons import Comparison, ComparisonStore

_WAITING = 8  # pages whose lines may wait: they are pictures, and take room
_PAUSE = 0.05  # seconds between two looks whether there is a core to spare
_log = logging.getLogger("text_recognizer.models")


class Shadow:
    """Reads lines with a candidate, on one core, while there is one to spare, and records how the readings differ.

    spare: tells whether there is a core to spare. store: None where nothing is kept. Raises BundleError.
    """

    def __init__(
        self, lines: str, language: str | None, spare: Callable[[], bool], store: ComparisonStore | None
    ) -> None:
        self._reader: LineTextRecognizer = LineTextRecognizer(lines, 1, language)
        self.identity = self._reader.bundle.identity
        self._spare, self._store = spare, store
        self._waiting: queue.Queue[tuple[str, str, SeenLines]] = queue.Queue(_WAITING)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="shadow", daemon=True)
        self._thread.start()

    def offer(self, document: str, present: str, seen: SeenLines) -> None:
        """Take the lines of a page that the model in use has read; returns at once. Where there is too much to do,
        they are dropped, and counted."""
        if not seen.crops:
            return
        try:
            self._waiting.put_nowait((document, present, seen))
        except queue.Full:
            metrics.SHADOW_PAGES.labels("dropped").inc()

    def close(self) -> None:
        """End, whatever still waits."""
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                document, present, seen = self._waiting.get(timeout=_PAUSE)
            except queue.Empty:
                continue
            while not self._spare() and not self._ended.is_set():
                self._ended.wait(_PAUSE)
            if not self._ended.is_set():
                self._compare(document, present, seen)

    def _compare(self, document: str, present: str, seen: SeenLines) -> None:
        try:
            start = time.perf_counter()
            found = self._reader.read(seen.crops, consecutive=seen.consecutive, use_language=seen.use_language)
            seconds = time.perf_counter() - start
            comparison = compared(document, (present, self.identity), seen, found, seconds)
            _count(comparison)
            if self._store is not None:
                self._store.add(comparison)
            metrics.SHADOW_PAGES.labels("compared").inc()
        except Exception as error:  # the thread must live
            metrics.SHADOW_PAGES.labels("failed").inc()
            _log.warning("a page was not compared with the candidate's reading: %s", type(error).__name__)


def compared(
    document: str, models: tuple[str, str], seen: SeenLines, found: Sequence[ReadLine], seconds: float
) -> Comparison:
    """How two readings of the same lines differ. models: identities of the one in use and the candidate; seconds: that
    the candidate took."""
    pairs = [(one.text, other.text) for one, other in zip(seen.readings, found, strict=True)]
    return Comparison(
        created=utc_now(),
        document=document,
        present=models[0],
        candidate=models[1],
        lines=len(pairs),
        same=sum(one == other for one, other in pairs),
        characters=sum(len(one) for one, _ in pairs),
        edits=sum(edits(one, other) for one, other in pairs),
        present_confidence=_mean(seen.readings),
        candidate_confidence=_mean(found),
        present_milliseconds=1000 * seen.seconds,
        candidate_milliseconds=1000 * seconds,
    )


def _mean(lines: Sequence[ReadLine]) -> float:
    return sum(line.confidence for line in lines) / len(lines)


def _count(found: Comparison) -> None:
    metrics.SHADOW_RATE.observe(found.rate)
    for model, confidence, milliseconds in (
        ("present", found.present_confidence, found.present_milliseconds),
        ("candidate", found.candidate_confidence, found.candidate_milliseconds),
    ):
        metrics.SHADOW_CONFIDENCE.labels(model).observe(confidence)
        metrics.SHADOW_SECONDS.labels(model).observe(milliseconds / 1000)


def in_share(request: str, share: float, purpose: str) -> bool:
    """Whether a request is among a share, from 0 to 1, of all. purpose: shares of different ones are independent."""
    digest = hashlib.sha256(f"{purpose} {request}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64
