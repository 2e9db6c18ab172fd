"""`text-recognizer evaluate`: error rates of a model."""

from __future__ import annotations

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
    looks: Annotated[int, typer.Option(min=1, max=3, help="Looks at each line.")] = 1,
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
        from text_recognizer.learning.evaluation.report import LINE_SETS, print_lines, print_pages
        from text_recognizer.recognition.bundle import bundle_task
        from text_recognizer.recognition.recognizer import TextRecognizer

        if bundle_task(model) == "characters":
            _characters(model, sources, confusion)
            return
        if bundle_task(model) == "paragraphs":
            _paragraphs(model, detector, sources, worst)
            return
        recognizer = TextRecognizer(lines=model, detector=detector, language=language, looks=looks)
        print_lines(recognizer.line_reader, sources or list(LINE_SETS), worst)
        if pages:
            print_pages(recognizer)


def _paragraphs(model: str, detector: str, sources: list[str] | None, worst: int) -> None:
    from text_recognizer.learning.evaluation.paragraphs import PARAGRAPH_SETS, print_paragraphs
    from text_recognizer.recognition.detector import OWN_DETECTOR, LineDetector
    from text_recognizer.recognition.paragraphs import ParagraphTextRecognizer

    recognizer = ParagraphTextRecognizer(model, LineDetector("detector" if detector == OWN_DETECTOR else detector))
    print_paragraphs(recognizer, sources or list(PARAGRAPH_SETS), worst)


def _characters(model: str, sources: list[str] | None, confusion: Path | None) -> None:
    from text_recognizer.learning.evaluation.report import CHARACTER_SETS, print_characters
    from text_recognizer.recognition.characters import CharacterRecognizer

    print_characters(CharacterRecognizer(model), sources or list(CHARACTER_SETS), confusion)
