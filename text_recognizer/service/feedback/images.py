"""Page images by their content: the key of an image is the SHA-256 of its bytes and the suffix of its format.

The same image is stored once. Files lie two levels deep, `ab/abcd....webp`.
"""

from __future__ import annotations

import hashlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from text_recognizer.atomic_files import write_file
from text_recognizer.service.feedback.records import DamagedImage, FeedbackUnavailable

_KEY = re.compile(r"[0-9a-f]{64}\.(jpg|png|webp)")
_ABANDONED = 24 * 3600  # seconds after which an unfinished file is nobody's
_S3_PATIENCE = {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 2}}


def image_key(data: bytes) -> str:
    """The key of an encoded image. Raises ValueError where it is neither JPEG, PNG nor WebP."""
    if data.startswith(b"\xff\xd8\xff"):
        suffix = "jpg"
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        suffix = "png"
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        suffix = "webp"
    else:
        raise ValueError("the image to store is neither JPEG, PNG nor WebP")
    return f"{hashlib.sha256(data).hexdigest()}.{suffix}"


def open_images(url: str) -> ImageStore:
    """The images in a folder (a path or file://...) or under a URL of fsspec.

    Raises ValueError for a URL that fsspec does not know or whose driver is not installed.
    """
    if url.startswith("file://"):
        return FolderImages(Path(url.removeprefix("file://")))
    return RemoteImages(url) if "://" in url else FolderImages(Path(url))


class ImageStore(ABC):
    """Images by key. Every method raises FeedbackUnavailable where the place cannot be used, and ValueError for
    a key that is none: a key never leads out of the place."""

    def __init__(self, name: str) -> None:
        self.name = name

    def write(self, data: bytes) -> str:
        """Store an encoded image, whole or not at all, and return its key. Raises ValueError for another format."""
        key = image_key(data)
        with self._explained():
            self._put(_place(key), data)
        return key

    def read(self, key: str) -> bytes | None:
        """The image, or None where there is none. Raises DamagedImage where it is not what was stored."""
        place = _place(key)
        with self._explained():
            try:
                data = self._get(place)
            except FileNotFoundError:
                return None
        if hashlib.sha256(data).hexdigest() != key[:64]:
            raise DamagedImage(f"the image {place} in {self.name} is damaged: its content has another hash")
        return data

    def exists(self, key: str) -> bool:
        """Whether the image is there."""
        place = _place(key)
        with self._explained():
            return self._has(place)

    def delete(self, key: str) -> None:
        """Delete the image, where it is there."""
        place = _place(key)
        with self._explained():
            try:
                self._remove(place)
            except FileNotFoundError:
                return

    def list_keys(self) -> list[str]:
        """The keys of all images, in no order; other files are passed over."""
        with self._explained():
            return [name for name in self._names() if _KEY.fullmatch(name)]

    def remove_partial(self) -> None:
        """Remove what interrupted writes left behind. Object stores show an object only when it is whole."""
        return

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FeedbackUnavailable:
            raise
        except Exception as error:  # each object store has exceptions of its own, many of which are no OSError
            raise FeedbackUnavailable(f"the images in {self.name} cannot be used: {error}") from error

    @abstractmethod
    def _put(self, place: str, data: bytes) -> None: ...

    @abstractmethod
    def _get(self, place: str) -> bytes: ...

    @abstractmethod
    def _has(self, place: str) -> bool: ...

    @abstractmethod
    def _remove(self, place: str) -> None: ...

    @abstractmethod
    def _names(self) -> Iterator[str]: ...


class FolderImages(ImageStore):
    """Images in a folder of this machine, made when the first image is stored."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._folder = folder

    def _put(self, place: str, data: bytes) -> None:
        write_file(self._folder / place, data)

    def _get(self, place: str) -> bytes:
        return (self._folder / place).read_bytes()

    def _has(self, place: str) -> bool:
        return (self._folder / place).is_file()

    def _remove(self, place: str) -> None:
        (self._folder / place).unlink()

    def _names(self) -> Iterator[str]:
        return (path.name for path in self._folder.glob("[0-9a-f][0-9a-f]/*") if path.is_file())

    def remove_partial(self) -> None:
        """Remove what writes that were interrupted a day ago or longer left behind."""
        with self._explained():
            for path in self._folder.glob("[0-9a-f][0-9a-f]/.*.partial*"):
                if path.stat().st_mtime < time.time() - _ABANDONED:
                    path.unlink(missing_ok=True)


class RemoteImages(ImageStore):
    """Images under a URL of fsspec. Credentials and endpoint come from the environment, for s3 AWS_ACCESS_KEY_ID,
    AWS_ENDPOINT_URL and the others that AWS tools know."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        options: dict[str, Any] = {"use_listings_cache": False}  # other processes write there too
        if url.startswith(("s3://", "s3a://")):
            options["config_kwargs"] = _S3_PATIENCE
        try:
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(url, **options)
        except ImportError as error:
            raise ValueError(f'images in {url}: {error}; for s3, pip install "text-recognizer[serve,s3]"') from error

    def _put(self, place: str, data: bytes) -> None:
        self._files.pipe_file(f"{self._root}/{place}", data)

    def _get(self, place: str) -> bytes:
        data: bytes = self._files.cat_file(f"{self._root}/{place}")
        return data

    def _has(self, place: str) -> bool:
        return bool(self._files.isfile(f"{self._root}/{place}"))

    def _remove(self, place: str) -> None:
        self._files.rm_file(f"{self._root}/{place}")

    def _names(self) -> Iterator[str]:
        return (path.rpartition("/")[2] for path in self._files.find(self._root))


def _place(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key of an image")
    return f"{key[:2]}/{key}"
