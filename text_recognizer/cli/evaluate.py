"""`text-recognizer evaluate`: error rates of a model."""

from __future__ import annotations

from typing import Annotated

import typer

from text_recognizer.cli.errors import explained


def evaluate(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Line sources, by default iam-val copiste-val.")
    ] = None,
    lines: Annotated[str, typer.Option("--model", help="Line recogniser: a shipped name or a folder.")] = "lines",
    detector: Annotated[str, typer.Option(help="Line detector: a shipped name or a folder.")] = "detector",
    pages: Annotated[bool, typer.Option(help="Measure whole pages too (IAM forms and Copiste pages of val).")] = False,
    worst: Annotated[int, typer.Option(help="Print so many of the worst lines.")] = 0,
) -> None:
    """Measure CER and WER on lines, and line detection and CER on pages."""
    with explained():
        from text_recognizer.learning.evaluation.report import LINE_SETS, print_lines, print_pages
        from text_recognizer.recognition.recognizer import TextRecognizer

        recognizer = TextRecognizer(lines=lines, detector=detector)
        print_lines(recognizer.line_reader, sources or list(LINE_SETS), worst)
        if pages:
            print_pages(recognizer)
