"""The real server in a process of its own, as the command line starts it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx


class RunningServer:
    """`text-recognizer serve` on a free port with a home of its own; a context that waits until it is ready."""

    def __init__(self, home: Path, log: Path | None = None, **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log or home / "server.log"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("TEXT_RECOGNIZER_")}
        given = {"HOME": home, "PORT": self.port} | settings
        self.environment |= {f"TEXT_RECOGNIZER_{name}": str(value) for name, value in given.items()}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> RunningServer:
        """Start it and wait until it is ready."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "text_recognizer.cli.main", "serve"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self.wait_until_ready()
        return self

    def wait_until_ready(self, seconds: float = 180.0) -> None:
        """Raises RuntimeError with its log where it ends, or is not ready in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process is not None and self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the server did not start:\n{self.log.read_text(errors='replace')}")

    def stop(self) -> int:
        """End it by SIGTERM; its exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def __enter__(self) -> RunningServer:
        try:
            return self.start()
        except BaseException:  # nobody would end it
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run_coroutine(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """`asyncio.run` in a thread of its own: once Playwright began, its loop runs in the thread of the tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
