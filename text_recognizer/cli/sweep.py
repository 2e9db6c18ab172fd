"""`text-recognizer sweep` and `leaderboard`: many settings of an experiment, and the tracked runs, the best first."""

from __future__ import annotations

import csv
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import explained

if TYPE_CHECKING:
    from text_recognizer.learning.experiments.leaderboard import Standing
    from text_recognizer.learning.experiments.sweeps.config import Sweep
    from text_recognizer.learning.experiments.sweeps.trial import TrialResult


def sweep(
    file: Annotated[Path, typer.Argument(metavar="SWEEP", help="A YAML file of experiments/sweeps/.")],
    name: Annotated[str, typer.Option(help="Name of the sweep; its runs are <name>-01 and so on.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the trials that are not finished.")] = False,
    address: Annotated[str, typer.Option(help="A Ray cluster that runs: auto, HOST:PORT or ray://HOST:PORT.")] = "",
    trials: Annotated[int, typer.Option(min=0, help="Another number of trials than the file's.")] = 0,
) -> None:
    """Train an experiment with many settings, stop what falls behind, and say which was best."""
    with explained("train,sweep"):
        from text_recognizer.learning.experiments.sweeps.config import load_sweep

        chosen = load_sweep(file, name)
        chosen.address = address or chosen.address
        chosen.trials = trials or chosen.trials
        from text_recognizer.learning.experiments.sweeps.run import complete, run_sweep

        results = run_sweep(chosen, resume, typer.echo)
        _print(chosen, results)
        if not complete(results, chosen):
            named = f" --name {name}" if name else ""
            raise KeyboardInterrupt(
                f"interrupted; what is done is kept: go on with text-recognizer sweep {file}{named} --resume"
            )


def _print(sweep: Sweep, results: list[TrialResult]) -> None:
    """The table of trials, best first, and how to train the best one in full."""
    from rich.console import Console
    from rich.table import Table

    from text_recognizer.learning.experiments.sweeps.run import best_command

    table = Table("trial", sweep.metric, "epochs", "state", *sweep.search, title=sweep.name, box=None)
    for result in results:
        score = "" if result.score is None else f"{result.score:.4f}"
        values = [str(result.values.get(field, "")) for field in sweep.search]
        table.add_row(result.name, score, str(result.epochs), result.state, *values)
    console = Console()
    console.print(table)
    for result in results:
        if result.error:
            console.print(f"{result.name}: {result.error}", markup=False, highlight=False, soft_wrap=True)
    if results and results[0].state != "failed" and results[0].score is not None:
        command = " ".join(map(shlex.quote, best_command(sweep, results[0])))
        console.print("train the best one in full with:", command, markup=False, highlight=False, soft_wrap=True)


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
