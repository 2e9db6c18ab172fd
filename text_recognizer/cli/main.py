"""The program `text-recognizer`."""

from __future__ import annotations

from typing import Annotated

import typer

from text_recognizer import __version__
from text_recognizer.cli.data import app as data
from text_recognizer.cli.evaluate import diagnose, evaluate
from text_recognizer.cli.export import ensemble, export, language_model, quantize
from text_recognizer.cli.feedback import app as feedback
from text_recognizer.cli.improve import app as improve
from text_recognizer.cli.label import app as label
from text_recognizer.cli.models import app as models
from text_recognizer.cli.monitor import app as monitor
from text_recognizer.cli.project import app as project
from text_recognizer.cli.promote import promote
from text_recognizer.cli.read import read
from text_recognizer.cli.serve import api_key, serve
from text_recognizer.cli.sweep import leaderboard, sweep
from text_recognizer.cli.train import train

app = typer.Typer(
    help="Reads handwriting, and learns to read yours.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(read)
app.command(context_settings={"ignore_unknown_options": True})(train)
app.command()(sweep)
app.command()(evaluate)
app.command()(leaderboard)
app.command()(diagnose)
app.command()(promote)
app.command()(export)
app.command()(ensemble)
app.command()(quantize)
app.command()(language_model)
app.command()(serve)
app.command()(api_key)
app.add_typer(feedback, name="feedback")
app.add_typer(improve, name="improve")
app.add_typer(data, name="data")
app.add_typer(label, name="label")
app.add_typer(models, name="models")
app.add_typer(project, name="project")
app.add_typer(monitor, name="monitor")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"text-recognizer {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Reads handwriting, and learns to read yours."""


def main() -> None:
    """Entry point of the program."""
    app()


if __name__ == "__main__":
    main()
