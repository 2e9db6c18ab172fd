"""`text-recognizer data`: which datasets there are; making them ready, looking at them, checking them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from text_recognizer.cli.errors import explained
from text_recognizer.cli.project import version

if TYPE_CHECKING:
    from text_recognizer.learning.datasets.registry import Description
    from text_recognizer.learning.quality.preview import Sample, Summary
    from text_recognizer.learning.quality.run import Inspection


app = typer.Typer(help="Datasets: list them, prepare them, look at them, check them.", no_args_is_help=True)

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
        from text_recognizer.learning.quality.label_scores import LabelJudge
        from text_recognizer.learning.quality.load import gather, together
        from text_recognizer.learning.quality.report import write_json, write_report
        from text_recognizer.learning.quality.run import inspect

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

    from text_recognizer.learning.quality.findings import count, tally

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


app.command()(check)
app.command()(version)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A dataset, or one split of it: iam, copiste-val, synthetic.")
]
PathOption = Annotated[
    str, typer.Option("--path", metavar="FOLDER", help="The folder of `folder`, `pages` and `pages-paragraphs`.")
]
Made = Annotated[int, typer.Option("--made", min=1, help="Samples of a dataset that is made: synthetic, stacked-...")]
Seed = Annotated[int, typer.Option(help="Of a dataset that is made.")]


@app.command("list")
def list_() -> None:
    """List every dataset: what it is, its terms, whether its files are there, and where to get them."""
    with explained():
        from rich.console import Console
        from rich.table import Table

        from text_recognizer.learning.datasets.registry import descriptions
        from text_recognizer.paths import DATA_VARIABLE, data_dir

        console, every = Console(), list(descriptions().values())
        for kind in dict.fromkeys(known.kind for known in every):
            table = Table(kind, "here", "splits", "what, and its terms", box=None, header_style="bold", pad_edge=False)
            for column in table.columns[:3]:
                column.no_wrap = True
            table.columns[0].min_width = 18
            for known in (known for known in every if known.kind == kind):
                here = "by path" if known.by_path else "no" if known.missing() else "yes"
                table.add_row(known.name, here, " ".join(known.splits), f"{known.about} ({known.licence})")
            console.print(table, "")
        console.print(
            f"The data folder is {data_dir()}; {DATA_VARIABLE} names another.", highlight=False, soft_wrap=True
        )
        absent = [known for known in every if known.missing()]
        for source in dict.fromkeys(known.source for known in absent):
            names = ", ".join(known.name for known in absent if known.source == source)
            console.print(f"{names}: from {source}", highlight=False, soft_wrap=True)


@app.command()
def prepare(name: Name, path: PathOption = "", made: Made = 12000, seed: Seed = 1) -> None:
    """Make the cache of a dataset, of every split or of one, so that training starts at once."""
    with explained():
        from text_recognizer.paths import cache_dir

        for whole, description, items in _loaded(name, path, made, seed, every=True):
            if description.kind == "pages":
                raise ValueError(f"{whole} needs no preparation here: `train` reads the pages and keeps what it made")
            typer.echo(f"{whole}: {len(items)} {description.kind}")
        typer.echo(f"prepared in {cache_dir()}")


@app.command()
def texts(
    kinds: Annotated[
        list[str] | None, typer.Argument(metavar="[KIND]...", help="dates, amounts, equations, ...: all by default.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Examples of each kind.")] = 30,
    seed: Seed = 1,
) -> None:
    """Print examples of the written forms that `synthetic-signs` draws, kind by kind."""
    with explained():
        import random

        from text_recognizer.alphabet import Alphabet
        from text_recognizer.learning.synthesis.written_forms import WrittenForms
        from text_recognizer.learning.synthesis.written_patterns import KINDS

        if unknown := [kind for kind in kinds or () if kind not in KINDS]:
            raise ValueError(f"unknown kind {unknown[0]!r}; there are: {', '.join(KINDS)}")
        forms = WrittenForms(Alphabet())
        for kind in kinds or KINDS:
            rng = random.Random(f"{kind}-{seed}")
            typer.echo(f"{kind} ({KINDS[kind].weight:.0%})")
            for _ in range(count):
                typer.echo(f"    {forms.of_kind(kind, rng)}")


@app.command()
def show(
    name: Name,
    output: Annotated[Path | None, typer.Option(help="A PNG to draw samples and labels into.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Samples to draw.")] = 24,
    path: PathOption = "",
    made: Made = 200,
    seed: Seed = 1,
) -> None:
    """Print what a dataset holds, and draw a sheet of samples with their labels."""
    with explained():
        from rich.console import Console
        from rich.table import Table

        from text_recognizer.learning.quality.preview import contact_sheet

        whole, description, items = _loaded(name, path, made, seed)[0]
        summary, drawn = _walk(items, count if output else 0)
        table = Table(show_header=False, box=None, title=f"{whole}: {description.about}", title_justify="left")
        for row in summary.rows():
            table.add_row(*row)
        Console().print(table)
        if output:
            subtitle = f"{len(drawn)} of {len(summary.lengths):,} {description.kind}  ·  {description.about}"
            sheet = contact_sheet(drawn, description.kind, whole, f"{subtitle}  ·  {description.licence}")
            sheet.save(output, "PNG")
            typer.echo(f"wrote {output}")


def _loaded(name: str, path: str, made: int, seed: int, every: bool = False) -> list[tuple[str, Description, Any]]:
    """Name with split, description and items: of the split in the name, or of the first there, or of every one."""
    from text_recognizer.learning.datasets.registry import find, load

    description, split = find(name)
    splits = [split] if split else list(description.splits) or [""]
    loaded: list[tuple[str, Description, Any]] = []
    for number, part in enumerate(splits):
        whole = f"{description.name}-{part}" if part else name
        try:
            items = load(
                name if description.by_path else whole, description.kind, part, path=path, count=made, seed=seed
            )
        except ValueError:
            if split or (len(splits) - number == 1 and not loaded):
                raise
            continue  # a split that this copy of the dataset does not have
        loaded.append((whole, description, items))
        if not every:
            break
    return loaded


def _walk(items: Any, count: int) -> tuple[Summary, list[Sample]]:
    """The figures of all items, and `count` of them from all over the dataset (of pages the first ones)."""
    from text_recognizer.learning.quality.preview import Summary, samples

    kept: list[Sample] = []
    summary = Summary()
    step = max(1, len(items) // count) if count and hasattr(items, "__len__") else 1
    for number, sample in enumerate(samples(items)):
        summary.add(sample)
        if len(kept) < count and number % step == 0:
            kept.append(sample)
    return summary, kept
