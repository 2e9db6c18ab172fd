"""Where data and caches lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

DATA_VARIABLE = "TEXT_RECOGNIZER_DATA"
CACHE_VARIABLE = "TEXT_RECOGNIZER_CACHE"


def data_dir() -> Path:
    """The folder of the datasets: $TEXT_RECOGNIZER_DATA, or `data` in the working directory."""
    return Path(os.environ.get(DATA_VARIABLE, "data"))


def cache_dir() -> Path:
    """The folder of prepared data: $TEXT_RECOGNIZER_CACHE, or `~/.cache/text-recognizer`."""
    return Path(os.environ.get(CACHE_VARIABLE, Path.home() / ".cache" / "text-recognizer"))


def runs_dir() -> Path:
    """The folder of training runs with their checkpoints, inside the cache folder."""
    return cache_dir() / "runs"


def require(path: Path, what: str) -> Path:
    """The path, where it exists. Raises FileNotFoundError that says what is missing and how to provide it."""
    if not path.exists():
        raise FileNotFoundError(
            f"{what} are not at {path}: set {DATA_VARIABLE} to the folder that holds the datasets (docs/data.md "
            "says where each is given out and how the folder is laid out)"
        )
    return path
