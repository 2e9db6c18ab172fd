"""Runs the program for tests, in processes of their own which share the loading of PyTorch and Lightning."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from tests.helpers.program_server import HOLD

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: Names the folder that the processes of one run of pytest share.
SHARED = "SHARED_BY_TESTS"


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the program in the folder of the repository."""
    return _run(forked_program(), arguments)


def unforked_program(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The same in a process that loads everything itself: that nothing is missing then is seen here only."""
    return _run([sys.executable, "-m", "text_recognizer.cli.main"], arguments)


def _run(command: list[str], arguments: tuple[object, ...]) -> subprocess.CompletedProcess[str]:
    whole = [*command, *map(str, arguments)]
    return subprocess.run(whole, capture_output=True, text=True, cwd=ROOT, env=os.environ, timeout=280)


def forked_program() -> list[str]:
    """The command that stands for the program."""
    # Without the packages of the environment, which the client does not need, Python starts at once.
    return [sys.executable, "-S", "-E", str(HERE / "program_client.py"), _server()[0]]


@cache
def _server() -> tuple[str, socket.socket]:
    """The address of the server, and a connection that keeps it until this process ends."""
    folder = Path(os.environ[SHARED])
    address = str(folder / "program")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = _held(address)
        if held is None:
            Path(address).unlink(missing_ok=True)
            command = [sys.executable, str(HERE / "program_server.py"), address]
            server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
            )
            while held is None:
                assert server.poll() is None, "the server of programs did not start"
                time.sleep(0.05)
                held = _held(address)
    return address, held


def _held(address: str) -> socket.socket | None:
    """A connection to a server that has loaded everything; None where there is none."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
        connection.sendall(HOLD)
        if connection.recv(1) == HOLD:
            return connection
    except OSError:  # it is not there, or just leaving
        pass
    connection.close()
    return None
