"""How far a job is, on stderr, and what it has done so far, counted."""

from __future__ import annotations

import heapq
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_EVERY = 15.0  # seconds between lines

_WORST = 5


class Progress:
    """Shows a tally. Use as a context."""

    def __init__(self, tally: Tally) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self.tally = tally
        console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        columns = BarColumn(), TextColumn("{task.description}", markup=False)
        self._bar = Bar(*columns, console=console, transient=True) if console.is_terminal else None
        self._task = self._bar.add_task("loading the models", total=None) if self._bar is not None else None
        self._said = time.monotonic()

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def note(self, message: str) -> None:
        """A line of its own that stays."""
        text = "text-recognizer: " + " ".join(message.split())
        if self._bar is not None:
            self._bar.console.print(text)
        else:
            sys.stderr.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
            sys.stderr.flush()

    def update(self) -> None:
        """Show how far it is now."""
        if self._bar is not None and self._task is not None:
            done, total = self.tally.done, self.tally.total
            self._bar.update(self._task, completed=done, total=total, description=self._text())
        elif time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            self.note(self._text())

    def _text(self) -> str:
        tally = self.tally
        text = f"{tally.done:,} of {tally.total:,} pages, {tally.rate:.2f} a second"
        if tally.left is not None:
            text += f", {duration(tally.left)} left"
        return text + (f", {tally.failed} failed" if tally.failed else "")


@dataclass
class Tally:
    """Numbers of a job.

    total: pages, as far as documents have been opened, and one for each of the others. before: pages that an earlier
    run read; failed_before: that one could not read. failed: pages and documents. text: pages that held text already.
    """

    total: int = 0
    read: int = 0
    failed: int = 0
    before: int = 0
    failed_before: int = 0
    blank: int = 0
    text: int = 0
    passed_over: int = 0
    begin: float = field(default_factory=time.monotonic)
    _sum: float = 0.0
    _worst: list[tuple[float, str]] = field(default_factory=list)

    def add_read(self, name: str, confidence: float | None, text: bool) -> None:
        """Count a page that was read. confidence: None where it is blank."""
        self.read += 1
        self.text += text
        if confidence is None:
            self.blank += 1
            return
        self._sum += confidence
        heapq.heappush(self._worst, (-confidence, name))
        if len(self._worst) > _WORST:
            heapq.heappop(self._worst)

    @property
    def done(self) -> int:
        """Pages that need no more work."""
        return self.read + self.failed + self.before + self.failed_before

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.begin

    @property
    def rate(self) -> float:
        """Pages a second."""
        return (self.read + self.failed) / max(self.seconds, 1e-6)

    @property
    def left(self) -> float | None:
        """Seconds that are left, judged by the pages so far; None before there are any."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None

    @property
    def confidence(self) -> float | None:
        """Mean of the pages that have lines."""
        count = self.read - self.blank
        return self._sum / count if count else None

    def worst(self) -> list[tuple[str, float]]:
        """The pages with the lowest confidences, the lowest first."""
        return [(name, -negative) for negative, name in sorted(self._worst, reverse=True)]

    def lines(self) -> Iterator[str]:
        """The summary, a line at a time."""
        yield f"{_counted(self.read, 'page')} read in {self.seconds:.1f} s, {self.rate:.2f} a second" + (
            f"; {self.before} had been read before" if self.before else ""
        )
        if self.failed:
            yield f"{self.failed} failed: see status and error in the manifest"
        if self.failed_before:
            yield f"{self.failed_before} had failed before: --retry-failed reads them again"
        if self.text:
            yield f"{_counted(self.text, 'page')} held text already; what was read is the picture"
        if self.passed_over:
            yield f"{_counted(self.passed_over, 'file')} hidden or of another kind passed over"
        if self.confidence is not None:
            yield f"mean confidence {self.confidence:.3f}" + (f"; {self.blank} without lines" if self.blank else "")
            if self.read - self.blank > 1:
                yield "least sure: " + ", ".join(f"{name} ({confidence:.2f})" for name, confidence in self.worst())


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
