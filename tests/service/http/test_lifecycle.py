"""How the server starts, refuses to start, and ends."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.service.http.conftest import Server, assert_problem, free_port
from tests.service.http.files import stack
from text_recognizer.cli.main import app


def _metric(server: Server, name: str) -> float:
    rows = [row for row in server.client.get("/metrics").text.splitlines() if row.startswith(name)]
    return sum(float(row.rpartition(" ")[2]) for row in rows)


def test_a_request_in_hand_is_answered_before_the_server_ends(start, letter_page):
    server = start()
    document = stack([letter_page.resize((1410, 405))] * 6, "TIFF")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.predict, document)
        _wait_until_busy(server)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        _wait_until_refused(server)
        assert not answer.done(), "the request is still in hand"
        assert answer.result().status_code == 200
        assert len(answer.result().json()["pages"]) == 6
    assert server.process.wait(30) == 0
    assert time.monotonic() - begin < 30
    assert "Traceback" not in server.log()


def _wait_until_busy(server: Server) -> None:
    end = time.monotonic() + 30
    while _metric(server, "text_recognizer_queue_pages") == 0:
        assert time.monotonic() < end
        time.sleep(0.01)


def _wait_until_refused(server: Server) -> None:
    """A server that stops is not asked any more: it takes no connection, or says that it is not ready."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if httpx.get(f"{server.url}/readyz", trust_env=False).status_code == 503:
                return
        except httpx.TransportError:
            return
        time.sleep(0.02)
    raise AssertionError("the server that stops is still ready")


def test_a_request_that_takes_too_long_does_not_keep_the_server(start, letter_page):
    server = start(DRAIN_SECONDS=0)
    document = stack([letter_page.resize((1410, 405))] * 40, "TIFF", compression="tiff_lzw")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.predict, document)
        _wait_until_busy(server)
        assert server.terminate(15) == 0
        assert_problem(answer.result(), 503)


def test_workers_share_the_work_and_add_up_what_they_count(start, line_png):
    server = start(WORKERS=2)
    for _ in range(12):
        answer = httpx.post(  # a connection each: any worker may take it
            f"{server.url}/v1/predict",
            params={"unit": "line"},
            content=line_png,
            headers={"Content-Type": "image/png"},
            trust_env=False,
            timeout=60,
        )
        assert answer.status_code == 200
    assert _metric(server, 'text_recognizer_pages_total{unit="line"}') == 12
    assert _metric(server, 'text_recognizer_requests_total{method="POST",route="/v1/predict",status="200"}') == 12
    folders = _metrics_folders(server)
    counted = {int(file.stem.rpartition("_")[2]) for folder in folders for file in folder.glob("counter_*.db")}
    assert len(counted) >= 2

    # A worker that is killed is replaced, and what it was doing is not counted for ever.
    victim = next(process for process in counted if _is_worker(process, server.process.pid))
    os.kill(victim, signal.SIGKILL)
    end = time.monotonic() + 30
    while any(file.stem.endswith(f"_{victim}") for folder in folders for file in folder.glob("gauge_live*.db")):
        assert time.monotonic() < end
        try:
            httpx.get(f"{server.url}/metrics", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
    assert server.predict(line_png, unit="line").status_code == 200
    assert server.terminate() == 0
    assert not any(folder.exists() for folder in folders), "nothing is left behind"


def _metrics_folders(server: Server) -> list[Path]:
    environment = Path(f"/proc/{_children(server.process.pid)[-1]}/environ").read_bytes().split(b"\0")
    values = [entry.partition(b"=")[2].decode() for entry in environment if entry.startswith(b"PROMETHEUS_MULTIPROC")]
    return [Path(value) for value in values]


def _children(process: int) -> list[int]:
    return [int(found) for found in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _is_worker(process: int, parent: int) -> bool:
    return process in _children(parent)


def test_a_port_that_is_taken_is_named(server, tmp_path):
    second = Server(tmp_path, PORT=server.port)
    try:
        assert second.process.wait(30) == 2
        lines = second.log().splitlines()
        assert len(lines) == 1
        assert "TEXT_RECOGNIZER_PORT" in lines[0]
        assert "in use" in lines[0].lower()
    finally:
        second.stop()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "65536"),
        ("HOST", ""),
        ("HOST", "no.such.host.invalid"),
        ("HOST", "192.0.2.1"),
        ("WORKERS", "0"),
        ("MODEL", "/nowhere"),
        ("DETECTOR", "lines"),
        ("MAX_PIXELS", "-1"),
        ("RETENTION_DAYS", "99999999"),
        ("IMAGE_URL", "yes"),
        ("API_KEYS", "ada"),
        ("API_KEYS_FILE", "/nowhere"),
        ("FEEDBACK_DATABASE", "mysql://root:secret@localhost/x"),
        ("FEEDBACK_IMAGES", "nosuchscheme://bucket"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_starts(monkeypatch, tmp_path, name, value):
    for variable in [variable for variable in os.environ if variable.startswith("TEXT_RECOGNIZER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", str(tmp_path))
    monkeypatch.setenv("TEXT_RECOGNIZER_PORT", str(free_port()))
    monkeypatch.setenv(f"TEXT_RECOGNIZER_{name}", value)
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1, result.output
    assert f"TEXT_RECOGNIZER_{name}" in result.output
    assert "secret" not in result.output
