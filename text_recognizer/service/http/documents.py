"""From what was asked to what is answered: documents read page by page, in order, a few pages ahead."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
import numpy as np
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool

from text_recognizer.images import Document
from text_recognizer.images.document import encoded_page, is_shown_by_browsers
from text_recognizer.page import Page
from text_recognizer.service.feedback import FeedbackStore, FeedbackUnavailable, StoredPage, StoredReading
from text_recognizer.service.http.problems import as_problem
from text_recognizer.service.http.requests import Source
from text_recognizer.service.http.schemas import Options
from text_recognizer.service.http.streams import Event, end_tasks, in_order
from text_recognizer.service.monitoring.features import ReadingFeatures
from text_recognizer.service.monitoring.recorder import FeatureRecorder
from text_recognizer.service.payloads import predict_result
from text_recognizer.service.reading.service import Busy, ReadingService, Turn
from text_recognizer.service.settings import Settings

_FETCHES = 8  # addresses that are fetched at the same time
_PATIENCE = 60.0  # seconds that a page of a document in progress waits for room in the queue


@dataclass
class ReadPage:
    """A page as it was read. encoded: its image as JPEG, where it is to be kept or shown."""

    page: Page
    milliseconds: float
    encoded: bytes | None
    picture: bool
    features: ReadingFeatures | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields of `schemas.PageReading`."""
        found = predict_result(self.page) | {"milliseconds": round(self.milliseconds, 1)}
        if self.picture and self.encoded:
            found["picture"] = "data:image/jpeg;base64," + base64.b64encode(self.encoded).decode()
        return found


@dataclass
class DocumentReading:
    """A document while and after it is read."""

    options: Options
    owner: str | None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    pages: list[ReadPage] = field(default_factory=list)

    def to_dict(self, models: dict[str, str], stored: bool) -> dict[str, Any]:
        """The fields of `schemas.Prediction`."""
        weights = [max(1, len(page.page.text)) for page in self.pages]
        conf = sum(w * p.page.confidence for w, p in zip(weights, self.pages, strict=True)) / sum(weights)
        milliseconds = round(sum(page.milliseconds for page in self.pages), 1)
        common = {"id": self.id, "model": models, "stored": stored}
        if len(self.pages) == 1:
            return self.pages[0].to_dict() | common
        pages = [page.to_dict() for page in self.pages]
        pred = "\n\n".join(page["pred"] for page in pages)
        return {"pred": pred, "conf": round(conf, 4), "pages": pages, "milliseconds": milliseconds} | common


