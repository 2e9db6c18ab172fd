"""An image that a client names by URL, fetched without lending the client our place in the network.

A server that fetches any URL for anybody reads its own cloud's credentials and its neighbours' databases to them.
So nothing is fetched unless a policy allows it; a host is resolved first, all its addresses are checked, and the
connection goes to exactly those (`pinned`); redirects are checked in the same way; size and time have limits.
"""

from __future__ import annotations

import socket
import threading
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from text_recognizer.service.pinned_connections import is_public

if TYPE_CHECKING:
    import ssl

    import httpcore
    import httpx

    from text_recognizer.service.pinned_connections import Deadline

MAX_REDIRECTS = 3
_MAX_URL = 8192  # characters: signed URLs of object stores have up to 2,500
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
_USER_AGENT = "text-recognizer"


class UrlPolicy(StrEnum):
    """Which URLs are fetched.

    off: none. public: http and https on ports 80 and 443 of the public internet. any: http and https of any
    address, for intranets whose clients are trusted.
    """

    off = "off"
    public = "public"
    any = "any"


class FetchError(ValueError):
    """An image that was not fetched; the message is for the client. status: the HTTP status to answer with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def fetch_image(url: str, policy: UrlPolicy, max_bytes: int, seconds: float) -> bytes:
    """The bytes that a URL names.

    max_bytes: of the body. seconds: for everything together, from resolving the name to the last byte.
    Raises FetchError with status 403 (the policy is off), 400 (a URL that is wrong or refused), 413 (too large),
    502 (the server failed or answered with an error) or 504 (too slow); no message names an address. Raises
    ModuleNotFoundError where httpx is not installed.
    """
    if policy is UrlPolicy.off:
        raise FetchError(403, "images are not fetched from URLs here: send the image itself")
    import httpcore

    from text_recognizer.service.pinned_connections import Deadline

    # No error below is chained (from None): logs show chains, and theirs name addresses.
    try:
        return _follow(url, policy, max_bytes, Deadline(seconds))
    except httpcore.TimeoutException:
        raise FetchError(504, f"the image did not arrive within {seconds:g} seconds") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError):
        raise FetchError(502, "the server of the image could not be reached or broke off") from None


def _follow(url: str, policy: UrlPolicy, max_bytes: int, deadline: Deadline) -> bytes:
    """The body behind a URL and its redirects."""
    import httpcore

    from text_recognizer.service.pinned_connections import PinnedBackend

    def choose(host: str, port: int) -> list[str]:
        return _addresses(host, port, policy, deadline.left())

    address = _parse(url, policy)
    for _ in range(MAX_REDIRECTS + 1):
        # A pool a request: nothing is left open, and no connection is used again under another name.
        tls = _tls_context() if address.scheme == "https" else None
        with (
            httpcore.ConnectionPool(ssl_context=tls, network_backend=PinnedBackend(choose, deadline)) as pool,
            pool.stream("GET", _target(address), headers=_headers(address)) as response,
        ):
            if response.status not in _REDIRECTS:
                return _body(response, max_bytes)
            address = _parse(_location(response, address), policy)
    raise FetchError(502, f"the URL redirects more than {MAX_REDIRECTS} times")


def _parse(url: str, policy: UrlPolicy) -> httpx.URL:
    """A URL that may be connected to, as far as its spelling says. Raises FetchError."""
    import httpx

    try:
        if len(url) > _MAX_URL:
            raise FetchError(400, f"the URL has more than {_MAX_URL} characters")
        address = httpx.URL(url.strip())
        if address.scheme not in _PORTS:
            raise FetchError(400, "the URL does not begin with http:// or https://")
        if address.userinfo:
            raise FetchError(400, "the URL holds a user name or a password: leave them out")
        address = address.copy_with(host=address.host.rstrip("."), fragment=None)  # certificates have no last dot
    except (httpx.InvalidURL, UnicodeError, TypeError):
        raise FetchError(400, "the URL is not valid") from None
    if not address.host or "%" in address.host:
        raise FetchError(400, "the URL names no host")
    if address.port is not None and not 0 < address.port < 65536:
        raise FetchError(400, "the URL names a port that does not exist")
    if policy is not UrlPolicy.any and address.port not in (None, *_PORTS.values()):
        raise FetchError(400, "the URL names a port other than 80 and 443")
    return address


def _addresses(host: str, port: int, policy: UrlPolicy, seconds: float) -> list[str]:
    """The addresses of a host. Raises FetchError where there are none or one is not public, as the policy asks."""
    import httpcore

    found: list[str] = []
    # In a thread: the system's resolver knows no deadline.
    thread = threading.Thread(target=lambda: found.extend(_quietly_resolve(host, port)), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise httpcore.ConnectTimeout("resolving")
    if not found:
        raise FetchError(400, "the host of the URL cannot be resolved")
    if policy is not UrlPolicy.any and not all(is_public(address) for address in found):
        raise FetchError(400, "the host of the URL is not on the public internet")
    return found


def _quietly_resolve(host: str, port: int) -> list[str]:
    try:
        return resolve(host, port)
    except (OSError, UnicodeError):
        return []


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host as the system resolves it, odd spellings of numbers included. Raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def _target(address: httpx.URL) -> httpcore.URL:
    import httpcore

    return httpcore.URL(
        scheme=address.raw_scheme, host=address.raw_host, port=address.port, target=address.raw_path or b"/"
    )


def _headers(address: httpx.URL) -> list[tuple[bytes, bytes]]:
    return [
        (b"Host", address.netloc),
        (b"User-Agent", _USER_AGENT.encode()),
        (b"Accept", b"image/*"),
        (b"Accept-Encoding", b"identity"),  # compressed bodies are refused: a bomb has no limit we could know
        (b"Connection", b"close"),
    ]


def _header(response: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), "")


def _location(response: httpcore.Response, address: httpx.URL) -> str:
    import httpx

    location = _header(response, b"location")
    if not location:
        raise FetchError(502, "the server of the image redirects to nowhere")
    try:
        return str(address.join(location))
    except (httpx.InvalidURL, UnicodeError):
        raise FetchError(400, "the URL redirects to one that is not valid") from None


def _body(response: httpcore.Response, max_bytes: int) -> bytes:
    """The body of an answer, as long as it is one and not too large."""
    if not 200 <= response.status < 300:
        raise FetchError(502, f"the server of the image answered with status {response.status}")
    if _header(response, b"content-encoding").strip().lower() not in ("", "identity"):
        raise FetchError(502, "the server of the image sends it compressed, which was not asked for")
    too_large = FetchError(413, f"the image is larger than {max_bytes:,} bytes")
    length = _header(response, b"content-length")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    data = bytearray()
    for chunk in response.iter_stream():
        data += chunk
        if len(data) > max_bytes:
            raise too_large
    if not data:
        raise FetchError(502, "the server of the image sent an empty answer")
    return bytes(data)


@cache
def _tls_context() -> ssl.SSLContext:
    """Certificates are checked against certifi's list; the environment has no say."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)
