"""`text-recognizer language-model`: text to a character language model that helps reading lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from text_recognizer.cli.errors import explained


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
        from text_recognizer.learning.training.language_model import LanguageChoice, write_language_model

        choice = LanguageChoice(texts or [], source or [], vocabulary or [], order, gain, weight, bonus)
        folder = write_language_model(choice, output, version, model if measure else None)
    typer.echo(f"wrote {folder}")
