"""Where feedback is kept: the same place for the server and for the command line."""

from __future__ import annotations

import os

from text_recognizer.home import HOME_VARIABLE, home_dir

__all__ = ["DATABASE_VARIABLE", "HOME_VARIABLE", "IMAGES_VARIABLE", "feedback_database", "feedback_images", "home_dir"]

DATABASE_VARIABLE = "TEXT_RECOGNIZER_FEEDBACK_DATABASE"
IMAGES_VARIABLE = "TEXT_RECOGNIZER_FEEDBACK_IMAGES"


def feedback_database() -> str:
    """The URL of the feedback database: $TEXT_RECOGNIZER_FEEDBACK_DATABASE, or a SQLite file in the home folder."""
    return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{(home_dir() / 'feedback.db').as_posix()}"


def feedback_images() -> str:
    """The folder or URL of the images: $TEXT_RECOGNIZER_FEEDBACK_IMAGES, or `images` in the home folder."""
    return os.environ.get(IMAGES_VARIABLE) or str(home_dir() / "images")
