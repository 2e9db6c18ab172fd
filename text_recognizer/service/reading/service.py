"""Reading for many at once: a bounded queue of pages, a few threads that read them, one batched network."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from text_recognizer.alphabet import Alphabet
from text_recognizer.page import Page
from text_recognizer.recognition.bundle import Bundle, available_cores
from text_recognizer.recognition.layout.detector import OWN_DETECTOR
from text_recognizer.recognition.text.line_recognizer import OWN_LANGUAGE
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.monitoring.features import ReadingFeatures
from text_recognizer.service.monitoring.recorder import measured
from text_recognizer.service.reading.models import LoadedModels
from text_recognizer.service.reading.shadow import in_share

if TYPE_CHECKING:
    from text_recognizer.service.reading.shadow import Shadow

Unit = Literal["page", "line"]
OpenPage = Callable[[], NDArray[np.uint8]]


class Busy(Exception):  # noqa: N818
    """The queue is full. retry_after: seconds after which it is worth trying again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue of pages is full; try again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Reading:
    """A page as it was read, its image as uint8 pixels, the milliseconds it took once its turn came, and its features
    where they were asked for."""

    page: Page
    pixels: NDArray[np.uint8]
    milliseconds: float
    features: ReadingFeatures | None = None


@dataclass
class Turn:
    """What reads a document, from its first page to its last.

    candidate: whether that is the candidate. shadowed: whether the candidate reads its lines again. read_by: what has
    read in place of a candidate that could not.
    """

    document: str
    models: LoadedModels
    candidate: bool = False
    shadowed: bool = False
    read_by: LoadedModels | None = None

    def models_of(self, use_language: bool) -> dict[str, str]:
        """Identities of the models that have read."""
        return (self.read_by or self.models).models_of(use_language)


