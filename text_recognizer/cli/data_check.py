"""`text-recognizer data check`: what is wrong with a dataset, before anything is learned from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import explained

if TYPE_CHECKING:
    from text_recognizer.learning.data.inspection.inspect import Inspection

_NAMED = 4  # lines of a finding that are printed; the report shows more
_COLORS = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def check(
    datasets: Annotated[
        list[str],
        typer.Argument(metavar="NAME|FOLDER...", help="Datasets, or splits, or folders; several are checked together."),
    ],
    path: Annotated[str, typer.Option("--path", metavar="FOLDER", help="The folder of `folder` and `pages`.")] = "",
    output: Annotated[Path | None, typer.Option(metavar="HTML", help="A report with pictures, in one file.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="What was found, for programs.")] = None,
    model: Annotated[
        str, typer.Option(metavar="BUNDLE", help="Reads the lines and disputes labels; none: does without.")
    ] = "lines",
    sample: Annotated[int, typer.Option(min=0, help="Lines that the model reads, in whole pages; 0: all.")] = 500,
) -> None:
    """Check labels, images and splits of a dataset; exit code 1 where training would fail or learn what is wrong."""
    with explained():
        from text_recognizer.learning.data.inspection.gather import gather, together
        from text_recognizer.learning.data.inspection.inspect import inspect
        from text_recognizer.learning.data.inspection.page import write_json, write_report
        from text_recognizer.learning.data.inspection.reading import LabelJudge

        for file, suffix in ((output, (".html", ".htm")), (json, (".json",))):
            if file and file.suffix.lower() not in suffix:
                raise ValueError(f"{file} should end in {suffix[0]}")
        gathered = together([gather(name, path) for name in datasets])
        judge = None if model == "none" or gathered.kind != "lines" else LabelJudge(model)
        inspection = inspect(gathered, judge, sample)
        if json:
            write_json(inspection, json)
        if output:
            write_report(inspection, output)
        _print(inspection)
    for file in (json, output):
        if file:
            typer.echo(f"wrote {file}")
    if inspection.has_errors:
        raise typer.Exit(1)


def _print(inspection: Inspection) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from text_recognizer.learning.data.inspection.findings import count, tally

    console = Console()
    sizes = Table("split", inspection.dataset.kind, "writers", "characters", box=None, pad_edge=False)
    for size in inspection.sizes:
        writers = f"{size.writers:,}" if size.writers else "not known"
        sizes.add_row(size.split or "none", f"{size.lines:,}", writers, f"{size.characters:,}")
    console.print(Text(inspection.dataset.name, "bold"), sizes, "")
    table = Table("", "found, and what to do", "for instance", box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for finding in inspection.findings:
        named = [Text.assemble(c.identifier, (f"  {c.why}", "dim")) for c in finding.concerns[:_NAMED]]
        more = len(finding.concerns) - len(named)
        named += [Text(f"and {more:,} more", "dim")] * (more > 0)
        severity = finding.severity.value
        table.add_row(
            Text(severity, _COLORS[severity]),
            Text.assemble(finding.found, "\n", (finding.advice, "dim")),
            Text("\n").join(named),
        )
    console.print(table if inspection.findings else "Nothing was found.")
    read = f"{inspection.read:,} of {len(inspection.dataset.lines):,} lines read by {inspection.model}"
    counts = ", ".join(count(number, severity.value) for severity, number in tally(inspection.findings).items())
    console.print(Text(f"{counts}; {read if inspection.model else 'read by no model'}"))
