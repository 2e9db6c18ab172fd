"""`text-recognizer train`: run an experiment, or fine-tune a recogniser on one's own lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import explained

if TYPE_CHECKING:
    from text_recognizer.learning.experiments.config import Experiment
    from text_recognizer.learning.experiments.fine_tuning.fine_tune import FineTuned


def train(
    experiment: Annotated[
        str | None, typer.Argument(metavar="[EXPERIMENT]", help="A YAML file of experiments/.", show_default=False)
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[--FIELD=VALUE]...",
            help="Fields to change: --trainer.epochs=3, or --epochs 3 where one section only has it.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of the run.")] = False,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="BUNDLE",
            help="Instead of an experiment: fine-tune this line recogniser, a shipped name or a folder.",
            show_default=False,
        ),
    ] = "",
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="With --from: a folder of lines (lines.tsv), or of pages with PAGE or ALTO files. Several times.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="With --from: folder of the new bundle, by default named as the run.", show_default=False),
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0, help="With --from: of training at most; 0 for as many as the lines ask for.")
    ] = 0.0,
) -> None:
    """Train a model from scratch, go on where a run stopped, or fine-tune a line recogniser with --from and --data.

    A run of fine-tuning is named after bundle and folders, or by --name=NAME; its fields can be changed too.
    --overfit-batches 1 sees whether a batch can be learned by heart, --find-learning-rate suggests a learning rate.
    """
    # oneDNN keeps 1,024 prepared kernels; a network at a dozen widths needs more, and preparing is slow.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "20000")
    fields = overrides or []
    with explained():
        if start:
            fields = ([experiment] if experiment else []) + fields
            _fine_tune(start, data or [], output, minutes, resume, fields)
            return
        if data or output or minutes:
            raise ValueError("--data, --output and --minutes belong to --from BUNDLE (docs/fine-tuning.md)")
        if experiment is None:
            raise ValueError("name an experiment (a YAML file of experiments/), or fine-tune with --from and --data")
        _run(Path(experiment), fields, resume)


def _run(path: Path, overrides: list[str], resume: bool) -> None:
    """Run an experiment, or one of the rehearsals that it asks for."""
    from text_recognizer.learning.experiments.config import load_experiment

    chosen = load_experiment(path, overrides)
    if chosen.trainer.overfit_batches:
        _overfit(chosen)
    elif chosen.trainer.find_learning_rate:
        _find_learning_rate(chosen)
    else:
        _train(chosen, resume)


def _train(experiment: Experiment, resume: bool) -> None:
    from text_recognizer.learning.distributed import say
    from text_recognizer.learning.experiments.run import train as run

    folder = run(experiment, resume=resume)
    say(f"trained: {folder}")
    say(f"make a model bundle of it with: text-recognizer export {folder} --output FOLDER")


def _fine_tune(
    start: str, data: list[Path], output: Path | None, minutes: float, resume: bool, overrides: list[str]
) -> None:
    """Fine-tune, and print what it brought."""
    from text_recognizer.learning.experiments.fine_tuning.fine_tune import fine_tune

    _show(fine_tune(start, data, output, minutes=minutes, resume=resume, overrides=overrides))


def _show(tuned: FineTuned) -> None:
    """A table of errors before and after, a plain word where it did not help, and how to use the bundle."""
    from rich.console import Console
    from rich.table import Table

    from text_recognizer.learning.experiments.fine_tuning.evaluate import table, verdict

    shown = Table("set", "lines", "read", "CER %", "WER %", title="before -> after")
    for row in table(tuned.before, tuned.after):
        shown.add_row(*row)
    Console().print(shown)
    for sentence in verdict(tuned.before, tuned.after):
        typer.echo(sentence)
    typer.echo(f"wrote {tuned.bundle}; read with it: text-recognizer read --model {tuned.bundle} FILE")


def _overfit(experiment: Experiment) -> None:
    """Say pass or fail; exit code 1 for fail."""
    from text_recognizer.learning.experiments.sanity_checks import overfit

    verdict = overfit(experiment)
    typer.echo(f"\n{verdict}")
    raise typer.Exit(0 if verdict.passed else 1)


def _find_learning_rate(experiment: Experiment) -> None:
    from text_recognizer.learning.experiments.sanity_checks import find_learning_rate

    rate, picture = find_learning_rate(experiment)
    typer.echo(f"\nsuggested: --learning-rate={rate:.1e} ({picture} shows the curve)")
