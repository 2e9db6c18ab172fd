"""A small labelling folder without writing on it, and the commands on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image
from typer.main import get_command

from text_recognizer.cli.main import app
from text_recognizer.labeling.folder import LabelingFolder

COMMAND = get_command(app)  # once, for that takes half a second
SIZE = (400, 300)
FIRST, SECOND = (40, 40, 300, 40), (40, 120, 340, 40)  # left, top, width, height of lines


def box(x: float, y: float, w: float, h: float):
    return ((x, y), (x + w, y), (x + w, y + h), (x, y + h))


def make_folder(made: Path) -> Path:
    """Four blank pages, two of them of one name."""
    for name in ("letter one.jpg", "b.png", "inner/c.png", "other/c.png"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full(SIZE[::-1], 240, np.uint8)).save(made / name)
    return made


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and all that the program says, on one line."""
    found = CliRunner().invoke(COMMAND, ["label", *map(str, arguments)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, " ".join(found.output.split())


def said(folder: Path) -> set[tuple[str, str, str, str]]:
    return {(label.page, label.line, label.status, label.text) for label in LabelingFolder(folder).labels()}
