"""`text-recognizer read`: images of handwriting to text."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import BAD_INPUT, complain, explained
from text_recognizer.formats import FORMATS
from text_recognizer.page import Page

if TYPE_CHECKING:
    from text_recognizer import TextRecognizer


class FormatName(StrEnum):
    """The formats of `text_recognizer.formats`."""

    txt = "txt"
    json = "json"


class Unit(StrEnum):
    """What an image holds."""

    page = "page"
    line = "line"


def read(
    paths: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Images: PNG, JPEG, TIFF, WebP, BMP.")],
    format: Annotated[FormatName, typer.Option(help="How to write what was read.")] = FormatName.txt,
    output: Annotated[Path | None, typer.Option(help="Folder for one file an image, instead of stdout.")] = None,
    unit: Annotated[Unit, typer.Option(help="Whether an image holds a page or one cropped line.")] = Unit.page,
    lines: Annotated[str, typer.Option("--model", help="Line recogniser: a shipped name or a folder.")] = "lines",
    detector: Annotated[str, typer.Option(help="Line detector: a shipped name or a folder.")] = "detector",
) -> None:
    """Read images of handwriting. A file that cannot be read is named on stderr; the others still are read."""
    suffix, write = FORMATS[format.value]
    with explained():
        from text_recognizer import TextRecognizer

        recognizer = TextRecognizer(lines=lines, detector=detector)
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
    failed = False
    for path in paths:
        page = _read_one(recognizer, path, unit)
        if page is None:
            failed = True
        elif output is not None:
            with explained():
                _write_file(output / f"{path.stem}{suffix}", write(page))
        else:
            _print(page, path, write, header=len(paths) > 1 and format.value == "txt")
    if failed:
        raise typer.Exit(BAD_INPUT)


def _read_one(recognizer: TextRecognizer, path: Path, unit: Unit) -> Page | None:
    """The page of one file; None, after a line on stderr, where it cannot be read."""
    from text_recognizer.images import ImageError, open_image

    try:
        if unit is Unit.page:
            return recognizer.read(path)
        image = open_image(path)
        line = recognizer.read_lines([image])[0]
        return Page((line,) if line.text else (), image.shape[1], image.shape[0], str(path))
    except ImageError as error:
        complain(error)
        return None


def _print(page: Page, path: Path, write: Callable[[Page], str], header: bool) -> None:
    text = f"==> {path} <==\n{write(page)}\n" if header else write(page)
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def _write_file(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
