"""`text-recognizer sweep`: try many settings of an experiment."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import explained

if TYPE_CHECKING:
    from text_recognizer.learning.experiments.sweep_config import Sweep
    from text_recognizer.learning.experiments.sweep_results import TrialResult


def sweep(
    file: Annotated[Path, typer.Argument(metavar="SWEEP", help="A YAML file of experiments/sweeps/.")],
    name: Annotated[str, typer.Option(help="Name of the sweep; its runs are <name>-01 and so on.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the trials that are not finished.")] = False,
    address: Annotated[str, typer.Option(help="A Ray cluster that runs: auto, HOST:PORT or ray://HOST:PORT.")] = "",
    trials: Annotated[int, typer.Option(min=0, help="Another number of trials than the file's.")] = 0,
) -> None:
    """Train an experiment with many settings, stop what falls behind, and say which was best."""
    with explained("train,sweep"):
        from text_recognizer.learning.experiments.sweep_config import load_sweep

        chosen = load_sweep(file, name)
        chosen.address = address or chosen.address
        chosen.trials = trials or chosen.trials
        from text_recognizer.learning.experiments.sweep import complete, run_sweep

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

    from text_recognizer.learning.experiments.sweep import best_command

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
