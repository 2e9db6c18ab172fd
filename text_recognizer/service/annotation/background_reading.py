"""Reading the pages of a queue in the background, those first that somebody waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from text_recognizer.images import ImageError, to_gray
from text_recognizer.labeling.outlines import cut_out
from text_recognizer.labeling.pages import UnknownPage
from text_recognizer.labeling.queue_source import PageSource
from text_recognizer.page import Line, Polygon
from text_recognizer.recognition.recognizer import TextRecognizer
from text_recognizer.service.logs import event

_log = logging.getLogger("text_recognizer.labeling")
_IDLE = 3.0  # seconds between two looks for new pages
_AGAIN = 30.0  # seconds after which what could not be kept is tried again


@dataclass(frozen=True)
class PageState:
    """How far the model is with a page: waiting, reading, read or failed; error: why it failed."""

    state: str
    error: str = ""


class PageReader:
    """A thread that reads pages which have no reading yet. Call `start()`, and `close()` at the end.

    again: also read those, once, that other models have read.
    """

    def __init__(self, source: PageSource, recognizer: TextRecognizer, again: bool = False) -> None:
        self.source, self.recognizer = source, recognizer
        self._again = again
        self._first: OrderedDict[str, None] = OrderedDict()
        self._failed: dict[str, str] = {}
        self._read: set[str] = set()
        self._now: str | None = None
        self._retry = 0.0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="page-reader", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the page in hand."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def ask(self, page: str) -> None:
        """Read this page next."""
        with self._changed:
            self._first[page] = None
            self._first.move_to_end(page, last=False)
            self._changed.notify_all()

    def state(self, page: str) -> PageState:
        """How far it is with a page."""
        with self._changed:
            if page in self._failed:
                return PageState("failed", self._failed[page])
            if page == self._now:
                return PageState("reading")
            done = page in self._read
        return PageState("read" if done or self.source.reading(page) is not None else "waiting")

    def read_line(self, page: str, polygon: Polygon, baseline: Polygon = ()) -> Line:
        """What the model reads inside of an outline that a person drew. Raises ImageError, UnknownPage, ValueError."""
        strip = cut_out(to_gray(self.source.pixels(page)), polygon, baseline)
        return self.recognizer.read_lines([strip])[0]

    def _run(self) -> None:
        while not self._closed:
            page = self._next()
            if page is not None:
                self._read_page(page)
                continue
            with self._changed:
                if not self._closed and not self._first:
                    self._changed.wait(_IDLE)

    def _next(self) -> str | None:
        """The page to read now: the one that was asked for last, else the first that is left."""
        pages = self.source.pages()
        with self._changed:
            asked = [page for page in self._first if page in pages]
            self._first.clear()
            self._first.update(dict.fromkeys(asked))
            if time.monotonic() < self._retry:
                return None
        for page in (*asked, *pages):
            if self._is_left(page):
                return page
        with self._changed:
            self._first.clear()
        return None

    def _is_left(self, page: str) -> bool:
        if page in self._failed or page in self._read:
            return False
        reading = self.source.reading(page)
        if reading is not None and not (self._again and dict(reading.models) != self._models()):
            self._read.add(page)
            return False
        return True

    def _models(self) -> dict[str, str]:
        return {"detector": self.recognizer.detector.bundle.identity} | self.recognizer.line_models()

    def _read_page(self, page: str) -> None:
        with self._changed:
            self._now = page
            self._first.pop(page, None)
        start = time.perf_counter()
        try:
            reading = self.recognizer.read(self.source.pixels(page))
            self.source.store_reading(page, reading)
            self._read.add(page)
            milliseconds = round(1000 * (time.perf_counter() - start))
            event(_log, "read", page=page, lines=len(reading.lines), milliseconds=milliseconds)
        except UnknownPage:
            pass  # it was deleted meanwhile
        except OSError as error:  # the disk is full: the page is read again later
            _log.error("the reading of %s cannot be kept: %s", page, error)
            self._retry = time.monotonic() + _AGAIN
        except ImageError as error:
            self._fail(page, str(error))
        except Exception as error:  # of a page that nobody foresaw: the others are still read
            _log.error("unexpected error in %s", page, exc_info=error)
            self._fail(page, f"{page} cannot be read: {type(error).__name__}: {error}")
        finally:
            with self._changed:
                self._now = None

    def _fail(self, page: str, message: str) -> None:
        with self._changed:
            self._failed[page] = message
        _log.error("%s", message)
