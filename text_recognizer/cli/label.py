"""`text-recognizer label`: forms to fill in, and labels from other programs, for training on one's own hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from text_recognizer.cli.annotate import agreement, export, next_lines, serve
from text_recognizer.cli.errors import BAD_INPUT, complain, explained

if TYPE_CHECKING:
    from text_recognizer.labeling.exchange.annotations import ImportReport
    from text_recognizer.labeling.folder import LabelingFolder
    from text_recognizer.labeling.forms.collection import Intake, NewLine


app = typer.Typer(help="Your own handwriting as training data: forms to fill in, pages to label.", no_args_is_help=True)

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
        from text_recognizer.atomic_files import write_file
        from text_recognizer.labeling.exchange.label_studio import image_links, labeling_config, write_tasks
        from text_recognizer.labeling.folder import LabelingFolder

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
        from text_recognizer.labeling.exchange.annotations import ImportReport
        from text_recognizer.labeling.exchange.import_files import import_files
        from text_recognizer.labeling.exchange.label_studio_import import annotators_of
        from text_recognizer.labeling.folder import LabelingFolder

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
    from text_recognizer.labeling.candidates import pages_to_read, read_pages

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


app.command()(serve)
app.command("next")(next_lines)
app.command()(agreement)
app.command()(export)
app.command()(export_tasks)
app.command("import")(import_labels)


@app.command()
def forms(
    output: Annotated[Path, typer.Option(help="The PDF to print; its texts go beside it, as JSON.")] = Path(
        "forms.pdf"
    ),
    pages: Annotated[int, typer.Option(min=1, help="Sheets: of ten lines each on A4, of nine on Letter.")] = 5,
    text: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take the lines from this text, by default from shipped ones.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of the shipped lines and of the instructions: en or fr.")] = "en",
    writer: Annotated[str, typer.Option(help="Who will write; it is printed, and kept with the lines.")] = "",
    paper: Annotated[str, typer.Option(help="a4 or letter.")] = "a4",
    seed: Annotated[int, typer.Option(help="Another number gives other lines.")] = 1,
) -> None:
    """Make forms to print: lines to copy by hand, chosen to show every character and the usual pairs of them."""
    with explained():
        from text_recognizer.labeling.forms.form import make_form
        from text_recognizer.labeling.forms.printing import write_form
        from text_recognizer.labeling.forms.prompts import coverage, cut_text, shipped_prompts

        if text is None:
            prompts = shipped_prompts(language)
        else:
            cut = cut_text(text.read_text(encoding="utf-8"))
            prompts = cut.prompts
            for character, count in cut.unknown.items():
                complain(f"left out {count} lines with {character!r}, which forms and the alphabet lack")
        form = make_form(prompts, pages, language, writer, paper, seed)
        beside = write_form(form, output)
        shown = coverage(row.text for page in form.pages for row in page.rows)
        every = coverage(prompts)
    lines = sum(len(page.rows) for page in form.pages)
    typer.echo(
        f"wrote {output}: {pages} pages, {lines} lines, {len(shown[0])} of {len(every[0])} characters and "
        f"{len(shown[1])} of {len(every[1])} pairs of the {len(prompts)} lines to choose from"
    )
    typer.echo(f"wrote {beside}: keep it, `label scan` needs it")


@app.command()
def scan(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photographs or scans: images or PDFs.")],
    forms: Annotated[
        list[Path], typer.Option(metavar="JSON", help="What `label forms` wrote beside the PDF; can be repeated.")
    ],
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="The lines to begin, or to add to.")],
    consent: Annotated[
        bool, typer.Option("--consent", help="The writer agrees to training, where no box is ticked.")
    ] = False,
    writer: Annotated[str, typer.Option(help="Who wrote, by default as the form says.")] = "",
    split: Annotated[
        str, typer.Option(help="train, val or test for all lines; form: a tenth is val, the same in every scan.")
    ] = "form",
    licence: Annotated[str, typer.Option(help="Terms under which the lines may be passed on; kept with them.")] = "",
    check: Annotated[bool, typer.Option(help="Let the recogniser name lines that seem to hold another text.")] = True,
) -> None:
    """Cut the lines out of photographs of filled forms, and add them with their text to a folder for training."""
    with explained():
        from text_recognizer.labeling.forms.collection import SPLITS, Collection, Terms, take_in
        from text_recognizer.labeling.forms.form import read_forms

        if split not in SPLITS:
            raise ValueError(f"{split!r} is no split; there are: {', '.join(SPLITS)}")
        known = read_forms(forms)
        collection = Collection(output)
        terms = Terms(writer=writer, licence=licence, split=split)
        intake = take_in(photos, known, collection, terms, agreed=consent)
        marked = _checked(intake.lines) if check else {}
        _report(intake, marked, output)
    if intake.problems:
        raise typer.Exit(BAD_INPUT)


def _checked(lines: list[NewLine]) -> dict[str, str]:
    """What is doubtful about which lines, by identifier."""
    from text_recognizer.labeling.forms.label_checks import doubts

    return {
        doubt.line.row["line_id"]: f"reads {doubt.read!r}" + (f", as in row {doubt.meant}" if doubt.meant else "")
        for doubt in doubts(lines)
    }


def _report(intake: Intake, marked: dict[str, str], output: Path) -> None:
    from text_recognizer.labeling.forms.collection import write_contact_sheets

    for message in (*intake.sheets, *intake.notes):
        typer.echo(message)
    for message in intake.problems:
        complain(message)
    labels = []
    for line in intake.lines:
        row = line.row
        doubt = marked.get(row["line_id"])
        if doubt:
            typer.echo(f"look at {row['line_id']}, page {row['page']}, row {row['row']}: {row['text']!r} {doubt}")
        labels.append((f"{'? ' if doubt else ''}{row['page']}.{row['row']}  {row['text']}", line))
    splits = ", ".join(f"{count} {split}" for split, count in sorted(intake.splits().items()))
    if intake.known:
        typer.echo(f"{intake.known} lines were there already and stay as they are")
    typer.echo(f"added {len(intake.lines)} lines to {output}" + (f" ({splits})" if splits else ""))
    for path in write_contact_sheets(output, labels) if labels else []:
        typer.echo(f"look through {path}")
