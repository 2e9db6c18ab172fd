"""Connections for `fetching`: to an address that was checked, and never past a deadline.

httpcore, the engine of httpx, lets its network be replaced. Ours asks `choose` for the addresses of a host and
connects to those and no others, so a name cannot resolve to one thing when it is checked and to another when it is
connected to. Host header, SNI and the certificate's check keep the name.

Which network addresses belong to the public internet, and which to somebody's own machines.
"""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

_CONNECT_SECONDS = 5.0  # for one of several addresses: the next may answer

# Written out, because what `ipaddress` calls global differs between releases of Python.
_NOT_PUBLIC_4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, and the unspecified address
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by the customers of a provider; some clouds keep their metadata in it
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # public by its number, but a cloud's own service for its virtual machines
        "169.254.0.0/16",  # link-local, with the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
]
_GLOBAL_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = [
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address may be inside, and nobody serves images there
        "3fff::/20",  # documentation
    )
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


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


def is_public(address: str) -> bool:
    """Whether an IP address is global unicast; IPv6 that wraps IPv4 is judged by what is inside, or refused."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inside = _wrapped(ip)
        if inside is None:
            return ip.scope_id is None and ip in _GLOBAL_UNICAST_6 and not any(ip in net for net in _NOT_PUBLIC_6)
        ip = inside
    return not any(ip in network for network in _NOT_PUBLIC_4)


def _wrapped(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a packet to an IPv4-mapped or NAT64 address ends at."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped
