"""`text-recognizer read`: images and documents of handwriting to text, into files or on the screen."""

from __future__ import annotations

import itertools
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import BAD_INPUT, complain, explained
from text_recognizer.formats import FORMATS
from text_recognizer.formats.format import Format, Picture
from text_recognizer.page import Page

if TYPE_CHECKING:
    from text_recognizer.jobs.documents import Opener, PageNumbers
    from text_recognizer.jobs.sources import Source
    from text_recognizer.jobs.worker import Reader, Recipe


def format_name(name: str) -> str:
    """The name of a format; those of other packages are looked for where it is none of ours."""
    try:
        return FORMATS[name].name
    except KeyError:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, FORMATS))}.") from None


class Unit(StrEnum):
    """What an image holds."""

    page = "page"
    paragraph = "paragraph"
    line = "line"
    character = "character"


def read(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="PNG, JPEG, TIFF, WebP, BMP, PDF; folders and zip archives of them, globs in quotes, - for stdin.",
        ),
    ],
    format: Annotated[
        list[str],
        typer.Option(
            parser=format_name,
            metavar=f"<list[{'|'.join(FORMATS)}]>",
            help="How to write what was read; several times with --output.",
        ),
    ] = ["txt"],  # noqa: B006 - nobody changes it
    output: Annotated[
        str | None, typer.Option(help="Folder for a file a document, instead of stdout; goes on where it stopped.")
    ] = None,
    unit: Annotated[
        Unit, typer.Option(help="What an image holds: a page, one paragraph, one cropped line, or one character.")
    ] = Unit.page,
    model: Annotated[
        str | None, typer.Option(help="Recogniser of lines (characters, paragraphs): a shipped name or a folder.")
    ] = None,
    detector: Annotated[
        str, typer.Option(help="Line detector: a shipped name, a folder, or auto: the one of the model.")
    ] = "auto",
    language: Annotated[
        str, typer.Option(help="Language model for lines: a shipped name, a folder, none, or auto: the model's own.")
    ] = "auto",
    tta: Annotated[
        int,
        typer.Option(
            "--tta",
            "--looks",
            min=1,
            max=3,
            help="Test-time augmentation: views of each line, 1 for none. More help with unusual hands, and take as "
            "many times as long.",
        ),
    ] = 1,
    prepare: Annotated[
        str,
        typer.Option(help="Before a page is read: none, auto, or some of outline,crop,deskew,split,light."),
    ] = "auto",
    pages: Annotated[str, typer.Option(help="Which pages of documents: 1-3,7 or 5-; all by default.")] = "",
    dpi: Annotated[int, typer.Option(min=50, max=1200, help="At which pages of PDF files are rendered.")] = 200,
    jobs: Annotated[int, typer.Option(min=0, max=256, help="With --output: processes that read; 0: one a core.")] = 1,
    again: Annotated[bool, typer.Option("--again", help="With --output: read again what was read before.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --output: read again what could not be read before.")
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(help="With --output: read on the Ray cluster at this address, or local; stores as s3://... too."),
    ] = None,
) -> None:
    """Read handwriting. What cannot be read is named on stderr, and the rest still is read."""
    warnings.filterwarnings("ignore", module="PIL")  # of odd metadata; what cannot be read is an error of ours
    with explained():
        from text_recognizer.jobs.documents import PageNumbers
        from text_recognizer.jobs.worker import Recipe

        formats = tuple(dict.fromkeys(format))
        recipe = Recipe(unit.value, model, detector, language, tta, prepare, dpi)
        numbers = PageNumbers(pages)
        if ray is not None:
            failed = _on_cluster(inputs, output, formats, recipe, numbers, ray, 0 if jobs == 1 else jobs)
        elif output is not None:
            from text_recognizer.jobs.run import Job, run_job

            tally = run_job(Job(tuple(inputs), Path(output), formats, recipe, numbers, jobs, again, retry_failed))
            failed = tally.failed + tally.failed_before > 0
        elif len(formats) > 1 or jobs != 1 or again or retry_failed:
            raise ValueError("several formats, --jobs, --again and --retry-failed need a folder to write to: --output")
        else:
            failed = not _to_screen(inputs, FORMATS[formats[0]], recipe, numbers)
    if failed:
        raise typer.Exit(BAD_INPUT)


