"""`text-recognizer evaluate` and `diagnose`: error rates of a model, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from text_recognizer.cli.errors import explained


def evaluate(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...", help="Line sources, by default iam-val copiste-val; with --suite the bundle."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Recogniser of lines, paragraphs or characters: a shipped name or a folder.")
    ] = "lines",
    detector: Annotated[
        str, typer.Option(help="Line detector: a shipped name, a folder, or auto: the one of the model.")
    ] = "auto",
    language: Annotated[
        str, typer.Option(help="Language model for lines and pages: a shipped name, a folder, none, or auto.")
    ] = "none",
    tta: Annotated[
        int,
        typer.Option("--tta", "--looks", min=1, max=3, help="Test-time augmentation: views of each line, 1 for none."),
    ] = 1,
    pages: Annotated[bool, typer.Option(help="Measure whole pages too (IAM forms and Copiste pages of val).")] = False,
    worst: Annotated[int, typer.Option(help="Print so many of the worst lines.")] = 0,
    confusion: Annotated[Path | None, typer.Option(help="PNG to write the confusion matrix of characters to.")] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(help="Run a suite instead: basic, accuracy, or a folder; several times for more."),
    ] = None,
    against: Annotated[
        str, typer.Option(help="With --suite: a bundle to compare with, production for the promoted one.")
    ] = "",
    report: Annotated[Path | None, typer.Option(help="With --suite: HTML file to write the report to.")] = None,
) -> None:
    """Measure CER and WER on lines or paragraphs, line detection and CER on pages, or accuracy on characters.

    With --suite: what a model must do before it is promoted; exit code 1 where it does not.
    """
    if suite:
        from text_recognizer.cli.promote import run_suites

        run_suites(sources or [model], suite, against, report)
        return
    with explained():
        from text_recognizer.learning import tasks
        from text_recognizer.recognition.bundle import bundle_task

        options = tasks.EvaluationOptions(sources or (), detector, language, tta, pages, worst, confusion)
        tasks.find(bundle_task(model)).print_scores(model, options)


def diagnose(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run or its name, or a model bundle.")],
    target: Annotated[
        list[str] | None,
        typer.Option(help="What it shall read: copiste-val, folder:PATH, pages:PATH. By default the run's val."),
    ] = None,
    samples: Annotated[int, typer.Option(min=10, help="Lines or characters to measure each error on.")] = 300,
    irreducible: Annotated[
        float | None, typer.Option(min=0, max=100, help="Percent that no reader gets right; otherwise assumed.")
    ] = None,
    best: Annotated[str, typer.Option(help="A bundle whose error is taken for the irreducible one.")] = "",
    test: Annotated[
        bool, typer.Option(help="Measure test too. Seldom: a test set wears out by being looked at.")
    ] = False,
    picture: Annotated[Path | None, typer.Option(help="PNG to draw the parts into.")] = None,
) -> None:
    """Take the error apart into irreducible, bias, variance and shift, and say what to try next."""
    with explained(), _bundle_of(run) as bundle:
        from text_recognizer.learning.evaluation.diagnosis import diagnose as parts
        from text_recognizer.learning.evaluation.diagnosis_report import diagnosis_picture, print_diagnosis

        floor = None if irreducible is None else irreducible / 100
        terms = parts(bundle, target or (), samples, floor, best, test)
        title = f"{run}: parts of the error, in points of percent"
        print_diagnosis(terms, title)
        if picture is not None:
            diagnosis_picture(terms, title).save(picture, "PNG")
            typer.echo(f"wrote {picture}")


@contextmanager
def _bundle_of(run: str) -> Iterator[str]:
    """The bundle that is meant, or that of a run's last checkpoint (averaged weights), made for the moment."""
    import tempfile

    from text_recognizer.learning.export.export import export_run
    from text_recognizer.paths import runs_dir

    if not any((folder / "experiment.json").is_file() for folder in (Path(run), runs_dir() / run)):
        yield run
        return
    with tempfile.TemporaryDirectory() as folder:
        yield str(export_run(Path(run), Path(folder) / Path(run).name, "0", measure=False))
