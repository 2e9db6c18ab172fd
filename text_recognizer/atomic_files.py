"""Files and folders that appear whole or not at all, and locks between processes."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO

_PAUSE = 0.05  # seconds between two attempts
_BLOCK = 65536  # bytes that are searched at a time for the end of the last line
_LONGEST_HOLDER = 32  # bytes of a process's number in a lock

#: What a system answers that cannot put a folder on the disk, or not for us: no fault of the file's.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM)

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


@contextmanager
def whole_file(path: Path, partial: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write into that takes its place as `path` at the end, durably; folders are made.

    With an exception what stood there stays. partial: where the file is until then, on the same file system; beside
    `path`, under a name that nobody else has, by default.
    """
    _make_folders(path.parent)
    partial = partial or path.with_name(f".{path.name}.{PARTIAL}{uuid.uuid4().hex}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_file(path: Path, data: bytes, work: Path | None = None) -> None:
    """Write a file at once, see `whole_file`. work: a folder that holds it until then, and that `tidy` clears."""
    with whole_file(path, unfinished(work) if work else None) as file:
        file.write(data)


def unfinished(work: Path) -> Path:
    """A new name in a folder of files that are not finished."""
    return work / f"{PARTIAL}{uuid.uuid4().hex}"


def _make_folders(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk; a file's own fsync does not. Windows and some shares have no such call."""
    if sys.platform == "win32":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def append(path: Path, lines: bytes) -> None:
    """Append lines, each with its line feed, to a file that is made where it is missing; on the disk when this returns.

    All or nothing, a kill apart: that leaves a last line without a line feed, which is none and is overwritten.
    """
    _make_folders(path.parent)
    # Without a buffer, which would be written once more when the file is closed after a failure.
    with path.open("a+b", buffering=0) as file:
        end = mend_tail(file)
        try:
            while lines:
                lines = lines[file.write(lines) :]
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), end)  # the disk is full: no half of a line stays
            raise


def mend_tail(file: FileIO | BinaryIO) -> int:
    """Cut off a last line that is not ended: nobody was told that it is kept. Returns where the file ends now."""
    end = file.seek(0, os.SEEK_END)
    start, tail = end, b""
    while start and b"\n" not in tail:
        start = max(0, start - _BLOCK)
        file.seek(start)
        tail = file.read(min(_BLOCK, end - start))
    whole = start + tail.rfind(b"\n") + 1
    if whole < end:
        file.truncate(whole)
    return file.seek(0, os.SEEK_END)


class LockedError(TimeoutError):
    """Another process holds a lock. holder: its number, "unknown" where it does not say so."""

    def __init__(self, message: str, holder: str) -> None:
        super().__init__(message)
        self.holder = holder


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Nobody else holds the lock of that file meanwhile; the system frees it where a process is killed.

    seconds: to wait for whoever holds it. Raises LockedError (an OSError) after them, which names the process.
    """
    with path.open("a+b") as file:
        end = time.monotonic() + seconds
        while not _taken(file.fileno()):
            if time.monotonic() > end:
                file.seek(0)
                holder = file.read(_LONGEST_HOLDER).decode(errors="replace").strip() or "unknown"
                raise LockedError(
                    f"another process has held {path} for {seconds:.0f} seconds (process {holder}): try again", holder
                )
            time.sleep(_PAUSE)
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


def _taken(file: int) -> bool:
    """Whether the lock is now ours."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, 1 << 30, os.SEEK_SET)  # beyond the text, which others are to read
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


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
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(work / "lock", 0))
        except LockedError as error:
            raise ValueError(
                f"another text-recognizer (process {error.holder}) writes into {folder} now: "
                "wait until it has ended, or name another folder with --output"
            ) from error
        yield


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
    write_file(probe, b".", folder / WORK)
    probe.unlink()