class DocumentReader:
    """Reads what is asked for with the reading service, and keeps it where that is asked for."""

    def __init__(
        self,
        settings: Settings,
        service: ReadingService,
        store: FeedbackStore | None,
        recorder: FeatureRecorder | None = None,
    ) -> None:
        self.settings, self.service, self.store = settings, service, store
        self.recorder = recorder or FeatureRecorder(None)
        self._fetching = anyio.CapacityLimiter(_FETCHES)

    async def read(self, source: Source, options: Options, owner: str | None, request: str = "") -> dict[str, Any]:
        """Read one document whole: the fields of `schemas.Prediction`. What goes wrong is raised.

        request: its identifier, by which it is chosen what reads.
        """
        self.service.check_room()
        found = DocumentReading(options, owner)
        with self.service.turn(found.id, request) as turn:
            return await self._read(source, found, turn)

    async def _read(self, source: Source, found: DocumentReading, turn: Turn) -> dict[str, Any]:
        document = await self._open(source)
        try:
            async with aclosing(self._pages(document, found.options, turn, patient=False)) as pages:
                async for page in pages:
                    if isinstance(page, Exception):
                        raise page
                    self.recorder.record(found.id, len(found.pages), page.features)
                    found.pages.append(page)
        finally:
            await _close(document)
        models = turn.models_of(found.options.language_model)
        stored = await self._keep(found, models)
        return await run_in_threadpool(found.to_dict, models, stored)

    async def stream(
        self, sources: list[Source], options: Options, owner: str | None, request: str = ""
    ) -> AsyncGenerator[Event]:
        """Read documents, in order: an event for each that is opened, each page, each failure, and the end. request: as
        of `read`."""
        pages = errors = 0
        documents = (self._document_events(source, options, owner, request) for source in sources)
        async with aclosing(in_order(documents, self.service.parallel)) as events:
            async for index, event in events:
                pages += event["event"] == "page"
                errors += event["event"] == "error"
                yield {"index": index} | event
        yield {"event": "end", "documents": len(sources), "pages": pages, "errors": errors}

    async def _open(self, source: Source) -> Document:
        """See `Source.open`. Fetching has few threads of its own: servers that stall must not take everybody's."""
        limiter = self._fetching if source.url is not None else None
        return await anyio.to_thread.run_sync(source.open, self.settings, limiter=limiter)

    async def _document_events(
        self, source: Source, options: Options, owner: str | None, request: str
    ) -> AsyncGenerator[dict[str, Any]]:
        found = DocumentReading(options, owner)
        with self.service.turn(found.id, request) as turn:
            async with aclosing(self._events(source, found, turn)) as events:
                async for event in events:
                    yield event

    async def _events(self, source: Source, found: DocumentReading, turn: Turn) -> AsyncGenerator[dict[str, Any]]:
        try:
            document = await self._open(source)
        except Exception as error:  # told to the client, the next document is read
            yield {"event": "error", "name": source.name, "problem": as_problem(error).to_dict()}
            return
        common = {"id": found.id, "name": source.name, "pages": len(document)}
        errors = 0
        try:
            yield {"event": "document"} | common
            async with aclosing(self._pages(document, found.options, turn, patient=True)) as pages:
                async for page in pages:
                    where = {"number": len(found.pages)} | common
                    if isinstance(page, Exception):  # a bad page takes its place, so that the others keep theirs
                        errors += 1
                        yield {"event": "error"} | where | {"problem": as_problem(page).to_dict()}
                        found.pages.append(ReadPage(Page(), 0.0, None, False))
                    else:
                        self.recorder.record(found.id, len(found.pages), page.features)
                        yield {"event": "page"} | where | page.to_dict()
                        found.pages.append(page)
        finally:
            await _close(document)
        models = turn.models_of(found.options.language_model)
        stored = len(found.pages) > errors and await self._keep(found, models)
        yield {"event": "done", "stored": stored, "model": models} | common

    async def _pages(
        self, document: Document, options: Options, turn: Turn, patient: bool
    ) -> AsyncGenerator[ReadPage | Exception]:
        """The pages in order, or why one has not been read, the next few in hand already.

        patient: wait for room in the queue for the first, too.
        """
        ahead: deque[asyncio.Task[ReadPage]] = deque()
        picture = options.pictures and not is_shown_by_browsers(document)
        try:
            for number in range(len(document)):
                opening, waits = _opening(document, number), patient or number > 0
                ahead.append(asyncio.create_task(self._page(opening, options, turn, picture, waits)))
                if len(ahead) >= self.service.parallel:
                    yield await _outcome(ahead.popleft())
            while ahead:
                yield await _outcome(ahead.popleft())
        finally:
            await end_tasks(ahead)

    async def _page(
        self, open_page: Callable[[], NDArray[np.uint8]], options: Options, turn: Turn, picture: bool, patient: bool
    ) -> ReadPage:
        loop = asyncio.get_running_loop()
        end = loop.time() + (_PATIENCE if patient else 0.0)
        while True:
            try:
                future = self.service.submit(open_page, options.unit, options.language_model, turn)
                break
            except Busy:
                if loop.time() >= end:
                    raise
                await asyncio.sleep(0.1)
        reading = await asyncio.wrap_future(future)
        keep = picture or (options.store and self.store is not None)
        encoded = await run_in_threadpool(encoded_page, reading.pixels) if keep else None
        return ReadPage(reading.page, reading.milliseconds, encoded, picture, reading.features)

    async def _keep(self, found: DocumentReading, models: dict[str, str]) -> bool:
        """Keep a reading where that was asked for; False where it was not, or cannot be done."""
        if not found.options.store or self.store is None:
            return False
        pages = tuple(StoredPage(page.page, page.encoded) for page in found.pages)
        milliseconds = sum(page.milliseconds for page in found.pages)
        options = found.options
        reading = StoredReading(found.id, pages, options.unit, models, milliseconds, options.consent, found.owner)
        try:
            await run_in_threadpool(self.store.save_reading, reading)
        except (FeedbackUnavailable, ValueError) as error:  # the database is away, or refuses a value
            as_problem(error)  # logs it: the text was read, so the client gets it, and `stored` says the rest
            return False
        return True


async def _outcome(task: asyncio.Task[ReadPage]) -> ReadPage | Exception:
    try:
        return await task
    except Exception as error:
        return error


async def _close(document: Document) -> None:
    """Close a document, whether or not its client is still there."""
    with anyio.CancelScope(shield=True):
        await run_in_threadpool(document.close)


def _opening(document: Document, number: int) -> Callable[[], NDArray[np.uint8]]:
    return lambda: document.page(number)
