"""One writer at a time, whatever process it is in."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAUSE = 0.05  # seconds between two attempts


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Nobody else holds the lock of that file meanwhile; the system frees it where a process is killed.

    seconds: to wait for whoever holds it. Raises TimeoutError (an OSError) after them.
    """
    with path.open("a+b") as file:
        end = time.monotonic() + seconds
        while not _taken(file.fileno()):
            if time.monotonic() > end:
                raise TimeoutError(f"another process has held {path} for {seconds:.0f} seconds: try again")
            time.sleep(_PAUSE)
        yield


def _taken(file: int) -> bool:
    """Whether the lock is now ours."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, 0, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
