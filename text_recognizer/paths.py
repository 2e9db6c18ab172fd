"""Folders of this machine: datasets, caches, runs, and what the program keeps for its user."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DATA_VARIABLE = "TEXT_RECOGNIZER_DATA"
CACHE_VARIABLE = "TEXT_RECOGNIZER_CACHE"

HOME_VARIABLE = "TEXT_RECOGNIZER_HOME"


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


def home_dir() -> Path:
    """The folder of what the program keeps for its user: $TEXT_RECOGNIZER_HOME, or the platform's folder for that."""
    chosen = os.environ.get(HOME_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else _platform_dir() / "text-recognizer"


def _platform_dir() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    chosen = Path(os.environ.get("XDG_DATA_HOME") or "")
    # The XDG base directory specification: a relative path is invalid and is to be ignored.
    return chosen if chosen.is_absolute() else Path.home() / ".local" / "share"
