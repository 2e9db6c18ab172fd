"""`text-recognizer ensemble`: several bundles of one kind as one that reads with the average of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from text_recognizer.cli.errors import explained


def ensemble(
    bundles: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE BUNDLE...",
            help="Bundles of one kind (lines by CTC, lines by attention, or paragraphs): shipped names or folders.",
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    weight: Annotated[
        list[float] | None, typer.Option(help="Of each bundle, in their order; equal if left out.")
    ] = None,
    version: Annotated[str, typer.Option(help="Version of the model.")] = "1",
    measure: Annotated[bool, typer.Option(help="Measure the ensemble on val and write the scores into it.")] = True,
) -> None:
    """Write a bundle that reads with several: of CTC it averages the aligned posteriors, of attention every step."""
    with explained():
        from text_recognizer.learning.training.ensemble import write_ensemble

        folder = write_ensemble(bundles, output, weight or (), version, measure)
    typer.echo(f"wrote {folder}")
