"""`text-recognizer leaderboard`: the tracked runs, the best first."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import explained

if TYPE_CHECKING:
    from text_recognizer.learning.experiments.leaderboard import Standing


def leaderboard(
    task: Annotated[str, typer.Option(help="Of this task only: lines, detector, characters, ...")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
) -> None:
    """List the runs that MLflow recorded, sorted by the score of their task on val."""
    with explained():
        from text_recognizer.learning.experiments.leaderboard import browser_command, standings

        rows = standings(task)
        if as_json:
            typer.echo(json.dumps([vars(row) for row in rows], indent=2, ensure_ascii=False))
        elif as_csv:
            _print_csv(rows)
        else:
            _print_tables(rows)
            typer.echo(f"curves and samples: {browser_command()}" if rows else "no run was tracked yet")


def _print_csv(rows: list[Standing]) -> None:
    """One row a run, a column a score."""
    names = sorted({name for row in rows for name in row.scores})
    plain = [name for name in vars(rows[0]) if name != "scores"] if rows else []
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(plain + names)
    for row in rows:
        writer.writerow([vars(row)[name] for name in plain] + [row.scores.get(name, "") for name in names])


def _print_tables(rows: list[Standing]) -> None:
    """A table a task."""
    from rich.console import Console
    from rich.table import Table

    from text_recognizer.learning.experiments.leaderboard import heading

    # Wide enough for whole rows where the output goes into a file.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    for task in dict.fromkeys(row.task for row in rows):
        mine = [row for row in rows if row.task == task]
        scores = sorted({name for row in mine for name in row.scores})
        table = Table(title=heading(task), title_justify="left", box=None, header_style="bold", pad_edge=False)
        for name in ("run", "network", "data"):
            table.add_column(name, overflow="fold")
        for name in ("parameters", "epochs", "minutes", *scores):
            table.add_column(name, justify="right")
        for name in ("commit", "date", "status"):
            table.add_column(name)
        for row in mine:
            table.add_row(*_cells(row, scores))
        console.print(table, "")


def _cells(row: Standing, scores: list[str]) -> list[str]:
    measured = [f"{row.scores[name]:.4f}" if name in row.scores else "" for name in scores]
    numbers = [f"{row.parameters:,}", str(row.epochs), f"{row.minutes:.1f}"]
    sources = ", ".join(part.split(" ")[0] for part in row.data.split(", "))
    return [row.name, row.network, sources, *numbers, *measured, row.commit[:8], row.date, row.status]
