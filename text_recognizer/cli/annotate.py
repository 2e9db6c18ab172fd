"""`text-recognizer label serve`, `next`, `agreement` and `export`: lines that people label in the browser."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from text_recognizer.cli.errors import complain, explained

if TYPE_CHECKING:
    from text_recognizer.labeling.active_learning import Budget, Unlabelled
    from text_recognizer.labeling.agreement import Agreement
    from text_recognizer.labeling.export import LinesReport
    from text_recognizer.labeling.folder import LabelingFolder


Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of page images that is labelled.")]


T = TypeVar("T")


def serve(
    folder: Folder,
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; by default 8000.")] = None,
    annotator: Annotated[str, typer.Option(metavar="NAME", help="The name that whoever comes is asked to go by.")] = "",
    overlap: Annotated[
        float, typer.Option(metavar="P", help="Share of the lines, 0 to 1, that two people label, for agreement.")
    ] = 0.0,
    model: Annotated[str, typer.Option(help="Line recogniser: a shipped name or a folder.")] = "lines",
    detector: Annotated[str, typer.Option(help="Line detector: a shipped name, a folder, or auto.")] = "auto",
    again: Annotated[bool, typer.Option("--again", help="Read pages again that another model has read.")] = False,
) -> None:
    """Serve a page on which people label the lines of a folder: read by the model, doubtful lines first."""
    warnings.filterwarnings("ignore", module="PIL")  # of odd metadata; what cannot be read is named
    with explained(extra="serve"):
        from text_recognizer.service.settings import Settings, explained_settings

        chosen = {"host": host, "port": port}
        with explained_settings():
            settings = Settings(**{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]
        from text_recognizer import TextRecognizer
        from text_recognizer.labeling.folder import LabelingFolder
        from text_recognizer.service.annotation.app import run
        from text_recognizer.service.server import check_address

        source = LabelingFolder(folder)
        recognizer = TextRecognizer(lines=model, detector=detector)
        _ = recognizer.detector  # now, so that a wrong one is named before anything is served
        check_address(settings.host, settings.port)
        typer.echo(f"labelling {folder}, {len(source.pages())} pages, {len(source.labels())} labels so far", err=True)
        if settings.host not in ("127.0.0.1", "localhost", "::1"):
            complain(f"whoever reaches {settings.host} can see the pages and label them: there are no passwords")
        if settings.port:
            typer.echo(f"open http://{settings.host}:{settings.port}  (Ctrl-C ends it)", err=True)
        run(source, recognizer, settings, overlap, again, annotator)


def agreement(folder: Folder) -> None:
    """Say how far annotators agree on the lines that several have labelled, and list the disputed lines."""
    with explained(extra="serve"):
        from text_recognizer.labeling.agreement import agreement as measured

        source = _opened(folder)
        pages = dict.fromkeys(label.page for label in source.labels())
        found = measured(line.history for page in pages for line in source.lines(page))
    _report(found)


def _report(found: Agreement) -> None:
    if not found.pairs:
        typer.echo("no line was labelled by two people: serve the folder with --overlap")
    for pair in found.pairs:
        typer.echo(
            f"{pair.first} and {pair.second}: {pair.lines} lines with a text from both, {100 * pair.exact_share:.1f} % "
            f"the same ({pair.exact}), CER {100 * pair.cer:.2f} % ({pair.edits} edits in {pair.characters:g} "
            f"characters); {pair.verdicts} that only one of them found to be legible text"
        )
    for labels in found.disputed:
        said = ", ".join(f"{label.annotator}: {label.text or label.status!s}" for label in labels)
        typer.echo(f"disputed: {labels[0].page} {labels[0].line}  {said}")


def export(
    folder: Folder,
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write.")],
    format: Annotated[
        str, typer.Option(help="lines: images of lines with their text, to train on; page or alto: an XML file a page.")
    ] = "lines",
    split: Annotated[
        str, typer.Option(help="Of lines: train, val or test for all; page: of a tenth of the pages they are val.")
    ] = "page",
    writer: Annotated[str, typer.Option(help="Who wrote; by default the name of the folder a page lies in.")] = "",
    licence: Annotated[str, typer.Option(help="Terms under which the lines may be passed on; kept with them.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Replace an export that is there.")] = False,
    unlabeled: Annotated[
        bool, typer.Option("--unlabeled", help="Of page and alto: also lines as the model reads them, marked.")
    ] = False,
) -> None:
    """Write what was labelled: as lines to train on, or as PAGE or ALTO files."""
    with explained(extra="serve"):
        source = _opened(folder)
        if format in ("page", "alto"):
            from text_recognizer.labeling.exchange.export import export_documents

            for message in export_documents(source, output, format, replace, unlabeled):
                typer.echo(message)
            return
        if format != "lines":
            raise ValueError(f"{format!r} is no format of labels; there are: lines, page, alto")
        from text_recognizer.labeling.export import Choice, export_labels

        report = export_labels(source, output, Choice(split, writer, licence), replace)
    _report_lines(report)


def _report_lines(report: LinesReport) -> None:
    for why, count in report.left_out.items():
        complain(f"left out {count}: {why}")
    for character, count in sorted(report.unknown.items()):
        complain(f"{count} lines hold {character!r}, which the usual alphabet lacks: training leaves them out")
    splits = ", ".join(f"{count} {split}" for split, count in sorted(report.splits.items()))
    typer.echo(f"wrote {report.splits.total()} lines of {len(report.writers)} writers to {report.folder}: {splits}")


def _opened(folder: Path) -> LabelingFolder:
    from text_recognizer.labeling.folder import LabelingFolder

    return LabelingFolder(folder)


class Strategy(StrEnum):
    """The strategies of `labeling.active_learning`."""

    random = "random"
    longest = "longest"
    least_confident = "least-confident"
    errors = "errors"
    diverse = "diverse"
    combined = "combined"


class Unit(StrEnum):
    """What the images of a folder hold."""

    auto = "auto"
    page = "page"
    line = "line"


def next_lines(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Pages (see `label serve`), or images of lines.")],
    count: Annotated[int | None, typer.Option(min=1, help="Lines to choose; 50 by default.")] = None,
    characters: Annotated[
        int | None, typer.Option(min=1, help="Characters to choose: what typing costs; instead of --count, or both.")
    ] = None,
    strategy: Annotated[Strategy, typer.Option(help="How to choose; see docs/active-learning.md.")] = Strategy.random,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of line images: write the choice here instead of to stdout.")
    ] = None,
    unit: Annotated[Unit, typer.Option(help="What the images hold; auto: pages where they were labelled.")] = Unit.auto,
    model: Annotated[
        str, typer.Option(help="Recogniser of lines for what was not read yet: a shipped name or a folder.")
    ] = "lines",
    again: Annotated[bool, typer.Option("--again", help="Read pages again that another model has read.")] = False,
    seed: Annotated[int, typer.Option(help="Of --strategy random: another number gives other lines.")] = 0,
) -> None:
    """Choose which lines to label next; `label serve` shows them first."""
    with explained("serve"):
        from text_recognizer.labeling.active_learning import Budget
        from text_recognizer.labeling.candidates import is_labeling_folder

        budget = Budget(50 if count is None and characters is None else count, characters)
        pages = unit is Unit.page or (unit is Unit.auto and is_labeling_folder(folder))
        if pages and output is not None:
            raise ValueError("the choice of lines on pages is put where `label serve` finds it: leave out --output")
        if pages:
            _from_pages(folder, budget, strategy.value, model, again, seed)
        else:
            _from_images(folder, budget, strategy.value, output, model, seed)


def _from_pages(folder: Path, budget: Budget, strategy: str, model: str, again: bool, seed: int) -> None:
    """Choose lines on pages, and write the order for the queue."""
    from text_recognizer import TextRecognizer
    from text_recognizer.labeling.active_learning import choose
    from text_recognizer.labeling.candidates import lines_of_pages, pages_to_read, read_pages, write_order
    from text_recognizer.labeling.folder import LabelingFolder

    labeling = LabelingFolder(folder)
    left = pages_to_read(labeling)
    if left or again:
        recognizer = TextRecognizer(model)
        if again:
            detector = {"detector": recognizer.detector.bundle.identity}
            left = pages_to_read(labeling, detector | recognizer.line_models())
        read_pages(labeling, _shown(left, "reading pages", len(left)), recognizer, complain)
    waiting, labelled = lines_of_pages(labeling)
    if not waiting:
        raise ValueError(f"nothing is left to label in {folder}: {len(labelled)} lines have their text")
    chosen = [waiting[number] for number in choose(waiting, strategy, budget, labelled, seed)]
    path = write_order(labeling, strategy, chosen)
    typer.echo(f"{_summary(chosen, len(waiting), strategy)}\nwrote {path}: `label serve` shows them first")


def _from_images(folder: Path, budget: Budget, strategy: str, output: Path | None, model: str, seed: int) -> None:
    """Choose line images, and print or write their names."""
    from text_recognizer import TextRecognizer
    from text_recognizer.atomic_files import write_file
    from text_recognizer.labeling.active_learning import choose
    from text_recognizer.labeling.candidates import as_json, images_of, line_images, lines_of_images

    paths = line_images(folder)
    reading = lines_of_images(folder, paths, TextRecognizer(model), complain)
    waiting = list(_shown(reading, "reading lines", len(paths)))
    chosen = [waiting[number] for number in choose(waiting, strategy, budget, seed=seed)]
    data = as_json(images_of(strategy, chosen))
    if output is None:
        typer.echo(data.decode(), nl=False)
    else:
        write_file(output, data)
        typer.echo(f"wrote {output}")
    typer.echo(_summary(chosen, len(waiting), strategy), err=True)


def _shown(values: Iterable[T], what: str, count: int) -> Iterable[T]:
    """The values, with a bar on stderr that says how many have passed."""
    from rich.console import Console
    from rich.progress import track

    return track(values, what, count, console=Console(stderr=True), transient=True)


def _summary(chosen: Sequence[Unlabelled], count: int, strategy: str) -> str:
    characters = sum(len(line.text) for line in chosen)
    return f"{strategy}: {len(chosen)} of {count} lines, {characters} characters as the model reads them"
