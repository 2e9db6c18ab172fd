"""Local HTTP servers that answer as a client's server might, well or badly."""

from __future__ import annotations

import datetime
import gzip
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

PICTURE = b"\x89PNG a picture"
SECRET = b"the secret of the intranet"


class Site(BaseHTTPRequestHandler):
    """Answers by path as a client's server might, well or badly."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self):
        self.seen.append((self.path, self.headers["Host"]))
        name, _, argument = self.path[1:].partition("?")
        self.close_connection = True
        getattr(self, f"answer_{name}", self.answer_picture)(argument)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for key, value in ({"Content_Length": str(len(body))} | headers).items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_picture(self, _):
        self.send(200, PICTURE)

    def answer_echo(self, _):
        self.send(200, str(sorted((key.lower(), value) for key, value in self.headers.items())).encode())

    def answer_to(self, location):
        self.send(302, b"", Location=location)

    def answer_nowhere(self, _):
        self.send(302, b"")

    def answer_chain(self, count):
        self.send(307, b"", Location="/picture" if count == "1" else f"/chain?{int(count) - 1}")

    def answer_status(self, status):
        self.send(int(status), SECRET)

    def answer_empty(self, _):
        self.send(200, b"")

    def answer_huge(self, _):
        self.send(200, b"x" * 10, Content_Length=str(10**12))

    def answer_short(self, _):
        self.send(200, PICTURE, Content_Length=str(len(PICTURE) + 50))

    def answer_modest(self, _):
        self.send(200, PICTURE + b"x" * 10_000, Content_Length=str(len(PICTURE)))

    def answer_nonsense(self, _):
        self.send(200, PICTURE, Content_Length="many")

    def answer_endless(self, _):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for _ in range(1000):
                self.wfile.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        except OSError:
            self.seen.append(("cut", None))

    def answer_bomb(self, _):
        self.send(200, gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip")

    def answer_drip(self, _):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.drip(b"x" * 1000)

    def answer_dripping_head(self, _):
        self.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 1000)

    def drip(self, data):
        try:
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that hang up are the point


def serve(host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Quiet:
    server = Quiet((host, port), Site)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for a name, as a file for servers and for those who trust it."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / f"{name}.pem"
    secret = key.private_bytes(pem, private, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + secret)
    return path
