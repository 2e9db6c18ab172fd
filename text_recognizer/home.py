"""Where the program keeps what is its user's: feedback, promoted models."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME_VARIABLE = "TEXT_RECOGNIZER_HOME"


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
