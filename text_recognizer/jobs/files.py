"""Files that appear whole or not at all, and a lock that ends with its process."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

#: Where a job keeps what is not finished, in the output folder.
WORK = ".text-recognizer"
PARTIAL = "partial-"
_RUBBISH = "rubbish-"


def write_whole(path: Path, write: Callable[[BinaryIO], object], work: Path) -> None:
    """Write a file, durably, that takes its place at the end; with an exception what stood there stays.

    work: a folder of the same file system, where it is until then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=work, prefix=PARTIAL)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes, work: Path) -> None:
    """See `write_whole`."""
    write_whole(path, lambda file: file.write(data), work)


def remove_folder(folder: Path, work: Path) -> None:
    """Remove a folder at once for all who look at it. work: a folder of the same file system."""
    if folder.exists():
        rubbish = Path(tempfile.mkdtemp(dir=work, prefix=_RUBBISH))
        folder.replace(rubbish / "was")
        shutil.rmtree(rubbish, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other jobs out of an output folder until the end, or until this process ends, however it does.

    Raises ValueError where another has it, and OSError where the folder cannot be written.
    """
    work = folder / WORK
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("a+", encoding="utf-8") as file:
        try:
            _lock(file.fileno())
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise ValueError(
                f"another text-recognizer (process {holder}) writes into {folder} now: "
                "wait until it has ended, or name another folder with --output"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _lock(file: int) -> None:
    """Raises OSError where another process has the lock."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, 1 << 30, os.SEEK_SET)  # beyond the text, which others are to read
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def tidy(work: Path) -> None:
    """Remove what jobs that were killed left half done."""
    for entry in work.iterdir():
        if entry.name.startswith(PARTIAL):
            entry.unlink(missing_ok=True)
        elif entry.name.startswith(_RUBBISH):
            shutil.rmtree(entry, ignore_errors=True)


def check_room(folder: Path, needed: int) -> None:
    """Raises OSError where the disk of a folder has less than `needed` bytes left, or takes no file."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"the disk of {folder} has {free // 1_000_000:,} MB left, and about {needed // 1_000_000:,} MB are needed"
        )
    probe = folder / f"{WORK}-probe"
    write_bytes(probe, b".", folder / WORK)
    probe.unlink()
