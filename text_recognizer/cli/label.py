"""`text-recognizer label`: handwriting with its text, for training on one's own hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import BAD_INPUT, complain, explained
from text_recognizer.cli.label_exchange import export_tasks, import_labels
from text_recognizer.cli.label_next import next_lines
from text_recognizer.cli.label_queue import agreement, export, serve

if TYPE_CHECKING:
    from text_recognizer.service.labeling.forms.collection import NewLine
    from text_recognizer.service.labeling.forms.intake import Intake

app = typer.Typer(help="Your own handwriting as training data: forms to fill in, pages to label.", no_args_is_help=True)
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
        from text_recognizer.service.labeling.forms.form import make_form
        from text_recognizer.service.labeling.forms.printing import write_form
        from text_recognizer.service.labeling.forms.prompts import coverage, cut_text, shipped_prompts

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
        from text_recognizer.service.labeling.forms.collection import SPLITS, Collection, Terms
        from text_recognizer.service.labeling.forms.form import read_forms
        from text_recognizer.service.labeling.forms.intake import take_in

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
    from text_recognizer.service.labeling.forms.checking import doubts

    return {
        doubt.line.row["line_id"]: f"reads {doubt.read!r}" + (f", as in row {doubt.meant}" if doubt.meant else "")
        for doubt in doubts(lines)
    }


def _report(intake: Intake, marked: dict[str, str], output: Path) -> None:
    from text_recognizer.service.labeling.forms.intake import write_contact_sheets

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
