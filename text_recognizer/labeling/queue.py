"""Which line an annotator is to look at next, and how far everybody has come."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from text_recognizer.labeling.agreement import Agreement, agreement
from text_recognizer.labeling.folder import QueueLine
from text_recognizer.labeling.labels import Label
from text_recognizer.labeling.queue_source import PageSource, QueueSource

#: doubtful: what `label next` chose, then the model's least confidence first. page: as the lines stand. disputed: lines
#: to adjudicate. skipped: what the annotator has passed on.
ORDERS = ("doubtful", "page", "disputed", "skipped")
RESERVED = 300.0  # seconds for which a line that was shown is kept for whom it was shown to
Key = tuple[str, str]  # page, line


@dataclass(frozen=True)
class Task:
    """A line for an annotator. adjudicate: whether annotators dispute it, and this one is to decide. why: it is shown,
    in words."""

    page: str
    line: QueueLine
    adjudicate: bool = False
    why: tuple[str, ...] = ()


@dataclass
class Progress:
    """How far everybody has come with the lines that the model has read.

    lines: all. done: with as many agreeing labels as wanted. disputed: about which annotators differ. second: labelled
    once, and wanted twice. waiting: not labelled yet. by: lines that each annotator has given a label.
    """

    lines: int = 0
    done: int = 0
    disputed: int = 0
    second: int = 0
    waiting: int = 0
    by: Counter[str] = field(default_factory=Counter)


class Queue(Protocol):
    """Lines handed out one by one, as the API wants it: `LabelQueue`, and `review.queue.ReviewQueue`."""

    overlap: float

    @property
    def source(self) -> QueueSource:
        """Where the lines come from."""
        ...

    def next(
        self, annotator: str, order: str = "doubtful", page: str | None = None, passed: Collection[Key] = ()
    ) -> Task | None:
        """The next line for an annotator, reserved; None where there is none at the moment."""
        ...

    def task(self, annotator: str, page: str, line: str) -> Task | None:
        """A certain line, reserved for an annotator, whatever was said of it; None where there is no such line."""
        ...

    def release(self, annotator: str, page: str, line: str) -> None:
        """An annotator has done with a line, or leaves it to others."""
        ...

    def others(self, annotator: str, page: str | None = None) -> bool:
        """Where nothing is left for an annotator: whether that is because others have the last lines in hand."""
        ...

    def progress(self) -> Progress:
        """How far everybody has come."""
        ...

    def pages(self) -> list[tuple[str, int, int]]:
        """Pages to choose from, each with how many lines it has, and how many of them are done."""
        ...

    def recent(self, annotator: str) -> list[Key]:
        """The lines that an annotator labelled last, the oldest first, each once."""
        ...

    def agreement(self) -> Agreement:
        """How far annotators agree on the lines that several have labelled."""
        ...


class LabelQueue:
    """The lines of a source, handed out one by one. Its methods may be called from several threads.

    overlap: share of the lines, from 0 to 1, that two people are to label. seconds: for which a line stays reserved.
    clock: gives the time in seconds. first: gives the lines that were chosen to be labelled before all others
    (`label next`), in their order. Raises ValueError for a share that is none.
    """

    def __init__(
        self,
        source: PageSource,
        overlap: float = 0.0,
        seconds: float = RESERVED,
        clock: Callable[[], float] = time.monotonic,
        first: Callable[[], Sequence[Key]] = tuple,
    ) -> None:
        if not 0 <= overlap <= 1:
            raise ValueError(f"the share of lines that two people label is from 0 to 1, not {overlap:g}")
        self.source, self.overlap = source, overlap
        self._seconds, self._clock, self._first = seconds, clock, first
        self._reserved: dict[Key, dict[str, float]] = {}  # who has a line, and until when
        self._lock = threading.Lock()

    def next(
        self, annotator: str, order: str = "doubtful", page: str | None = None, passed: Collection[Key] = ()
    ) -> Task | None:
        """The next line for an annotator, reserved; None where there is none at the moment.

        order: of `ORDERS`. page: only of this one. passed: lines that are not wanted now. Where nothing is left to
        label, disputed lines come up. Raises ValueError for an unknown order.
        """
        if order not in ORDERS:
            raise ValueError(f"{order!r} is no order of the queue; there are: {', '.join(ORDERS)}")
        with self._lock:
            tasks = [task for task in self._tasks(page) if (task.page, task.line.id) not in passed]
            found = self._choose(tasks, annotator, order)
            if found is not None:
                self._reserve((found.page, found.line.id), annotator)
            return found

    def task(self, annotator: str, page: str, line: str) -> Task | None:
        """A certain line, reserved for an annotator, whatever was said of it; None where there is no such line."""
        with self._lock:
            found = next((one for one in self.source.lines(page) if one.id == line), None)
            if found is None:
                return None
            self._reserve((page, line), annotator)
            return Task(page, found, _is_disputed(found))

    def release(self, annotator: str, page: str, line: str) -> None:
        """An annotator has done with a line, or leaves it to others."""
        with self._lock:
            self._reserved.get((page, line), {}).pop(annotator, None)

    def wanted(self, page: str, line: str) -> int:
        """How many people are to label a line: chosen by its name, so that it is the same tomorrow."""
        digest = hashlib.sha256(f"{page}\n{line}".encode()).digest()
        return 2 if int.from_bytes(digest[:4], "big") < self.overlap * 2**32 else 1

    def others(self, annotator: str, page: str | None = None) -> bool:
        """Where nothing is left for an annotator: whether that is because others have the last lines in hand."""
        with self._lock:
            return any(self._is_open(task, annotator, free=False) for task in self._tasks(page))

    def progress(self, page: str | None = None) -> Progress:
        """How far everybody has come, with all lines or with those of a page."""
        found = Progress()
        for task in self._tasks(page):
            opinions = task.line.opinions
            found.lines += 1
            found.by.update(label.annotator for label in task.line.labels.values() if label.status != "skipped")
            if not opinions:
                found.waiting += 1
            elif _is_disputed(task.line):
                found.disputed += 1
            elif self._has_enough(task):
                found.done += 1
            else:
                found.second += 1
        return found

    def pages(self) -> list[tuple[str, int, int]]:
        """All pages, each with how many lines it has, and how many of them are done."""
        counts = [(page, self.progress(page)) for page in self.source.pages()]
        return [(page, progress.lines, progress.done) for page, progress in counts]

    def recent(self, annotator: str) -> list[Key]:
        """The lines that an annotator labelled last, the oldest first, each once."""
        return recent(self.source.labels(), annotator)

    def agreement(self) -> Agreement:
        """How far annotators agree on the lines that several have labelled."""
        return agreement(task.line.history for task in self._tasks(None) if len(task.line.history) > 1)

    def _tasks(self, page: str | None) -> Iterator[Task]:
        pages = self.source.pages()
        for name in pages if page is None else [page] if page in pages else []:
            for line in self.source.lines(name):
                yield Task(name, line)

    def _choose(self, tasks: list[Task], annotator: str, order: str) -> Task | None:
        if order == "skipped":
            mine = (task for task in tasks if _said(task.line, annotator) == "skipped")
            return next((task for task in mine if self._is_free(task, annotator)), None)
        if order != "disputed":
            left = [task for task in tasks if self._is_open(task, annotator)]
            if left:
                return left[0] if order == "page" else self._most_wanted(left)
        disputed = (task for task in tasks if _is_disputed(task.line) and self._is_free(task, annotator))
        found = next(disputed, None)
        return None if found is None else Task(found.page, found.line, adjudicate=True)

    def _most_wanted(self, tasks: list[Task]) -> Task:
        """What was chosen before, else in the order of doubt; the first of those that are equally doubtful."""
        ranks = {key: rank for rank, key in enumerate(self._first())}
        return min(tasks, key=lambda task: (ranks.get((task.page, task.line.id), len(ranks)), task.line.confidence))

    def _is_open(self, task: Task, annotator: str, free: bool = True) -> bool:
        """Whether this annotator may label a line that wants a label. free: and it is in nobody else's hands."""
        if annotator in task.line.labels or self._has_enough(task):
            return False
        holders = self._holders(task, annotator) if free else 0
        return len(task.line.opinions) + holders < self.wanted(task.page, task.line.id)

    def _has_enough(self, task: Task) -> bool:
        adjudicated = any(label.origin == "adjudication" for label in task.line.opinions)
        return adjudicated or len(task.line.opinions) >= self.wanted(task.page, task.line.id)

    def _is_free(self, task: Task, annotator: str) -> bool:
        return not self._holders(task, annotator)

    def _holders(self, task: Task, annotator: str) -> int:
        """How many others have a line."""
        until = self._reserved.get((task.page, task.line.id), {})
        return sum(end > self._clock() for who, end in until.items() if who != annotator)

    def _reserve(self, key: Key, annotator: str) -> None:
        """Keep a line for an annotator, who looks at one line at a time."""
        now = self._clock()
        for holders in self._reserved.values():
            holders.pop(annotator, None)
        self._reserved = {one: holders for one, holders in self._reserved.items() if holders}
        self._reserved.setdefault(key, {})[annotator] = now + self._seconds


def recent(labels: Sequence[Label], annotator: str, count: int = 100) -> list[Key]:
    """The lines that an annotator labelled last, of labels in order of time: the oldest first, each once."""
    found: dict[Key, None] = {}
    for label in labels:
        if label.annotator == annotator:
            found.pop((label.page, label.line), None)
            found[(label.page, label.line)] = None
    return list(found)[-count:]


def _is_disputed(line: QueueLine) -> bool:
    return bool(line.opinions) and line.final is None


def _said(line: QueueLine, annotator: str) -> str:
    """The status that an annotator has given a line; "" for none."""
    label = line.labels.get(annotator)
    return label.status if label else ""
