"""The review queue as the labelling queue's API wants it: what one person who asks may see."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence

from fastapi import Request

from text_recognizer.labeling.agreement import Agreement
from text_recognizer.labeling.pages import UnknownPage
from text_recognizer.labeling.queue import Key, Progress, Task
from text_recognizer.service.annotation.api import QueueState
from text_recognizer.service.feedback.rows import MAX_CHARACTERS
from text_recognizer.service.http import api
from text_recognizer.service.http.problems import Problem
from text_recognizer.service.review.prepare import DOUBTFUL
from text_recognizer.service.review.source import KeptPage, ReviewPictures, ReviewSource, page_name, place_of
from text_recognizer.service.review.store import Place, Wish

_NAMED = 4  # features in a reason


class ReviewQueue:
    """A `labeling.queue.queue.Queue` of the readings of a source, for one request."""

    overlap = 0.0  # a line is done once one person has said what it is

    def __init__(self, source: ReviewSource) -> None:
        self.source = source
        self._store, self._owner = source.store, source.owner

    def next(
        self, annotator: str, order: str = "doubtful", page: str | None = None, passed: Collection[Key] = ()
    ) -> Task | None:
        """See `Queue`. The whole reading is reserved. page: raises UnknownPage where it is not there any more."""
        left_out = frozenset(_place(*key) for key in passed if key[1].isdecimal())
        chosen = None if page is None else place_of(page)
        if page is not None:
            self.source.kept(page)
        while (place := self._store.next(Wish(annotator, self._owner, order, chosen, left_out))) is not None:
            with contextlib.suppress(UnknownPage):  # deleted since: it does not come again
                return self._task(page_name(*place[:2]), place[2])
        return None

    def task(self, annotator: str, page: str, line: str) -> Task | None:
        """See `Queue`. Raises UnknownPage."""
        kept = self.source.kept(page)
        if not line.isascii() or not line.isdecimal() or int(line) >= len(kept.page.lines):
            return None
        self._store.reserve(kept.reading, annotator)
        return self._task(page, int(line))

    def release(self, annotator: str, page: str, line: str) -> None:  # noqa: ARG002
        """See `Queue`."""
        self._store.release(place_of(page)[0], annotator)

    def others(self, annotator: str, page: str | None = None) -> bool:
        """See `Queue`."""
        chosen = None if page is None else place_of(page)
        return self._store.others(Wish(annotator, self._owner, page=chosen))

    def progress(self) -> Progress:
        """See `Queue`. Counts may be a moment old where there are many lines."""
        return self._store.progress(self._owner)

    def pages(self) -> list[tuple[str, int, int]]:
        """The pages whose lines come first, each with how many lines it has, and how many of them are done."""
        rows = self._store.pages(self._owner)
        return [(page_name(reading, number), lines, done) for reading, number, lines, done in rows]

    def recent(self, annotator: str) -> list[Key]:
        """See `Queue`."""
        places = self._store.recent(annotator, self._owner)
        return [(page_name(reading, page), str(line)) for reading, page, line in places]

    def agreement(self) -> Agreement:
        """Nothing: no line is given to two people."""
        return Agreement()

    def _task(self, page: str, number: int) -> Task:
        line = self.source.lines(page)[number]
        return Task(page, line, why=why(self.source.kept(page), number))


def why(kept: KeptPage, number: int) -> tuple[str, ...]:
    """Why a line is to be looked at, in words."""
    line = kept.page.lines[number]
    reasons = [f"confidence {line.confidence:.0%}".replace("%", " %")]
    weakest = min(line.words, key=lambda word: word.confidence, default=None)
    if weakest is not None and weakest.confidence < DOUBTFUL:
        reasons.append(f"least sure of “{weakest.text}”: {round(100 * weakest.confidence)} %")
    if kept.strange:
        reasons.append(f"unlike the usual pages: {_listed(kept.strange)}")
    if kept.drifting:
        reasons.append(f"part of a drift: {_listed(kept.drifting)}")
    if any(made.line == number for made in kept.corrections):
        reasons.append("corrected already" if _is_whole(kept, number) else "a word of it was corrected")
    return tuple(reasons)


def _is_whole(kept: KeptPage, number: int) -> bool:
    return [made.word for made in kept.corrections if made.line == number][-1] is None


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(name.replace("_", " ") for name in names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _place(page: str, line: str) -> Place:
    return (*place_of(page), int(line))


def review_of(request: Request) -> QueueState:
    """The queue for whoever asks: on a server with keys the readings of the key, or all where it is a reviewer's.

    Raises `Problem` 401 for a wrong key, 404 where the server keeps no readings.
    """
    server = api.state(request)
    key = api.key_name(request)
    if server.reviews is None:
        raise Problem(404, "this server keeps no readings that could be reviewed")
    owner = None if key is None or key in server.settings.reviewers else key
    source = ReviewSource(server.reviews, api.store(request), owner)
    return QueueState(
        ReviewQueue(source),
        None,
        ReviewPictures(source, server.decoded),
        server.reading.alphabet,
        key or "",
        known=key is not None,
        kind="review",
        longest=MAX_CHARACTERS,
        orders=("doubtful", "page", "skipped"),
    )
