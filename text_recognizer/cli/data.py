"""`text-recognizer data`: which datasets there are, making them ready, looking at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from text_recognizer.cli.data_check import check
from text_recognizer.cli.errors import explained
from text_recognizer.cli.project import version

if TYPE_CHECKING:
    from text_recognizer.learning.data.registry import Description
    from text_recognizer.learning.data.summary import Sample, Summary

app = typer.Typer(help="Datasets: list them, prepare them, look at them, check them.", no_args_is_help=True)
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

        from text_recognizer.learning.data.locations import DATA_VARIABLE, data_dir
        from text_recognizer.learning.data.registry import DATASETS

        console = Console()
        for kind in dict.fromkeys(known.kind for known in DATASETS.values()):
            table = Table(kind, "here", "splits", "what, and its terms", box=None, header_style="bold", pad_edge=False)
            for column in table.columns[:3]:
                column.no_wrap = True
            table.columns[0].min_width = 18
            for known in (known for known in DATASETS.values() if known.kind == kind):
                here = "by path" if known.by_path else "no" if known.missing() else "yes"
                table.add_row(known.name, here, " ".join(known.splits), f"{known.about} ({known.licence})")
            console.print(table, "")
        console.print(
            f"The data folder is {data_dir()}; {DATA_VARIABLE} names another.", highlight=False, soft_wrap=True
        )
        absent = [known for known in DATASETS.values() if known.missing()]
        for source in dict.fromkeys(known.source for known in absent):
            names = ", ".join(known.name for known in absent if known.source == source)
            console.print(f"{names}: from {source}", highlight=False, soft_wrap=True)


@app.command()
def prepare(name: Name, path: PathOption = "", made: Made = 12000, seed: Seed = 1) -> None:
    """Make the cache of a dataset, of every split or of one, so that training starts at once."""
    with explained():
        from text_recognizer.learning.data.locations import cache_dir

        for whole, description, items in _loaded(name, path, made, seed, every=True):
            if description.kind == "pages":
                raise ValueError(f"{whole} needs no preparation here: `train` reads the pages and keeps what it made")
            typer.echo(f"{whole}: {len(items)} {description.kind}")
        typer.echo(f"prepared in {cache_dir()}")


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

        from text_recognizer.learning.data.contact_sheet import contact_sheet

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
    from text_recognizer.learning.data.registry import find, load

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
    from text_recognizer.learning.data.summary import Summary, samples

    kept: list[Sample] = []
    summary = Summary()
    step = max(1, len(items) // count) if count and hasattr(items, "__len__") else 1
    for number, sample in enumerate(samples(items)):
        summary.add(sample)
        if len(kept) < count and number % step == 0:
            kept.append(sample)
    return summary, kept