class ReadingService:
    """Reads pages in a few threads; the lines of pages in hand share the network's batches.

    queue_pages: pages that may wait or be in hand, beyond which `submit` raises `Busy`. readers: pages read
    at the same time. threads: of each run of a network. features: whether those of each page are computed.
    shadow_share: of documents that the shadow is offered, where there is one. canary_share: of documents that the
    candidate reads instead, where there is one.
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
        features: bool = False,
        shadow_share: float = 0.0,
        canary_share: float = 0.0,
    ) -> None:
        self._cores = threads or available_cores()
        self._loading = (self._cores, batch_lines, batch_seconds, language)
        self._present = self.load(lines, detector)
        self._candidate: LoadedModels | None = None
        self.shadow: Shadow | None = None
        self._shadow_share, self._canary_share = shadow_share, canary_share
        self._features = features
        self._readers = readers or available_cores()
        self._pool = ThreadPoolExecutor(self._readers, "reader")
        self._limit, self._taken = queue_pages, 0
        self._lock = threading.Lock()
        self._page_seconds = 0.5  # running mean, for honest advice on when to come back
        self._closed = False
        _announce(self._present, 1)

    @property
    def models(self) -> dict[str, str]:
        """Identities of the models in use."""
        return self._present.models_of()

    @property
    def alphabet(self) -> Alphabet:
        """The characters that the line recogniser in use knows."""
        return self._present.line_reader.alphabet

    @property
    def bundles(self) -> list[Bundle]:
        """The bundles of the models in use."""
        return self._present.bundles

    def load(self, lines: str, detector: str) -> LoadedModels:
        """Other models with the settings of this service; nothing reads with them yet. Raises BundleError."""
        return LoadedModels(lines, detector, *self._loading)

    def swap(self, models: LoadedModels) -> None:
        """Read with other models from now on; documents in hand are read to their end by those that began them."""
        with self._lock:
            before, self._present = self._present, models
        _announce(before, 0)
        _announce(models, 1)
        before.retire()

    def change_candidate(self, models: LoadedModels | None) -> None:
        """Give the candidate's share of documents to these models; None: to nobody."""
        with self._lock:
            before, self._candidate = self._candidate, models
        if before is not None:
            before.retire()

    @contextmanager
    def turn(self, document: str, request: str = "") -> Iterator[Turn]:
        """What reads a document, held until its end. request: by which it is chosen whether that is the candidate."""
        with self._lock:
            canary = self._candidate if in_share(request, self._canary_share, "canary") else None
            models = (canary or self._present).take()
        shadowed = canary is None and in_share(request, self._shadow_share, "shadow")
        try:
            yield Turn(document, models, canary is not None, shadowed)
        finally:
            models.give_back()

    def has_spare_core(self) -> bool:
        """Whether fewer pages are in hand than there are cores."""
        return self._taken < self._cores

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

    def submit(
        self, open_page: OpenPage, unit: Unit = "page", use_language: bool = True, turn: Turn | None = None
    ) -> Future[Reading]:
        """Ask for a page to be read: its image is opened in the reading thread, when its turn comes.

        open_page: gives uint8 (H, W) or (H, W, 3); what it raises is what the future raises. use_language: whether the
        language model, if there is one, has its say. turn: of the document; by default the models in use read it.
        Raises `Busy` where the queue is full, and RuntimeError after `close`.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("the reading service is closed")
            if self._taken >= self._limit:
                raise self._busy()
            self._taken += 1
            metrics.QUEUE_PAGES.set(self._taken)
            own = turn or Turn("", self._present)
            models = own.models.take()  # a document may be given up while its pages wait here
            future = self._pool.submit(self._read, open_page, unit, use_language, own)
        future.add_done_callback(lambda _: self._done(models))
        return future

    def close(self) -> None:
        """Read what was asked for, refuse what comes later."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=True)
        self.change_candidate(None)
        self._present.line_reader.close()

    def _busy(self) -> Busy:
        return Busy(max(1, math.ceil(self._page_seconds * self._taken / self._readers)))

    def _done(self, models: LoadedModels) -> None:
        models.give_back()
        with self._lock:
            self._taken -= 1
            metrics.QUEUE_PAGES.set(self._taken)

    def _read(self, open_page: OpenPage, unit: Unit, use_language: bool, turn: Turn) -> Reading:
        try:
            return self._read_with(turn.models, open_page, unit, use_language, turn)
        except Exception:
            if not turn.candidate:
                raise
        with self._lock:  # whatever the candidate could not do, the models in use can, or say why not
            present = self._present.take()
        try:
            found = self._read_with(present, open_page, unit, use_language, turn)
        finally:
            present.give_back()
        turn.read_by = present
        metrics.CANARY_PAGES.labels("failed").inc()
        return found

    def _read_with(
        self, models: LoadedModels, open_page: OpenPage, unit: Unit, use_language: bool, turn: Turn
    ) -> Reading:
        start = time.perf_counter()
        with models.line_reader.page_on_its_way(), models.line_reader.lines_kept() as seen:
            pixels = open_page()
            page = models.read(pixels, unit, use_language)
        seconds = time.perf_counter() - start
        self._page_seconds += 0.1 * (seconds - self._page_seconds)
        metrics.PAGES.labels(unit).inc()
        metrics.LINES.inc(len(page.lines))
        metrics.PAGE_SECONDS.observe(seconds)
        metrics.CONFIDENCE.observe(page.confidence)
        self._compare(models, turn, page.confidence, seconds)
        if turn.shadowed and (shadow := self.shadow) is not None:
            for lines in seen:
                shadow.offer(turn.document, models.models_of()["lines"], lines)
        found = measured(pixels, page, unit, 1000 * seconds, models.out_of_vocabulary) if self._features else None
        return Reading(page, pixels, 1000 * seconds, found)

    def _compare(self, models: LoadedModels, turn: Turn, confidence: float, seconds: float) -> None:
        """Count what candidate and models in use do, while there is a candidate."""
        if self._candidate is None:
            return
        reader = "candidate" if turn.candidate and models is turn.models else "present"
        metrics.CANARY_PAGES.labels(reader).inc()
        metrics.CANARY_SECONDS.labels(reader).observe(seconds)
        metrics.CANARY_CONFIDENCE.labels(reader).observe(confidence)


def _announce(models: LoadedModels, present: int) -> None:
    metrics.MODEL.labels(**({"language": "none"} | models.models_of())).set(present)
    for bundle in models.bundles if present else ():
        metrics.MODEL_EXPORTED.labels(bundle.task).set(bundle.exported)
