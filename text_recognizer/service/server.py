"""Running the server: uvicorn, with limits on slow clients, in one process or several."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from text_recognizer.recognition.bundle import load_bundle, verify
from text_recognizer.service import logs
from text_recognizer.service.feedback import FeedbackStore
from text_recognizer.service.keys import ApiKeys
from text_recognizer.service.monitoring.sending import Targets
from text_recognizer.service.settings import Settings

_HEADER_SECONDS = 10.0
_ANSWER_SECONDS = 60.0  # in which a client takes what is sent before more of it is written
_HEADER_BYTES = 32 * 1024


class ImpatientProtocol(H11Protocol):
    """Closes connections on which a request's head, or whoever is to take the answer, comes too slowly.

    uvicorn's own waits for ever for both.
    """

    def connection_made(self, transport: Any) -> None:
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._stuck: asyncio.TimerHandle | None = None
        self._head: asyncio.TimerHandle | None = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Wait no longer once a head has arrived, and start to wait when the next one begins.

        Between two requests, uvicorn's keep-alive limit holds; it ends with the first byte.
        """
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            _cancel(self._head)
            self._head = None
        elif self._head is None:
            self._head = self.loop.call_later(_HEADER_SECONDS, self._give_up)

    def pause_writing(self) -> None:
        """Start to wait for the client to take what was sent."""
        super().pause_writing()
        self._stuck = self.loop.call_later(_ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken it."""
        super().resume_writing()
        _cancel(self._stuck)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        _cancel(self._head, self._stuck)
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()


def _cancel(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()


def create_app() -> Any:
    """The application of a worker process, its settings from the environment."""
    from text_recognizer.service.app import create_app as create

    settings = Settings()
    logs.configure(settings.log_format)
    return create(settings)


def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what is in hand. For settings that `check` found good.

    Settings that do not come from the environment must have been put there: worker processes read it.
    """
    _few_arenas()
    with _shared_metrics(settings.workers):
        workers = settings.workers if settings.workers > 1 else None
        serve("text_recognizer.service.server:create_app", settings, factory=True, workers=workers)


def serve(app: Any, settings: Settings, **more: Any) -> None:
    """Serve an application, as uvicorn takes it, until SIGTERM or Ctrl-C. more: of uvicorn's options."""
    logs.configure(settings.log_format)
    # uvicorn stops in good order and then raises the signal once more, for whoever had it before: an end without error.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        http=ImpatientProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=settings.drain_seconds,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        **more,
    )


def check(settings: Settings) -> None:
    """Raises ValueError, with the name of the variable, where a setting cannot work: before anything is served."""
    from text_recognizer.images import NORMALIZATION_VERSION
    from text_recognizer.recognition.layout.detector import own_detector
    from text_recognizer.recognition.promotion import reading_bundle
    from text_recognizer.recognition.registry import STAGES

    with _named("MODEL"):
        lines = load_bundle(reading_bundle(settings.model, "lines"), "lines", NORMALIZATION_VERSION)
        verify(lines)
    with _named("DETECTOR"):
        name = own_detector(lines, reading_bundle(settings.detector, "detector"))
        verify(load_bundle(name, "detector", NORMALIZATION_VERSION))
    if settings.candidate and settings.candidate not in STAGES:
        with _named("CANDIDATE"):
            verify(load_bundle(settings.candidate, "lines", NORMALIZATION_VERSION))
    with _named("API_KEYS", "API_KEYS_FILE"):
        keys = ApiKeys(settings.api_keys, settings.api_keys_file)
    with _named("REVIEWERS"):
        if unknown := set(settings.reviewers) - keys.names:
            raise ValueError(f"there is no API key of the name {min(unknown)!r}")
    if settings.feedback:
        with _named("FEEDBACK_DATABASE", "FEEDBACK_IMAGES"):
            FeedbackStore(settings.feedback_database, settings.feedback_images).close()
    with _named("ALERT_URLS"):
        Targets(settings.alert_urls)
    with _named("HOST", "PORT"):
        check_address(settings.host, settings.port)


@contextlib.contextmanager
def _named(*names: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        raise ValueError(f"{' or '.join(f'TEXT_RECOGNIZER_{name}' for name in names)}: {error}") from error


def check_address(host: str, port: int) -> None:
    """Raises OSError where nobody can listen there."""
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen()  # some systems notice only here that somebody else does


@contextlib.contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    """A folder in which several workers add up what they count, for as long as they run."""
    if workers == 1 or "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="text-recognizer-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _few_arenas() -> None:
    """Keep glibc from giving each thread its own heap: page images of many sizes would leave holes in all of them."""
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # for worker processes
    with contextlib.suppress(OSError, AttributeError):  # of another C library
        ctypes.CDLL("libc.so.6").mallopt(-8, 2)  # M_ARENA_MAX, for this one
