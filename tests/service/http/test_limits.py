"""Limits of size, of number and of time; whoever runs into one, the next request is served."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvicorn

from tests.service.http.conftest import Server, assert_problem, get, received, serves_on, status_of
from tests.service.http.files import encoded, stack
from tests.service.running import run_coroutine
from text_recognizer.service import server as module

pytestmark = pytest.mark.usefixtures("well_afterwards")
JSON = {"Content-Type": "application/json"}


def test_a_body_above_the_limit_is_refused(strict):
    large = bytes(2_000_001)
    assert_problem(strict.predict(large), 413)
    chunks = (large[k : k + 100_000] for k in range(0, len(large), 100_000))
    headers = {"Content-Type": "image/png"}
    assert_problem(strict.client.post("/v1/predict", content=chunks, headers=headers), 413)
    assert_problem(strict.client.post("/v1/predict", files={"file": large}), 413)
    assert_problem(strict.client.post("/v1/batch", files={"files": large}), 413)


def test_a_body_of_100_megabytes_is_refused_at_its_head(strict):
    head = (
        b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 100000000\r\n\r\n"
    )
    with strict.connect() as connection:
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")
    piece = bytes(1_000_000)
    answer = strict.client.post(
        "/v1/predict", content=(piece for _ in range(100)), headers={"Content-Type": "image/png"}
    )
    assert_problem(answer, 413)


def test_json_without_images_may_not_be_as_large(server, line_png):
    with serves_on(server, line_png):
        large = b'{"id": "' + b"a" * 16_000_000 + b'"}'
        for path in ("/v1/feedback", "/v1/format"):
            assert_problem(server.client.post(path, content=large, headers=JSON), 413)


def test_a_slow_body_is_given_up(strict):
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nab"
    start = time.monotonic()
    with strict.connect() as connection:
        connection.sendall(head)
        answer = connection.recv(65536)
    assert status_of(answer) == 408
    assert b"application/problem+json" in answer
    assert 0.9 < time.monotonic() - start < 5


def test_a_body_that_drips_is_given_up(strict):
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 900\r\n\r\n"
    with strict.connect() as connection:
        connection.sendall(head)
        connection.settimeout(0.1)
        answer, end = b"", time.monotonic() + 10
        while not answer and time.monotonic() < end:
            connection.sendall(b"a")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
    assert status_of(answer) == 408


def test_clients_that_break_off_leave_nothing_behind(strict, page_png):
    head = b"POST /v1/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
    for route in (b"predict", b"batch"):
        for sent in (0, 1000, len(page_png)):
            connection = strict.connect()
            connection.sendall(head % (route, len(page_png)) + page_png[:sent])
            if sent == 1000:  # a reset, not a polite goodbye
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
    _wait_for_empty_queue(strict)


def test_a_client_that_leaves_in_the_middle_of_a_batch_ends_it(strict, page_png):
    images = [base64.b64encode(page_png).decode()] * 5
    with strict.client.stream("POST", "/v1/batch", json={"images": images}) as answer:
        assert next(answer.iter_lines())
    _wait_for_empty_queue(strict)


def _wait_for_empty_queue(server: Server) -> None:
    end = time.monotonic() + 20
    while "text_recognizer_queue_pages 0.0" not in server.client.get("/metrics").text:
        assert time.monotonic() < end, "pages stay in the queue"
        time.sleep(0.05)


def test_open_connections_do_not_keep_others_out(strict):
    """Nor do they use up its files: each waits for a head and is closed after a while."""
    idle = [strict.connect() for _ in range(200)]
    assert strict.client.get("/healthz").status_code == 200
    for connection in idle:
        connection.close()
    end = time.monotonic() + 5
    while len(os.listdir(f"/proc/{strict.process.pid}/fd")) > 100:  # noqa: PTH208
        assert time.monotonic() < end, "connections stay open"
        time.sleep(0.05)


def test_a_full_queue_says_when_to_come_back(start, line_png, letter_page):
    server = start(QUEUE_PAGES=2, READERS=1)
    with serves_on(server, line_png):
        large = encoded(letter_page.resize((1880, 540)), "PNG")
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(server.predict, [large] * 6))
        statuses = sorted(answer.status_code for answer in answers)
        assert set(statuses) == {200, 503}
        for answer in answers:
            if answer.status_code == 503:
                assert_problem(answer, 503)
                assert 1 <= int(answer.headers["Retry-After"]) <= 60
        _wait_for_empty_queue(server)
    # A document of more pages than the queue takes is read all the same, a few pages at a time.
    document = stack([letter_page.resize((470, 135))] * 5, "TIFF")
    assert len(server.predict(document).json()["pages"]) == 5


def test_a_head_that_drips_is_given_up(monkeypatch):
    """The time-out is long, so here is the server's protocol alone, with a short one."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

    async def scenario() -> list[bytes]:
        config = uvicorn.Config(app, port=0, http=module.ImpatientProtocol, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        answers = [await drip(port, first) for first in (b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")]
        server.should_exit = True
        await serving
        return answers

    async def drip(port: int, first: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)
        taken = asyncio.create_task(_until_closed(reader))
        for letter in b"GET / HTTP/1.1\r\nX: " + b"a" * 100:
            if taken.done():
                break
            writer.write(bytes([letter]))
            await asyncio.sleep(0.02)
        writer.close()
        assert taken.done(), "the connection stays open"
        return await taken

    monkeypatch.setattr(module, "_HEADER_SECONDS", 0.3)
    first, second = run_coroutine(scenario())
    assert first.startswith(b"HTTP/1.1 408 ")
    assert second.startswith(b"HTTP/1.1 204 ")
    assert b"HTTP/1.1 408 " in second, "the second request of a connection must not take longer than its first"


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    taken = b""
    try:
        while piece := await reader.read(65536):
            taken += piece
    except ConnectionResetError:  # a letter that comes after the server has closed is answered so
        pass
    return taken


def test_a_connection_that_was_answered_closes(strict):
    with strict.connect() as connection:
        connection.sendall(get("/healthz"))
        assert received(connection).startswith(b"HTTP/1.1 200 ")
