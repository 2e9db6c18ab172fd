"""Paths, heads and streams of bytes that no well-meaning client sends."""

from __future__ import annotations

import pytest

from tests.service.http.conftest import get, status_of

pytestmark = pytest.mark.usefixtures("well_afterwards")


@pytest.mark.parametrize(
    "target",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/..%5c..%5cetc%5cpasswd",
        "/\\..\\..\\etc\\passwd",
        "//etc/passwd",
        "//etc//passwd",
        "/samples/../../pyproject.toml",
        "/samples/..%2f..%2fpyproject.toml",
        "/static/%2e%2e/api.py",
        "/..%2fapi.py",
        "/%00",
        "/index.html%00.png",
        "/v1/readings/%00",
        "/v1/readings/..%2f..%2fetc%2fpasswd",
        "/v1/readings/a/pages/-1/image",
        "/v1/readings/a/pages/99999999999999999999/image",
        "/v1/readings/a/pages/0/../../image",
        "/%ff%fe",
        "/" + "a" * 20_000,
        "/" + "a/" * 5000,
        "http://example.org/etc/passwd",
        "etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_web_page(strict, target):
    answer = strict.send(get(target))
    assert 400 <= status_of(answer) < 500, answer[:300]
    assert b"root:" not in answer
    assert b"build-system" not in answer
    assert b"APIRouter" not in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\x00\r\n\r\n",
        get("/", "X: " + "a" * 300_000),
        get("/", *(f"X-{k}: {k}" for k in range(30_000))),
        get("/", "X: a\0b"),
        get("/", "X: a\rb"),
        get("/", "X : a"),
        get("/", "Host: example.org"),
        get("/ /"),
        get("/\xff"),
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: image/png\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_http_is_refused(strict, request_bytes):
    answer = strict.send(request_bytes)
    assert status_of(answer) in (*range(400, 500), 501), answer[:300]
    assert b"Traceback" not in answer


def test_a_request_with_two_lengths_is_refused_and_nothing_behind_it_is_answered(strict):
    smuggled = b"0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = strict.send(head + smuggled)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1


def test_an_upgrade_is_not_made(strict):
    answer = strict.send(get("/healthz", "Upgrade: websocket", "Connection: upgrade"))
    assert status_of(answer) in (200, 400, 426)
