"""A server of one's own, on loopback, to measure; what it uses while it is measured. Linux only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Server:
    """The server under load."""

    address: str
    process: int

    def megabytes(self, name: str = "VmRSS") -> float:
        """Memory of the process: VmRSS now, VmHWM at its highest."""
        rows = Path(f"/proc/{self.process}/status").read_text(encoding="ascii").splitlines()
        return next(int(row.split()[1]) for row in rows if row.startswith(name)) * 1024 / 1e6

    def cpu_seconds(self) -> float:
        """Processor time that the process has used."""
        fields = Path(f"/proc/{self.process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(**settings: object) -> Iterator[Server]:
    """A server with its defaults, but for settings, and a home of its own; stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TEXT_RECOGNIZER_")}
        command = [sys.executable, "-m", "text_recognizer.cli.main", "serve", "--port", str(port)]
        chosen = {f"TEXT_RECOGNIZER_{name}": str(value) for name, value in ({"HOME": home} | settings).items()}
        log = Path(home) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, env=kept | chosen, stderr=output, cwd=ROOT)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_ready(address, process, log)
            yield Server(address, process.pid)
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit(f"the server does not start:\n{log.read_text(encoding='utf-8')}")
