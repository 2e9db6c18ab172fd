"""Connections for `fetching`: to an address that was checked, and never past a deadline.

httpcore, the engine of httpx, lets its network be replaced. Ours asks `choose` for the addresses of a host and
connects to those and no others, so a name cannot resolve to one thing when it is checked and to another when it is
connected to. Host header, SNI and the certificate's check keep the name.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

_CONNECT_SECONDS = 5.0  # for one of several addresses: the next may answer


class Deadline:
    """A moment after which nothing may take any more time. seconds: from now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left. Raises httpcore.ReadTimeout when none are."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout("past the deadline")
        return seconds


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to the addresses that `choose(host, port)` gives, in their order, until one answers."""

    def __init__(self, choose: Callable[[str, int], list[str]], deadline: Deadline) -> None:
        self._choose, self._deadline = choose, deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is the only one
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A stream to the host. Raises httpcore.ConnectError or a timeout, and whatever `choose` raises."""
        addresses = self._choose(host, port)
        error: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            seconds = min(self._deadline.left(), _CONNECT_SECONDS if address != addresses[-1] else float("inf"))
            try:
                stream = self._backend.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failure:
                error = failure
            else:
                return _DeadlineStream(stream, self._deadline)
        raise error


class _DeadlineStream(httpcore.NetworkStream):
    """A stream whose every step ends at the deadline, however often a server sends a byte before a time-out."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _DeadlineStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
