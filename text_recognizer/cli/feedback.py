"""`text-recognizer feedback`: what people read and corrected, as training data and as what they may have deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import BAD_INPUT, complain, explained

if TYPE_CHECKING:
    from text_recognizer.service.feedback import FeedbackStore

app = typer.Typer(
    help="Stored readings and corrections: export them for training, count them, delete them.", no_args_is_help=True
)

Database = Annotated[
    str, typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://...; by default the server's database.")
]
Images = Annotated[
    str, typer.Option(metavar="PATH", help="A folder, or s3://bucket/prefix; by default the server's images.")
]


@app.command()
def export(
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Folder of the training set to write.")],
    split: Annotated[str, typer.Option(help="train, val or test.")] = "train",
    replace: Annotated[bool, typer.Option("--replace", help="Replace an export that is there.")] = False,
    database: Database = "",
    images: Images = "",
) -> None:
    """Write the corrected and confirmed lines of readings with consent as a training set."""
    with _opened(database, images) as store:
        from text_recognizer.service.feedback.export import export_lines

        report = export_lines(store, output, split, replace)
    for why, count in report.skipped.items():
        complain(f"left out {count}: {why}")
    typer.echo(f"wrote {report.lines} lines of {report.writers} writers to {report.folder}")


@app.command()
def statistics(database: Database = "", images: Images = "") -> None:
    """Say how much is stored."""
    with _opened(database, images) as store:
        from dataclasses import asdict

        for name, count in asdict(store.statistics()).items():
            typer.echo(f"{name:12}{count:>9}")


@app.command()
def delete(
    reading: Annotated[str, typer.Argument(metavar="READING", help="The id of the reading.")],
    database: Database = "",
    images: Images = "",
) -> None:
    """Delete a reading with its corrections and images."""
    with _opened(database, images) as store:
        found = store.delete_reading(reading)
    if not found:
        complain(f"no reading is stored as {reading!r}")
        raise typer.Exit(BAD_INPUT)
    typer.echo(f"deleted {reading}")


@app.command()
def forget(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="Name of an API key, or of who corrected.")],
    database: Database = "",
    images: Images = "",
) -> None:
    """Delete the readings that a person owns, and the corrections and reviews that the person made."""
    with _opened(database, images) as store:
        from text_recognizer.service.feedback.records import feedback_database
        from text_recognizer.service.review.store import ReviewStore

        reviews = ReviewStore(database or feedback_database())
        count = store.forget(person) + reviews.forget(person)
        reviews.close()
    typer.echo(f"deleted {count} readings and corrections of {person}")


@app.command()
def purge(
    days: Annotated[int, typer.Option(min=0, help="Readings without consent are kept for so many days.")],
    database: Database = "",
    images: Images = "",
) -> None:
    """Delete older readings without consent, and images that nothing refers to."""
    with _opened(database, images) as store:
        count = store.purge(days)
    typer.echo(f"deleted {count} readings")


@contextmanager
def opened_store(database: str, images: str) -> Iterator[FeedbackStore]:
    """The store that the options name."""
    from text_recognizer.service.feedback import FeedbackStore
    from text_recognizer.service.feedback.records import feedback_database, feedback_images

    store = FeedbackStore(database or feedback_database(), images or feedback_images())
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _opened(database: str, images: str) -> Iterator[FeedbackStore]:
    """The same; its errors are explained."""
    with explained("serve"), opened_store(database, images) as store:
        yield store
