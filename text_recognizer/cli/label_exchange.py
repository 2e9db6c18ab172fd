"""`text-recognizer label export-tasks` and `import`: labelling in other programs, and what was labelled there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from text_recognizer.cli.errors import BAD_INPUT, complain, explained

if TYPE_CHECKING:
    from text_recognizer.service.labeling.exchange.exchange import ImportReport
    from text_recognizer.service.labeling.folder import LabelingFolder

_T = TypeVar("_T")


def export_tasks(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of page images that is labelled.")],
    output: Annotated[
        Path, typer.Option(metavar="FILE", help="The tasks to write; the labelling configuration goes beside.")
    ] = Path("tasks.json"),
    images: Annotated[
        str,
        typer.Option(
            metavar="WHERE",
            help="embedded: pictures in the tasks; local-files: on the disk of Label Studio's server; or the beginning "
            "of the addresses of the images, https://...",
        ),
    ] = "embedded",
    read: Annotated[bool, typer.Option(help="Let the model read pages that it has not read yet.")] = True,
    model: Annotated[str, typer.Option(help="Line recogniser: a shipped name or a folder.")] = "lines",
) -> None:
    """Write the pages of a folder as tasks for Label Studio, with their lines and texts as pre-annotations."""
    with explained():
        from text_recognizer.folders import write_file
        from text_recognizer.service.labeling.exchange.label_studio import image_links, labeling_config
        from text_recognizer.service.labeling.exchange.label_studio_tasks import write_tasks
        from text_recognizer.service.labeling.folder import LabelingFolder

        labeling = LabelingFolder(folder)
        link = image_links(images, folder)
        if read:
            _read(labeling, model)
        written = write_tasks(labeling, _tracked(labeling.pages(), "writing tasks"), output, link, complain)
        config = output.with_name("labeling-config.xml")
        write_file(config, labeling_config().encode())
    typer.echo(f"wrote {output}: {written.tasks} tasks, {written.lines} lines as pre-annotations")
    typer.echo(f"wrote {config}: the labelling configuration of the project")
    if images == "local-files":
        root = folder.resolve()
        typer.echo(
            f"start Label Studio with LOCAL_FILES_SERVING_ENABLED=true LOCAL_FILES_DOCUMENT_ROOT={root.parent} and add "
            f"{root} to the project as a source storage of local files"
        )
    if written.failed:
        raise typer.Exit(BAD_INPUT)


def import_labels(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Label Studio's JSON export, PAGE XML or ALTO files."),
    ],
    into: Annotated[Path, typer.Option(metavar="DIR", help="The folder of page images that is labelled.")],
    annotator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Whose labels they are, by default as the file says; NUMBER=NAME for one user of Label Studio. "
            "Can be repeated.",
        ),
    ] = None,
) -> None:
    """Add what was labelled in Label Studio, Transkribus, eScriptorium or kraken to the labels of a folder."""
    with explained():
        from text_recognizer.service.labeling.exchange.exchange import ImportReport
        from text_recognizer.service.labeling.exchange.files import import_files
        from text_recognizer.service.labeling.exchange.label_studio_import import annotators_of
        from text_recognizer.service.labeling.folder import LabelingFolder

        report = ImportReport()
        names = annotators_of(annotator or ())
        try:
            import_files(LabelingFolder(into), _tracked(files, "importing"), names, report)
        finally:
            _tell(report, into)
    if report.problems:
        raise typer.Exit(BAD_INPUT)


def _read(labeling: LabelingFolder, model: str) -> None:
    """Read the pages that have no reading yet."""
    from text_recognizer import TextRecognizer
    from text_recognizer.service.labeling.selection_lines import pages_to_read, read_pages

    if unread := pages_to_read(labeling):
        read_pages(labeling, _tracked(unread, "reading pages"), TextRecognizer(model), complain)


def _tracked(values: Sequence[_T], what: str) -> Iterable[_T]:
    """The values, while a bar on stderr shows how far it is."""
    from rich.console import Console
    from rich.progress import track

    return track(values, what, console=Console(stderr=True), transient=True)


def _tell(report: ImportReport, into: Path) -> None:
    for message in report.notes:
        typer.echo(message)
    for message in report.problems:
        complain(message)
    kinds = ", ".join(f"{count} {status}" for status, count in sorted(report.added.items()))
    typer.echo(f"added {report.added.total()} labels to {into}" + (f" ({kinds})" if kinds else ""))
    if report.known:
        typer.echo(f"{report.known} were there already")
    if report.older:
        typer.echo(f"{report.older} are older than what the same annotator has said since, and were left out")