def _on_cluster(
    inputs: list[str],
    output: str | None,
    formats: tuple[str, ...],
    recipe: Recipe,
    numbers: PageNumbers,
    address: str,
    actors: int,
) -> bool:
    """Read on a Ray cluster, and say what was read; whether something failed."""
    from text_recognizer.jobs.cluster import ClusterJob, run_on_cluster

    if output is None:
        raise ValueError("--ray needs a folder or a store to write to: --output")
    tally = run_on_cluster(ClusterJob(tuple(inputs), output, formats, recipe, numbers, address, actors))
    for line in tally.lines():
        typer.echo(line, err=True)
    return tally.failed > 0


def _to_screen(inputs: list[str], form: Format, recipe: Recipe, numbers: PageNumbers) -> bool:
    """Read one page after the other in this process; whether all could be read."""
    from text_recognizer.jobs.documents import Opener
    from text_recognizer.jobs.sources import Sources
    from text_recognizer.jobs.worker import Reader

    reader = Reader(recipe)  # first, so that a wrong model is named before anything is read
    sources = Sources(inputs)
    found = iter(sources)
    first = list(itertools.islice(found, 2))
    if not first:
        raise ValueError(f"nothing to read: {sources.passed_over} files, none of a kind that is known")
    readings = _Readings(reader, Opener(recipe.max_pixels, recipe.dpi), numbers, form)
    pages = readings.of(itertools.chain(first, found))
    start = list(itertools.islice(pages, 1))  # a document that is alone says how many pages it has once it is open
    with Screen(form, several=len(first) > 1 or readings.longest > 1) as screen:
        for page, picture in itertools.chain(start, pages):
            screen.write(page, picture)
    return not readings.failed


class _Readings:
    """Reads documents page by page. failed: whether something could not be read. longest: pages of a document."""

    def __init__(self, reader: Reader, opener: Opener, numbers: PageNumbers, form: Format) -> None:
        self._reader, self._opener, self._numbers, self._form = reader, opener, numbers, form
        self.failed = False
        self.longest = 0

    def of(self, sources: Iterator[Source]) -> Iterator[tuple[Page, Picture]]:
        """The pages that can be read; of each other one there is a line on stderr."""
        from text_recognizer.images import ImageError
        from text_recognizer.jobs.worker import read_page

        for source in sources:
            try:
                document = self._opener.open(source)
            except ImageError as error:
                self._complain(error)
                continue
            self.longest = max(self.longest, len(document))
            numbers = self._numbers.of(len(document))
            if not numbers:
                complain(f"{source.name} has {len(document)} pages, none of which --pages {self._numbers.text} names")
            told = False
            for number in numbers:
                try:
                    yield read_page(self._reader, document, number, [self._form.name])
                except ImageError as error:
                    self._complain(error)
                    continue
                if not told and document.document.has_text(number - 1):
                    told = True
                    complain(f"{source.name} holds text already; what is read is its picture")

    def _complain(self, error: Exception) -> None:
        self.failed = True
        complain(error)


class Screen:
    """Writes pages to stdout, each as soon as it is read. Use as a context.

    Of several, JSON is one document, a list; texts stand under the names of their pages; other formats that can hold
    several pages are one file, which comes at the end.
    """

    def __init__(self, form: Format, several: bool) -> None:
        self._form, self._several = form, several
        self._headed = form.media_type in ("text/plain", "text/markdown") or not form.several
        self._listed = form.name == "json"
        self._parts: list[Path] = []
        self._count = 0
        self._stack = ExitStack()

    def __enter__(self) -> Screen:
        if self._several and not self._headed and not self._listed:
            self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._stack:
            if not self._several or kind is not None:
                return
            if self._listed:
                _print(b"\n]\n" if self._count else b"[]\n")
            elif self._parts:
                self._form.join(self._parts, sys.stdout.buffer)
                sys.stdout.buffer.flush()

    def write(self, page: Page, picture: Picture) -> None:
        """Write one page. Raises ValueError where the format cannot hold it."""
        data = self._form.write(page, picture)
        if not self._several:
            _print(data)
        elif self._listed:
            _print((b",\n" if self._count else b"[\n") + data.rstrip(b"\n"))
        elif self._headed:
            _print(f"==> {page.source} <==\n".encode("utf-8", "backslashreplace") + data + b"\n")
        else:
            self._parts.append(self._folder / f"{self._count:06d}{self._form.suffix}")
            self._parts[-1].write_bytes(data)
        self._count += 1


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
