"""Lines of pages that are read at the same time go through the network together.

A network is fastest on full batches, and one page seldom fills them: its lines differ in width. Here the
lines of all pages in hand are collected by width. A batch goes off when it is full, when it has waited for
its deadline, or at once when no further lines are on their way. Lines that a network reads each by itself wait for
nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer, ReadLine
from text_recognizer.service.monitoring import metrics

_Logits = NDArray[np.float32]


@dataclass
class _Job:
    """A normalised line that waits for its logits."""

    image: NDArray[np.uint8]
    due: float
    logits: Future[_Logits] = field(default_factory=Future)


@dataclass(frozen=True)
class SeenLines:
    """Crops of lines as they were read at one time, how, and what came of it. seconds: that it took."""

    crops: Sequence[NDArray[np.uint8]]
    consecutive: bool
    use_language: bool
    readings: Sequence[ReadLine]
    seconds: float


class BatchingLineReader(LineTextRecognizer):
    """A `LineTextRecognizer` whose network runs in threads of its own, on lines of whoever asks.

    lines: of a batch at most. seconds: that a line waits at most for others of its bucket (lines of one padded
    width). runners: threads that run the network. Call `close()` at the end: what is asked for by then is still read.
    """

    def __init__(
        self,
        bundle: str = "lines",
        threads: int | None = None,
        lines: int = 16,
        seconds: float = 0.005,
        runners: int = 1,
        language: str | None = None,
    ) -> None:
        super().__init__(bundle, threads, language)
        self._batch, self._seconds = lines, seconds
        self._waiting: dict[int, list[_Job]] = {}  # by bucket, oldest first
        self._changed = threading.Condition()
        self._coming = 0  # pages whose lines are still being found
        self._here = threading.local()
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, name=f"lines-{k}", daemon=True) for k in range(runners)]
        for thread in self._threads:
            thread.start()

    @contextmanager
    def page_on_its_way(self) -> Iterator[None]:
        """Until this thread asks for the logits of a page's lines, batches may wait for them."""
        with self._changed:
            self._coming += 1
        self._here.expected = True
        try:
            yield
        finally:
            with self._changed:
                self._arrive()

    @contextmanager
    def lines_kept(self) -> Iterator[list[SeenLines]]:
        """A list that takes what this thread has read meanwhile, for a comparison with another model."""
        self._here.kept = []
        try:
            yield self._here.kept
        finally:
            self._here.kept = None

    def read(
        self,
        crops: Sequence[NDArray[np.uint8]],
        batch_size: int = 16,
        consecutive: bool = False,
        use_language: bool = True,
    ) -> list[ReadLine]:
        """Read line crops, see the base class."""
        start = time.perf_counter()
        found = super().read(crops, batch_size, consecutive, use_language)
        if (kept := getattr(self._here, "kept", None)) is not None:
            kept.append(SeenLines(crops, consecutive, use_language, found, time.perf_counter() - start))
        return found

    def _arrive(self) -> None:
        """This thread's page has arrived, or never will. Call with the lock held."""
        if getattr(self._here, "expected", False):
            self._here.expected = False
            self._coming -= 1
            self._changed.notify_all()

    def view_logits(self, images: Sequence[NDArray[np.uint8]], batch_size: int = 16) -> list[_Logits]:  # noqa: ARG002
        """CTC logits (T, K) of normalised images (height, W), each cut to its own frames; see the base class."""
        due = time.monotonic() + self._seconds
        jobs = [_Job(image, due) for image in images]
        with self._changed:
            if self._closed:
                raise RuntimeError("the line reader is closed")
            self._arrive()
            for job in jobs:
                self._waiting.setdefault(self.bucket(job.image), []).append(job)
            self._changed.notify_all()
        return [job.logits.result() for job in jobs]

    def close(self) -> None:
        """Read what waits, then end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (taken := self._next_batch()) is not None:
            metrics.BATCH_LINES.observe(len(taken))
            self._run(taken)

    def _run(self, jobs: list[_Job]) -> None:
        try:
            outputs = self.batch_logits([job.image for job in jobs])
            answered = list(zip(jobs, outputs, strict=True))
        except Exception as error:  # whoever waits must hear of it, and the thread must live
            if len(jobs) == 1:
                jobs[0].logits.set_exception(error)
                return
            for job in jobs:  # one by one, so that nobody suffers for another's line
                self._run([job])
            return
        for job, output in answered:
            job.logits.set_result(output)

    def _next_batch(self) -> list[_Job] | None:
        """The batch to run next; waits for one. None when closed and empty."""
        with self._changed:
            while True:
                bucket = self._ready()
                if bucket is not None:
                    jobs = self._waiting.pop(bucket)
                    if len(jobs) > self._batch:
                        self._waiting[bucket] = jobs[self._batch :]
                    return jobs[: self._batch]
                if self._closed and not self._waiting:
                    return None
                self._changed.wait(self._patience())

    def _ready(self) -> int | None:
        """The bucket whose batch should go now: a full one where lines may still come, else the oldest."""
        if not self._waiting:
            return None
        full = [bucket for bucket, jobs in self._waiting.items() if len(jobs) >= self._batch]
        if full:
            return full[0]
        oldest = min(self._waiting, key=lambda bucket: self._waiting[bucket][0].due)
        alone = self._coming == 0 or self._closed or self.session.alone
        return oldest if alone or self._waiting[oldest][0].due <= time.monotonic() else None

    def _patience(self) -> float | None:
        """Seconds until the oldest line is due; None where none waits."""
        if not self._waiting:
            return None
        return max(0.0, min(jobs[0].due for jobs in self._waiting.values()) - time.monotonic())
