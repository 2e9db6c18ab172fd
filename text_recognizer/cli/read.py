"""`text-recognizer read`: images of handwriting to text."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
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
    paragraph = "paragraph"
    line = "line"
    character = "character"


def read(
    paths: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Images: PNG, JPEG, TIFF, WebP, BMP.")],
    format: Annotated[FormatName, typer.Option(help="How to write what was read.")] = FormatName.txt,
    output: Annotated[Path | None, typer.Option(help="Folder for one file an image, instead of stdout.")] = None,
    unit: Annotated[
        Unit, typer.Option(help="What an image holds: a page, one paragraph, one cropped line, or one character.")
    ] = Unit.page,
    model: Annotated[
        str | None, typer.Option(help="Recogniser of lines (characters, paragraphs): a shipped name or a folder.")
    ] = None,
    detector: Annotated[str, typer.Option(help="Line detector: a shipped name or a folder.")] = "detector",
    language: Annotated[
        str, typer.Option(help="Language model for lines: a shipped name, a folder, none, or auto: the model's own.")
    ] = "auto",
    looks: Annotated[
        int,
        typer.Option(min=1, max=3, help="Looks at each line: more make fewer errors and take as many times as long."),
    ] = 1,
) -> None:
    """Read images of handwriting. A file that cannot be read is named on stderr; the others still are read."""
    warnings.filterwarnings("ignore", module="PIL")  # of odd metadata; what cannot be read is an error of ours
    with explained():
        from text_recognizer import TextRecognizer

        if unit is Unit.character:
            recognizer = TextRecognizer(characters=model or "characters")
            _ = recognizer.character_reader
        elif unit is Unit.paragraph:
            recognizer = TextRecognizer(paragraphs=model or "paragraphs", detector=detector)
            _ = recognizer.paragraph_reader
        else:
            recognizer = TextRecognizer(lines=model or "lines", detector=detector, language=language, looks=looks)
        if unit is Unit.page:
            _ = recognizer.detector  # loaded now, so that a wrong one is named before anything is read
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
    sink = Folder(output, format.value) if output is not None else Screen(format.value, several=len(paths) > 1)
    failed = False
    for path in paths:
        page = _read_one(recognizer, path, unit)
        failed |= page is None or not sink.write(page, path)
    sink.close()
    if failed:
        raise typer.Exit(BAD_INPUT)


def _read_one(recognizer: TextRecognizer, path: Path, unit: Unit) -> Page | None:
    """The page of one file; None, after a line on stderr, where it cannot be read."""
    from text_recognizer.images import ImageError, open_image

    try:
        if unit is Unit.page:
            return recognizer.read(path)
        if unit is Unit.paragraph:
            return recognizer.read_paragraph(path)
        image = open_image(path)
        if unit is Unit.character:
            line = recognizer.read_characters([image])[0]
            models = {"characters": recognizer.character_reader.bundle.identity}
        else:
            line = recognizer.read_lines([image])[0]
            models = recognizer.line_models()
        return Page((line,) if line.text else (), image.shape[1], image.shape[0], str(path), models)
    except ImageError as error:
        complain(error)
        return None


class Screen:
    """Writes pages to stdout: texts under the names of their files, JSON as one document (a list of several)."""

    def __init__(self, format: str, several: bool) -> None:
        self.format, self.several, self.count = format, several, 0

    def write(self, page: Page, path: Path) -> bool:
        """Write one page."""
        text = FORMATS[self.format][1](page)
        if self.several and self.format == "json":
            text = (",\n" if self.count else "[\n") + text.rstrip("\n")
        elif self.several:
            text = f"==> {path} <==\n{text}\n"
        self.count += 1
        self._print(text)
        return True

    def close(self) -> None:
        """End the document."""
        if self.several and self.format == "json":
            self._print("\n]\n" if self.count else "[]\n")

    def _print(self, text: str) -> None:
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()


class Folder:
    """Writes a file a page into a folder."""

    def __init__(self, folder: Path, format: str) -> None:
        self.folder, self.format = folder, format
        self.written: set[Path] = set()

    def write(self, page: Page, path: Path) -> bool:
        """Write one page; False, after a line on stderr, where that fails or would replace another page's file."""
        suffix, form = FORMATS[self.format]
        target = self.folder / f"{path.stem}{suffix}"
        if target in self.written:
            complain(f"{path} is not written: {target} holds another image of this call with the same name")
            return False
        try:
            _write_file(target, form(page))
        except OSError as error:
            complain(f"{target} cannot be written: {error}")
            return False
        self.written.add(target)
        return True

    def close(self) -> None:
        """Nothing to end: every file is whole."""


def _write_file(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
