"""`text-recognizer export`: a training run to a model bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from text_recognizer.cli.errors import explained


def export(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Folder of a training run, or its name; of several that began with the same weights, their mean.",
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    version: Annotated[str, typer.Option(help="Version of the model.")] = "1",
    measure: Annotated[bool, typer.Option(help="Measure the bundle on val and write the scores into it.")] = True,
    language: Annotated[
        str, typer.Option(help="Language model that lines are to be read with: a shipped name or a folder.")
    ] = "language",
    detector: Annotated[
        str, typer.Option(help="Line detector that goes with a recogniser of lines: a shipped name or a folder.")
    ] = "detector",
    stretch: Annotated[
        float, typer.Option(min=0.5, max=2, help="Make lines so much wider for reading; measure what suits a model.")
    ] = 1.0,
    share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of what was learned in a mean with the bundle that the run began with."),
    ] = 1.0,
) -> None:
    """Write a model bundle (model.onnx, bundle.json, README.md) from the last checkpoint of a run, or of several."""
    with explained():
        from text_recognizer.learning.training.export import export_run

        folder = export_run(runs[0], output, version, measure, runs[1:], language, stretch, detector, share)
    typer.echo(f"wrote {folder}")
