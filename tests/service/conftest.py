"""Fixtures: a real PostgreSQL server, feedback stores on both databases, and real readings of the samples."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import SAMPLES
from text_recognizer.service.feedback import FeedbackStore


class PostgresServer:
    """A PostgreSQL server of our own, in a temporary folder, on a Unix socket there."""

    def __init__(self, binaries: Path, folder: Path, user: str | None) -> None:
        self.folder, self._binaries, self._user = folder, binaries, user
        self._numbers = itertools.count()
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        as_user = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        command = [self._binaries / program, "--pgdata", self.folder / "data", *arguments]
        # Its output goes to a file: the server would keep a pipe open.
        with (self.folder / "output").open("ab") as output:
            done = subprocess.run(command, stdout=output, stderr=output, cwd="/", check=False, timeout=60, **as_user)
        assert done.returncode == 0, (self.folder / "output").read_text()

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        self._run("pg_ctl", "start", "--wait", f"--options={options}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        import psycopg

        name = f"feedback{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return next((path for path in reversed(places) if (path / "initdb").is_file()), None)


@pytest.fixture(scope="session")
def postgres_server():
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb is neither on the PATH nor in /usr/lib/postgresql")
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path must be short
    try:
        if user:
            try:
                shutil.chown(folder, user, user)
            except LookupError:
                pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        server = PostgresServer(binaries, folder, user)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path) -> str:
    """The URL of a database that does not have its tables yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/feedback/feedback.db"
    return request.getfixturevalue("postgres_server").new_database()


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/feedback/feedback.db"


@pytest.fixture
def images(tmp_path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def store(database_url, images):
    store = FeedbackStore(database_url, str(images))
    yield store
    store.close()


@pytest.fixture
def sqlite_store(sqlite_url, images):
    store = FeedbackStore(sqlite_url, str(images))
    yield store
    store.close()


@pytest.fixture(scope="session")
def sample_pages(recognizer):
    """Name of a sample -> (its page as it was read, the bytes of its image)."""
    names = ("letter", "notes-photograph")
    return {name: (recognizer.read(SAMPLES / f"{name}.jpg"), (SAMPLES / f"{name}.jpg").read_bytes()) for name in names}
