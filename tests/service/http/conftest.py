"""Fixtures: the real server in a process of its own, as `text-recognizer serve` starts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.conftest import ROOT, SAMPLES
from tests.service.http.files import encoded
from text_recognizer.page import Page


class Server:
    """A running server. home: its TEXT_RECOGNIZER_HOME. Settings are given without their prefix."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.home, self.port = home, settings.pop("PORT", None) or free_port()
        self._log = home / "log"
        chosen = {"HOME": home, "PORT": self.port, "LOG_FORMAT": "json"} | settings
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TEXT_RECOGNIZER_", "PROMETHEUS_"))}
        environment |= {f"TEXT_RECOGNIZER_{name}": str(value) for name, value in chosen.items()}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "text_recognizer.cli.main", "serve"],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stderr=log,
                stdout=log,
            )
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def wait_until_ready(self, path: str = "/readyz") -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.client.get(path).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the server did not start: {self.log()}")

    def predict(self, image: bytes, **query: object) -> httpx.Response:
        headers = {"Content-Type": "application/octet-stream"}
        return self.client.post("/v1/predict", content=image, headers=headers, params=query)  # type: ignore[arg-type]

    def connect(self) -> socket.socket:
        """A bare connection, for what no HTTP client would send."""
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(20)
        return connection

    def send(self, request: bytes) -> bytes:
        """What comes back for these bytes until the server closes; empty where it says nothing."""
        with self.connect() as connection:
            connection.sendall(request)
            return received(connection)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_for_log(self, text: str) -> None:
        """A request is logged once it is answered, so a moment after the answer is here."""
        end = time.monotonic() + 10
        while text not in self.log():
            assert time.monotonic() < end, f"the log does not say {text!r}"
            time.sleep(0.02)

    def terminate(self, seconds: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def stop(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def received(connection: socket.socket) -> bytes:
    """Everything until the other end closes, or breaks off."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def assert_problem(response: httpx.Response, *statuses: int) -> dict[str, Any]:
    """The answer is a refusal as RFC 9457 wants it; returns it."""
    assert response.status_code in (statuses or range(400, 500)), response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == response.status_code
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in problem["detail"]
    assert " at 0x" not in problem["detail"], "an address in memory"
    return problem


class Close:
    """Equal to JSON whose numbers differ by less than a rounding: a network's sums depend on who shares its batch."""

    def __init__(self, wanted: object) -> None:
        self.wanted = wanted

    def __repr__(self) -> str:
        return repr(self.wanted)

    def __eq__(self, other: object) -> bool:
        if isinstance(self.wanted, dict) and isinstance(other, dict):
            return self.wanted.keys() == other.keys() and all(Close(v) == other[k] for k, v in self.wanted.items())
        if isinstance(self.wanted, list) and isinstance(other, list):
            return len(self.wanted) == len(other) and all(map(Close.__eq__, map(Close, self.wanted), other))
        return other == (pytest.approx(self.wanted, abs=0.002) if isinstance(self.wanted, float) else self.wanted)


def close(page: Page) -> Close:
    return Close(page.to_dict())


@contextmanager
def serves_on(server: Server, line_png: bytes) -> Iterator[None]:
    """Whatever happens inside: afterwards the same process reads the next image, and its log holds no error."""
    before = len(server.log())
    yield
    answer = server.predict(line_png, unit="line")
    assert answer.status_code == 200, answer.text
    assert answer.json()["pred"]
    assert server.process.poll() is None
    news = server.log()[before:]
    for sign in ("Traceback", '"exception"', '"level": "error"', '"status": 5', "Fatal"):
        assert sign not in news.replace('"status": 503', ""), news


def get(target: str, *headers: str) -> bytes:
    """The bytes of a request."""
    lines = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def status_of(answer: bytes) -> int:
    """The status of an answer as it came over the wire."""
    return int(answer.split(b" ", 2)[1])


@contextmanager
def running(home: Path, **settings: object) -> Iterator[Server]:
    server = Server(home, **settings)
    try:
        server.wait_until_ready("/readyz" if settings.pop("READY", True) else "/healthz")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """A server as it comes, shared by all tests."""
    with running(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="session")
def strict(tmp_path_factory) -> Iterator[Server]:
    """A server with low limits, shared."""
    limits = {"MAX_REQUEST_BYTES": 2_000_000, "MAX_PIXELS": 4_000_000, "MAX_PAGES": 5, "REQUEST_SECONDS": 1}
    with running(tmp_path_factory.mktemp("strict"), **limits) as found:
        yield found


@pytest.fixture(scope="session")
def open_server(tmp_path_factory) -> Iterator[Server]:
    """A server that keeps nothing, fetches any address, and is called by pages of one other site; shared."""
    settings = {"FEEDBACK": "false", "IMAGE_URL": "any", "CORS_ORIGINS": "https://app.example"}
    with running(tmp_path_factory.mktemp("open"), **settings) as found:
        yield found


@pytest.fixture
def start(tmp_path) -> Iterator[Any]:
    """Starts a server with settings of the test's own: start(READERS=1). It ends with the test."""
    servers: list[Server] = []

    def begin(ready: bool = True, home: Path = tmp_path, **settings: object) -> Server:
        servers.append(Server(home, **settings))
        servers[-1].wait_until_ready("/readyz" if ready else "/healthz")
        return servers[-1]

    yield begin
    for found in servers:
        found.stop()


@pytest.fixture(scope="session")
def letter_page() -> Image.Image:
    """A page of two lines, gray: quick to read."""
    return Image.open(SAMPLES / "letter.jpg").convert("L").crop((60, 60, 1000, 330))


@pytest.fixture(scope="session")
def page_png(letter_page) -> bytes:
    return encoded(letter_page, "PNG")


@pytest.fixture(scope="session")
def line_png() -> bytes:
    """The crop of one line: quicker still, with unit=line."""
    return encoded(Image.open(SAMPLES / "letter.jpg").convert("L").crop((60, 85, 720, 175)), "PNG")


@pytest.fixture
def well_afterwards(strict, line_png) -> Iterator[None]:
    with serves_on(strict, line_png):
        yield
