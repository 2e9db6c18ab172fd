"""`text-recognizer export`, `ensemble`, `quantize` and `language-model`: what makes a model bundle."""

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
    alpha: Annotated[
        float,
        typer.Option(
            "--alpha",
            "--share",
            min=0,
            max=1,
            help="Weight interpolation (WiSE-FT) with the bundle that the run began with: weight of what was learned.",
        ),
    ] = 1.0,
) -> None:
    """Write a model bundle (model.onnx, bundle.json, README.md) from the last checkpoint of a run, or of several."""
    with explained():
        from text_recognizer.learning.export.export import export_run

        folder = export_run(runs[0], output, version, measure, runs[1:], language, stretch, detector, alpha)
    typer.echo(f"wrote {folder}")


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
        from text_recognizer.learning.export.ensemble import write_ensemble

        folder = write_ensemble(bundles, output, weight or (), version, measure)
    typer.echo(f"wrote {folder}")


def quantize(
    bundle: Annotated[str, typer.Argument(help="Bundle of lines or of a detector: a shipped name or a folder.")],
    output: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    version: Annotated[str, typer.Option(help="Version of the model.")] = "1",
    measure: Annotated[bool, typer.Option(help="Measure the bundle on val and write the scores into it.")] = True,
) -> None:
    """Write a bundle of half the size that reads faster, in 8-bit integers. Needs data that it learned from."""
    with explained():
        from text_recognizer.learning.export.quantize import quantize_bundle

        folder = quantize_bundle(bundle, output, version, measure)
    typer.echo(f"wrote {folder}")


def language_model(
    output: Annotated[Path, typer.Option(help="Folder of the bundle to write.")],
    texts: Annotated[
        list[Path] | None, typer.Argument(metavar="[TEXT]...", exists=True, dir_okay=False, help="Text files, UTF-8.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="A line dataset whose labels are learned from, too; several times.")
    ] = None,
    vocabulary: Annotated[
        list[str] | None, typer.Option(help="A language (en, fr, ...) whose words are preferred; several times.")
    ] = None,
    order: Annotated[int, typer.Option(min=2, max=8, help="Characters of the longest n-grams.")] = 7,
    gain: Annotated[float, typer.Option(min=0, help="Drop n-grams that change their text less; 0 keeps all.")] = 0.5,
    weight: Annotated[
        float, typer.Option(min=0, help="Say of the model in reading; 1 is as much as the network.")
    ] = 0.5,
    bonus: Annotated[float, typer.Option(min=0, help="Factor for every character: more is for longer texts.")] = 4.0,
    version: Annotated[str, typer.Option(help="Version of the model.")] = "1",
    measure: Annotated[bool, typer.Option(help="Measure it on val with a line recogniser.")] = True,
    model: Annotated[
        str, typer.Option(help="The line recogniser it is measured with: a shipped name or a folder.")
    ] = "lines",
) -> None:
    """Learn a language from text; use it with `read --language FOLDER`."""
    with explained():
        from text_recognizer.learning.language_model import LanguageChoice, write_language_model

        choice = LanguageChoice(texts or [], source or [], vocabulary or [], order, gain, weight, bonus)
        folder = write_language_model(choice, output, version, model if measure else None)
    typer.echo(f"wrote {folder}")
