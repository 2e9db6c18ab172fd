"""`text-recognizer train`: run an experiment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import explained

if TYPE_CHECKING:
    from text_recognizer.learning.experiments.experiment import Experiment


def train(
    experiment: Annotated[Path, typer.Argument(metavar="EXPERIMENT", help="A YAML file of experiments/.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[--FIELD=VALUE]...",
            help="Fields to change: --trainer.epochs=3, or --epochs 3 where one section only has it.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of the run.")] = False,
) -> None:
    """Train a model from scratch, or go on where a run stopped.

    --overfit-batches 1 sees whether a batch can be learned by heart, --find-learning-rate suggests a learning rate.
    """
    # oneDNN keeps 1,024 prepared kernels; a network at a dozen widths needs more, and preparing is slow.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "20000")
    with explained():
        from text_recognizer.learning.experiments.experiment import load_experiment

        chosen = load_experiment(experiment, overrides)
        if chosen.trainer.overfit_batches:
            _overfit(chosen)
        elif chosen.trainer.find_learning_rate:
            _find_learning_rate(chosen)
        else:
            _train(chosen, resume)


def _train(experiment: Experiment, resume: bool) -> None:
    from text_recognizer.learning.experiments.run import train as run
    from text_recognizer.learning.training.ranks import say

    folder = run(experiment, resume=resume)
    say(f"trained: {folder}")
    say(f"make a model bundle of it with: text-recognizer export {folder} --output FOLDER")


def _overfit(experiment: Experiment) -> None:
    """Say pass or fail; exit code 1 for fail."""
    from text_recognizer.learning.experiments.rehearsals import overfit

    verdict = overfit(experiment)
    typer.echo(f"\n{verdict}")
    raise typer.Exit(0 if verdict.passed else 1)


def _find_learning_rate(experiment: Experiment) -> None:
    from text_recognizer.learning.experiments.rehearsals import find_learning_rate

    rate, picture = find_learning_rate(experiment)
    typer.echo(f"\nsuggested: --learning-rate={rate:.1e} ({picture} shows the curve)")
