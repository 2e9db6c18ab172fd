"""Downloads from a server of the test: whole, interrupted, resumed, and with another content than expected."""

import hashlib
import http.server
import threading
from pathlib import Path

import pytest

from text_recognizer.learning.datasets.emnist import DownloadError, download

CONTENT = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; `breaks` answers end after 100,000 bytes, as a broken connection does."""

    breaks = 0
    ranges = True
    asked: list[str | None]

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        if self.path != "/file":
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT)
        if type(self).breaks:
            type(self).breaks -= 1
            end = start + 100_000
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Server,), {"asked": []})
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    handler.url = f"http://127.0.0.1:{running.server_port}/file"
    yield handler
    running.shutdown()
    running.server_close()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_only_once(server, tmp_path):
    path = download(server.url, tmp_path / "new" / "file.zip", DIGEST)
    assert path.read_bytes() == CONTENT
    assert left(path.parent) == ["file.zip"]
    assert download(server.url, path, DIGEST) == path
    assert len(server.asked) == 1


def test_a_broken_connection_is_taken_up_again(server, tmp_path):
    server.breaks = 2
    assert download(server.url, tmp_path / "file", DIGEST).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"]


def test_what_an_interrupted_call_left_is_gone_on_with(server, tmp_path):
    server.breaks = 3
    with pytest.raises(DownloadError, match="300000 of 512000"):
        download(server.url, tmp_path / "file", DIGEST)
    assert left(tmp_path) == ["file.partial"]
    assert download(server.url, tmp_path / "file", DIGEST).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=300000-"


@pytest.mark.parametrize("ranges", [True, False])
def test_a_partial_file_that_is_whole_or_cannot_be_gone_on_with(server, tmp_path, ranges):
    server.ranges = ranges
    (tmp_path / "file.partial").write_bytes(CONTENT)
    assert download(server.url, tmp_path / "file", DIGEST).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_removed_and_named(server, tmp_path):
    with pytest.raises(DownloadError, match=rf"{tmp_path / 'file'} .* has SHA-256 {DIGEST} instead of 00"):
        download(server.url, tmp_path / "file", "00" * 32)
    assert left(tmp_path) == []


def test_what_lies_there_already_is_checked(server, tmp_path):
    (tmp_path / "file").write_bytes(b"something else")
    with pytest.raises(DownloadError, match="SHA-256"):
        download(server.url, tmp_path / "file", DIGEST)
    assert left(tmp_path) == []


@pytest.mark.parametrize("address", ["/nothing", "file:///etc/hostname"])
def test_an_address_that_is_none_is_named(server, tmp_path, address):
    url = address if address.startswith("file") else server.url.replace("/file", address)
    with pytest.raises(DownloadError, match=address):
        download(url, tmp_path / "file")
    assert left(tmp_path) == []
    assert len(server.asked) <= 1  # asking again is of no use
