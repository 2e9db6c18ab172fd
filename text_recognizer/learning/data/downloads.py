"""Files from the network: resumed where a transfer was interrupted, checked, never half-written."""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_CHUNK = 1 << 18
_ATTEMPTS = 3  # a connection that breaks is taken up again so many times before the error is shown


class DownloadError(OSError):
    """A file that could not be fetched, or is not the expected one; the message names it."""


def download(url: str, path: Path, sha256: str | None = None, timeout: float = 30.0) -> Path:
    """The file `path`, fetched from `url` where it is not there yet.

    What an interrupted call has left as `<name>.partial` is gone on with (HTTP Range), where the server can do
    that. The file appears under its own name only when it is whole and has the SHA-256 that is asked for. Raises
    DownloadError where the server fails or the transfer breaks off (what came is kept for the next call), or where
    the hash is another one (what came is removed).
    """
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url} is no address that starts with https:// or http://")
    if path.exists():
        _check(path, path, url, sha256)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        bar = progress.add_task(f"downloading {path.name}", total=None)
        for attempt in range(_ATTEMPTS):
            try:
                _fetch(url, partial, timeout, progress, bar)
                break
            except (OSError, http.client.HTTPException) as error:
                if attempt == _ATTEMPTS - 1 or _is_final(error):
                    raise DownloadError(f"{url} cannot be downloaded: {error}") from error
    _check(partial, path, url, sha256)
    partial.replace(path)
    return path


def _is_final(error: Exception) -> bool:
    """Whether the server has said no, so that asking again is of no use."""
    return isinstance(error, urllib.error.HTTPError) and error.code < 500


def _fetch(url: str, partial: Path, timeout: float, progress: Progress, bar: TaskID) -> None:
    """Append what is missing to the partial file. Raises OSError where the transfer ends too early."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # everything is here already
        partial.unlink()  # of another file than the server's
        raise OSError("what lay there does not belong to it and was removed") from error
    with response:
        start, total = _range(response, have)
        progress.update(bar, completed=start, total=total)
        with partial.open("r+b" if start else "wb") as file:
            file.seek(start)
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                progress.update(bar, advance=len(chunk))
            found = file.tell()
    if total is not None and found != total:
        raise OSError(f"the transfer ended after {found} of {total} bytes")


def _range(response: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where the answer begins in the file, and the size of the whole file, where the server says it."""
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not match or int(match[1]) != have:
            raise OSError("the server sent another part than was asked for")
        return have, None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length")
    return 0, int(length) if length else None


def _check(found: Path, path: Path, url: str, sha256: str | None) -> None:
    """Raises DownloadError, the file removed, where its hash is another one."""
    if sha256 is None:
        return
    with found.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256.lower():
        found.unlink()
        raise DownloadError(f"{path} from {url} has SHA-256 {digest} instead of {sha256}; it was removed")
