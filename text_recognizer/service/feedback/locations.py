"""Where feedback is kept: the same place for the server and for the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME_VARIABLE = "TEXT_RECOGNIZER_HOME"
DATABASE_VARIABLE = "TEXT_RECOGNIZER_FEEDBACK_DATABASE"
IMAGES_VARIABLE = "TEXT_RECOGNIZER_FEEDBACK_IMAGES"


def home_dir() -> Path:
    """The folder of what the program keeps for its user: $TEXT_RECOGNIZER_HOME, or the platform's folder for that."""
    chosen = os.environ.get(HOME_VARIABLE)
    return Path(chosen).expanduser().absolute() if chosen else _platform_dir() / "text-recognizer"


def feedback_database() -> str:
    """The URL of the feedback database: $TEXT_RECOGNIZER_FEEDBACK_DATABASE, or a SQLite file in the home folder."""
    return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{(home_dir() / 'feedback.db').as_posix()}"


def feedback_images() -> str:
    """The folder or URL of the images: $TEXT_RECOGNIZER_FEEDBACK_IMAGES, or `images` in the home folder."""
    return os.environ.get(IMAGES_VARIABLE) or str(home_dir() / "images")


def _platform_dir() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    chosen = Path(os.environ.get("XDG_DATA_HOME") or "")
    # The XDG base directory specification: a relative path is invalid and is to be ignored.
    return chosen if chosen.is_absolute() else Path.home() / ".local" / "share"
