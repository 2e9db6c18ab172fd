"""A Label Studio server for a test: data of its own, one user, on this machine only, and nothing sent home."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import ROOT

EMAIL, PASSWORD, TOKEN = "ada@example.org", "only-for-this-test", "0123456789abcdef0123456789abcdef01234567"
STARTS_WITHIN = 240  # seconds; without the prepared database it makes hundreds of changes to an empty one first
QUIET = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "FEATURE_FLAGS_OFFLINE": "true",
}


def find_label_studio() -> Path | None:
    """The program, in the environment that LABEL_STUDIO names or that `make label-studio` made; None without one."""
    program = Path(os.environ.get("LABEL_STUDIO") or ROOT / ".label-studio") / "bin" / "label-studio"
    return program if program.is_file() else None


class LabelStudio:
    """The server; use as a context. files: the folder whose folders it may serve from its disk."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.data, self.files = folder / "data", folder / "files"
        self.data.mkdir()
        self.files.mkdir()
        self._log = folder / "log.txt"
        prepared = program.parent.parent / "empty" / "label_studio.sqlite3"
        if prepared.is_file():
            shutil.copy(prepared, self.data)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}"
        self._command = [
            *(str(program), "start", "--no-browser", "--data-dir", str(self.data)),
            *("--internal-host", "127.0.0.1", "--port", str(port), "--enable-legacy-api-token"),
            *("--username", EMAIL, "--password", PASSWORD, "--user-token", TOKEN),
        ]
        headers = {"Authorization": f"Token {TOKEN}"}
        self.client = httpx.Client(base_url=self._address, headers=headers, timeout=120)

    def __enter__(self) -> LabelStudio:
        local = {"LOCAL_FILES_SERVING_ENABLED": "true", "LOCAL_FILES_DOCUMENT_ROOT": str(self.files)}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | QUIET | local
            )
        end = time.monotonic() + STARTS_WITHIN
        while not self._is_up():
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            assert time.monotonic() < end, self._log.read_text()[-2000:]
            time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def get(self, path: str) -> Any:
        """What the API answers."""
        return json.loads(self.bytes(path))

    def bytes(self, path: str) -> bytes:
        """The same, as it is."""
        answer = self.client.get(f"/api/{path}")
        assert answer.status_code == 200, answer.text[:500]
        return answer.content

    def post(self, path: str, content: Any) -> Any:
        """What the API answers to JSON."""
        answer = self.client.post(f"/api/{path}", json=content)
        assert answer.status_code in (200, 201), answer.text[:500]
        return answer.json()

    @contextmanager
    def page(self, path: str) -> Iterator[Any]:
        """A page of it in a browser, logged in. The browser asks nobody else."""
        from playwright.sync_api import sync_playwright

        chromium = shutil.which("chromium")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1500, "height": 1400})
            page.set_default_timeout(60_000)
            page.route(lambda url: not url.startswith((self._address, "data:", "blob:")), lambda route: route.abort())
            page.goto(f"{self._address}/user/login/", wait_until="commit")
            page.fill("input[name=email]", EMAIL)
            page.fill("input[name=password]", PASSWORD)
            page.click("[type=submit]")
            page.wait_for_url(lambda url: "login" not in url, wait_until="commit")
            page.goto(f"{self._address}/{path}", wait_until="commit")
            yield page
            browser.close()

    def _is_up(self) -> bool:
        try:
            return self.client.get("/health", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False
