"""Files and folders that appear whole or not at all, and locks between processes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_PAUSE = 0.05  # seconds between two attempts

#: Where a job keeps what is not finished, in the output folder.
WORK = ".text-recognizer"
PARTIAL = "partial-"
_RUBBISH = "rubbish-"


@contextmanager
def whole_folder(folder: Path, replace: bool = False) -> Iterator[Path]:
    """A new folder to write into; it takes its place as `folder` at the end, or vanishes with an exception.

    Where `folder` is there already (another process has made it meanwhile), it stays, unless it is to be replaced.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Of a name that nobody else has: process numbers are not enough where containers share a volume.
    partial = folder.with_name(f".{folder.name}.partial-{uuid.uuid4().hex}")
    partial.mkdir()
    old = partial.with_name(f"{partial.name}.old")
    try:
        yield partial
        if replace and folder.exists():
            folder.rename(old)
        if not folder.exists():
            try:
                partial.rename(folder)
            except OSError:
                if not folder.exists():  # else another one was made at this very moment
                    raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_file(path: Path, data: bytes) -> None:
    """Write a file that takes its place at the end; with an exception what stood there stays. Folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{uuid.uuid4().hex}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def append_line(path: Path, line: bytes) -> None:
    """Append a line without its line feed to a file that is made where it is missing; on the disk when this returns.

    Whole or not at all, a kill apart: that leaves a last line without a line feed, which is none and is overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        size = file.read().rfind(b"\n") + 1
        file.truncate(size)
        try:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, size)
            raise


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
def locked_folder(folder: Path) -> Iterator[None]:
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
