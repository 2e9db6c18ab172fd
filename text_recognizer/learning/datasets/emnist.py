"""EMNIST: 814,255 single handwritten characters in 62 classes (Cohen et al., 2017), public domain.

`emnist-byclass.mat` holds a struct `dataset` with `train` and `test` (images (N, 784), one column of the picture
after the other; labels (N, 1); writers (N, 1)) and `mapping` (62, 2): class and ASCII code. What it holds is kept as
JSON beside it, so that it need not be opened to be known.

Files from the network: resumed where a transfer was interrupted, checked, never half-written.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import re
import shutil
import tomllib
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from text_recognizer.atomic_files import whole_file, write_file
from text_recognizer.paths import data_dir, require

SIZE = 28

_CHUNK = 1 << 18
_ATTEMPTS = 3  # a connection that breaks is taken up again so many times before the error is shown


@dataclass(frozen=True)
class EmnistPart:
    """images: uint8 (N, 28, 28), ink 255. text: N characters, one an image. writers: N names."""

    images: NDArray[np.uint8]
    text: str
    writers: list[str]

    def choose(self, indices: NDArray[np.int64]) -> EmnistPart:
        """The images of some indices."""
        text = "".join(self.text[index] for index in indices)
        return EmnistPart(self.images[indices], text, [self.writers[index] for index in indices])


def emnist(split: str, seed: int = 0) -> EmnistPart:
    """Split "train" or "test" of EMNIST byclass, classes balanced; downloaded (562 MB) where it is not there yet."""
    return balanced(parse(emnist_file(), split), seed)


def emnist_file() -> Path:
    """`emnist/emnist-byclass.mat` in the data folder, fetched and unpacked where it is missing."""
    folder = data_dir() / "emnist"
    source = tomllib.loads(Path(__file__).with_name("emnist.toml").read_text(encoding="utf-8"))
    path = folder / Path(source["member"]).name
    if not path.exists():
        archive = download(source["url"], folder / source["filename"], source.get("sha256"))
        unpack(archive, source["member"], path)
    return path


def unpack(archive: Path, member: str, path: Path) -> None:
    """One file of a zip archive, whole or not at all. Raises ValueError where the archive does not hold it."""
    try:
        with zipfile.ZipFile(archive) as packed, packed.open(member) as source, whole_file(path) as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{archive} is not the EMNIST archive: {error}") from error


def parse(path: Path, split: str) -> EmnistPart:
    """One split of a file as EMNIST gives it out. Raises ValueError where it is laid out otherwise."""
    from scipy.io import loadmat

    try:
        dataset = loadmat(path, squeeze_me=True, struct_as_record=False)["dataset"]
        part = getattr(dataset, split)
        # MATLAB writes columns first: every picture lies on its side.
        images = np.asarray(part.images, np.uint8).reshape(-1, SIZE, SIZE).swapaxes(1, 2)
        codes = {int(number): chr(int(code)) for number, code in np.atleast_2d(dataset.mapping)}
        text = "".join(codes[int(number)] for number in np.atleast_1d(part.labels))
        writers = [f"emnist-{int(writer)}" for writer in np.atleast_1d(part.writers)]
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not laid out like emnist-byclass.mat: {error!r}") from error
    if not len(images) == len(text) == len(writers):
        raise ValueError(f"{path} has {len(images)} images, {len(text)} labels and {len(writers)} writers")
    return EmnistPart(np.ascontiguousarray(images), text, writers)


def essentials(path: Path) -> dict[str, Any]:
    """What a file as EMNIST gives it out holds: characters in the order of their classes, shape, counts.

    Kept in `<name>-essentials.json` beside the file.
    """
    kept = path.with_name(f"{path.stem}-essentials.json")
    if not kept.exists():
        parts = {split: parse(path, split) for split in ("train", "test")}
        found = {
            "characters": sorted(set("".join(part.text for part in parts.values()))),
            "input_shape": [SIZE, SIZE],
            "images": {split: len(part.images) for split, part in parts.items()},
            "writers": {split: len(set(part.writers)) for split, part in parts.items()},
        }
        write_file(kept, (json.dumps(found, indent=1) + "\n").encode())
    content: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return content


def balanced(part: EmnistPart, seed: int = 0) -> EmnistPart:
    """At most the mean number of images of a class from each class, chosen at random, in random order."""
    rng = np.random.default_rng(seed)
    labels = np.array(list(part.text))
    classes, counts = np.unique(labels, return_counts=True)
    most = int(counts.mean()) if len(counts) else 0
    chosen = [rng.permutation(np.flatnonzero(labels == name))[:most] for name in classes]
    return part.choose(rng.permutation(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64))


def emnist_digits() -> EmnistPart:
    """The 10,000 digits of `emnist/emnist_digits_test.parquet` (columns `image.bytes`: PNG, `label`: 0 to 9).

    Raises FileNotFoundError where they are missing and ModuleNotFoundError where pyarrow, which reads them, is.
    """
    path = require(data_dir() / "emnist" / "emnist_digits_test.parquet", "the EMNIST digits")
    parquet = import_module("pyarrow.parquet")

    table = parquet.read_table(path).to_pydict()
    pictures = []
    for picture in table["image"]:
        with Image.open(io.BytesIO(picture["bytes"])) as image:
            pictures.append(np.array(image.convert("L")))
    text = "".join(str(label) for label in table["label"])
    return EmnistPart(np.stack(pictures), text, ["emnist"] * len(text))


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
