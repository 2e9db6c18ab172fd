"""`text-recognizer train`: run an experiment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from text_recognizer.cli.errors import explained


def train(
    experiment: Annotated[Path, typer.Argument(metavar="EXPERIMENT", help="A YAML file of experiments/.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[--FIELD=VALUE]...", help="Fields to change: --trainer.epochs=3")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of the run.")] = False,
) -> None:
    """Train a model from scratch, or go on where a run stopped."""
    # oneDNN keeps 1,024 prepared kernels; a network at a dozen widths needs more, and preparing is slow.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "20000")
    with explained():
        from text_recognizer.learning.training.experiment import load_experiment
        from text_recognizer.learning.training.run import train as run

        folder = run(load_experiment(experiment, overrides), resume=resume)
    typer.echo(f"trained: {folder}")
    typer.echo(f"make a model bundle of it with: text-recognizer export {folder} --output FOLDER")
