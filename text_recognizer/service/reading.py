"""Reading for many at once: a bounded queue of pages, a few threads that read them, one batched network."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from text_recognizer.page import Page
from text_recognizer.recognition.bundle import available_cores
from text_recognizer.recognition.detector import OWN_DETECTOR
from text_recognizer.recognition.lines import OWN_LANGUAGE
from text_recognizer.recognition.recognizer import TextRecognizer
from text_recognizer.service import metrics
from text_recognizer.service.batching import BatchingLineReader
from text_recognizer.service.results import read_line

Unit = Literal["page", "line"]
OpenPage = Callable[[], NDArray[np.uint8]]


class Busy(Exception):  # noqa: N818
    """The queue is full. retry_after: seconds after which it is worth trying again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue of pages is full; try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Reading:
    """A page as it was read, its image as uint8 pixels, and the milliseconds it took once its turn came."""

    page: Page
    pixels: NDArray[np.uint8]
    milliseconds: float


class ReadingService:
    """Reads pages in a few threads; the lines of pages in hand share the network's batches.

    queue_pages: pages that may wait or be in hand, beyond which `submit` raises `Busy`. readers: pages read
    at the same time. threads: of each run of a network.
    """

    def __init__(
        self,
        lines: str = "lines",
        detector: str = OWN_DETECTOR,
        queue_pages: int = 64,
        readers: int = 0,
        threads: int = 0,
        batch_lines: int = 16,
        batch_seconds: float = 0.005,
        language: str | None = OWN_LANGUAGE,
    ) -> None:
        threads = threads or available_cores()
        self._line_reader = BatchingLineReader(lines, threads, batch_lines, batch_seconds, language=language)
        self._recognizer = TextRecognizer(self._line_reader, detector, threads)
        self.models = self.models_of(use_language=True)
        self.bundles = [self._recognizer.detector.bundle, *self._recognizer.line_bundles().values()]
        self._readers = readers or available_cores()
        self._pool = ThreadPoolExecutor(self._readers, "reader")
        self._limit, self._taken = queue_pages, 0
        self._lock = threading.Lock()
        self._page_seconds = 0.5  # running mean, for honest advice on when to come back
        self._closed = False
        metrics.MODEL.labels(**({"language": "none"} | self.models)).set(1)

    def models_of(self, use_language: bool) -> dict[str, str]:
        """Identities of the models that read, with the language model or without it."""
        return {"detector": self._recognizer.detector.bundle.identity} | self._recognizer.line_models(use_language)

    @property
    def in_hand(self) -> int:
        """Pages waiting or being read."""
        return self._taken

    @property
    def parallel(self) -> int:
        """Pages of one document that are worth asking for at the same time."""
        return self._readers

    def check_room(self) -> None:
        """Raises `Busy` where `submit` would."""
        if self._taken >= self._limit:
            raise self._busy()

    def submit(self, open_page: OpenPage, unit: Unit = "page", use_language: bool = True) -> Future[Reading]:
        """Ask for a page to be read: its image is opened in the reading thread, when its turn comes.

        open_page: gives uint8 (H, W) or (H, W, 3); what it raises is what the future raises. use_language: whether the
        language model, if there is one, has its say. Raises `Busy` where the queue is full, and RuntimeError after
        `close`.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the reading service is closed")
            if self._taken >= self._limit:
                raise self._busy()
            self._taken += 1
            metrics.QUEUE_PAGES.set(self._taken)
            future = self._pool.submit(self._read, open_page, unit, use_language)
        future.add_done_callback(self._done)
        return future

    def close(self) -> None:
        """Read what was asked for, refuse what comes later."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=True)
        self._line_reader.close()

    def _busy(self) -> Busy:
        return Busy(max(1, math.ceil(self._page_seconds * self._taken / self._readers)))

    def _done(self, _: Future[Reading]) -> None:
        with self._lock:
            self._taken -= 1
            metrics.QUEUE_PAGES.set(self._taken)

    def _read(self, open_page: OpenPage, unit: Unit, use_language: bool) -> Reading:
        start = time.perf_counter()
        with self._line_reader.page_on_its_way():
            pixels = open_page()
            if unit == "line":
                page = read_line(self._recognizer, pixels, use_language)
            else:
                page = self._recognizer.read(pixels, use_language)
        seconds = time.perf_counter() - start
        self._page_seconds += 0.1 * (seconds - self._page_seconds)
        metrics.PAGES.labels(unit).inc()
        metrics.LINES.inc(len(page.lines))
        metrics.PAGE_SECONDS.observe(seconds)
        metrics.CONFIDENCE.observe(page.confidence)
        return Reading(page, pixels, 1000 * seconds)
