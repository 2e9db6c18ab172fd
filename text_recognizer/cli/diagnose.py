"""`text-recognizer diagnose`: where the errors of a model come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from text_recognizer.cli.errors import explained


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
        from text_recognizer.learning.evaluation.diagnose import diagnose as parts
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

    from text_recognizer.learning.data.locations import runs_dir
    from text_recognizer.learning.training.export import export_run

    if not any((folder / "experiment.json").is_file() for folder in (Path(run), runs_dir() / run)):
        yield run
        return
    with tempfile.TemporaryDirectory() as folder:
        yield str(export_run(Path(run), Path(folder) / Path(run).name, "0", measure=False))
