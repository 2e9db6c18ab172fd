"""`text-recognizer improve`: from what people corrected to a model that is proposed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import complain, explained
from text_recognizer.cli.feedback import Database, Images, opened_store

if TYPE_CHECKING:
    from text_recognizer.learning.retraining.history import Carrier, Improvement
    from text_recognizer.service.feedback import FeedbackStore
    from text_recognizer.service.feedback.export import CorrectedLine

REFUSED = 1

app = typer.Typer(invoke_without_command=True)

_Folder = Annotated[Path | None, typer.Option(help="Of all improvements; by default `improve` in the home folder.")]
_Registry = Annotated[Path | None, typer.Option(help="Folder of the registry.")]


class Stage(StrEnum):
    """Where a candidate goes."""

    staging = "staging"
    production = "production"
    none = "none"


@app.callback()
def improve(
    context: typer.Context,
    start: Annotated[
        str,
        typer.Option("--from", metavar="BUNDLE", help="What to begin with; by default what is in production."),
    ] = "",
    at_least: Annotated[int, typer.Option(min=0, help="New corrected lines; with fewer nothing is done.")] = 50,
    minutes: Annotated[float, typer.Option(min=0, help="Of training at most; 0 for what the lines ask for.")] = 0.0,
    stage: Annotated[Stage, typer.Option(help="Where to; none: only make and test it.")] = Stage.staging,
    suite: Annotated[
        list[str] | None, typer.Option(help="What to test it with; by default basic, and accuracy with its data.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was stopped, if anything was.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    folder: _Folder = None,
    registry: _Registry = None,
    database: Database = "",
    images: Images = "",
) -> None:
    """Learn from the lines that people corrected: dataset, fine-tuning, tests, and a proposal in staging.

    Exit code 0 where a model was proposed, or too few lines are new; 1 where one was made and not proposed.
    """
    if context.invoked_subcommand:
        given = [context.get_parameter_source(name) for name in context.params]
        if any(source and source.name == "COMMANDLINE" for source in given):
            raise typer.BadParameter(f"options go behind it: improve {context.invoked_subcommand} --folder ...")
        return
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "20000")  # as `train` does, before PyTorch is loaded
    with _corrections(database, images) as corrections:
        from text_recognizer.cli.promote import tell
        from text_recognizer.learning.retraining.loop import Wishes, outlook
        from text_recognizer.learning.retraining.loop import improve as run
        from text_recognizer.recognition.registry import registry_dir

        wishes = Wishes(start, at_least, minutes, suite or (), stage.value, resume)
        place, models = folder or _home(), registry_dir(registry)
        if dry_run:
            outlook(corrections, place, models, wishes, typer.echo)
            return
        done = run(corrections, place, models, wishes, typer.echo, lambda verdict: tell(verdict, None))
        if done is None:
            return
        _print(done, place)
        if done.reasons:
            raise typer.Exit(REFUSED)


@app.command()
def status(
    folder: _Folder = None,
    registry: _Registry = None,
    database: Database = "",
    images: Images = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the improvements, how many corrected lines are new, and models that learned what was forgotten since."""
    with _corrections(database, images) as corrections:
        from text_recognizer.learning.retraining.history import carriers, improvements, new_lines
        from text_recognizer.learning.retraining.state import unfinished
        from text_recognizer.recognition.registry import registry_dir

        place = folder or _home()
        history, lines = improvements(place), corrections.lines()
        new = len(new_lines(lines, history))
        carry = carriers(history, lines, registry_dir(registry))
        stopped = unfinished(place, history)
    if as_json:
        found = {"improvements": [asdict(past) for past in history], "new_lines": new}
        found |= {"carriers": [asdict(one) for one in carry], "stopped": stopped.number if stopped else None}
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    _list(history, carry)
    typer.echo(f"{new} corrected lines are new")
    if stopped:
        typer.echo(f"improvement {stopped.number} was stopped: text-recognizer improve --resume goes on with it")


def _home() -> Path:
    from text_recognizer.paths import home_dir

    return home_dir() / "improve"


class FeedbackCorrections:
    """The lines of the feedback store, as improvements take them."""

    def __init__(self, store: FeedbackStore) -> None:
        self.store = store

    def lines(self) -> list[CorrectedLine]:
        """All of readings with consent."""
        from text_recognizer.service.feedback.export import corrected_lines

        return corrected_lines(self.store)

    def export(self, folder: Path, sides: Mapping[str, str]) -> Mapping[str, int]:
        """Write those that have a side."""
        from text_recognizer.service.feedback.export import export_lines

        return export_lines(self.store, folder, sides, replace=True).skipped


@contextmanager
def _corrections(database: str, images: str) -> Iterator[FeedbackCorrections]:
    with explained("train,serve"), opened_store(database, images) as store:
        yield FeedbackCorrections(store)


def _print(done: Improvement, folder: Path) -> None:
    """What it brought, and what can be done now."""
    from rich.console import Console
    from rich.table import Table

    from text_recognizer.learning.experiments.fine_tuning.evaluate import table, verdict
    from text_recognizer.learning.retraining.history import REGISTERED
    from text_recognizer.learning.retraining.state import place_of

    before, after = dict(done.scores["before"]), done.scores["after"]
    before["own"] = done.scores["production"]["own"]
    shown = Table(
        "set", "lines", "read", "CER %", "WER %", title=f"{done.production['identity']} -> {done.bundle['identity']}"
    )
    for row in table(before, after):
        shown.add_row(*row)
    Console().print(shown)
    for sentence in verdict(before, after):
        typer.echo(sentence)
    place = place_of(folder, done.number)
    for reason in done.reasons:
        complain(reason)
    if done.verdict != REGISTERED:
        typer.echo(f"{done.bundle['identity']} is {'not proposed' if done.reasons else 'in ' + str(place.bundle)}")
        return
    typer.echo(f"{done.bundle['identity']} is in {done.stage} as {done.bundle['id']}; report: {place.report}")
    if done.stage == Stage.staging:
        typer.echo(
            "try it beside production:  TEXT_RECOGNIZER_CANDIDATE=staging text-recognizer serve --model production\n"
            "let it read:               text-recognizer promote staging --stage production"
        )
    typer.echo("and back again:            text-recognizer models rollback")


def _list(history: list[Improvement], carry: list[Carrier]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(
        "", "when", "began with", "dataset", "train", "val", "left out", "own CER %", "verdict", "bundle", box=None
    )
    for past in history:
        counts = [str(sum(map(len, past.lines[side].values()))) for side in ("train", "val")]
        rates = [f"{past.scores[when]['own']['language']['cer']:.2f}" for when in ("production", "after")]
        shown.add_row(
            str(past.number), past.when[:16], past.base["identity"], past.dataset[:8], *counts,
            str(sum(past.left_out.values())), " -> ".join(rates), past.verdict, past.bundle["identity"],
        )  # fmt: skip
    Console(width=150).print(shown if history else "no improvement was made yet")
    for one in carry:
        where = f"in {' and '.join(one.stages)}, " if one.stages else ""
        typer.echo(
            f"{one.identity} learned from {one.lines} lines of {one.readings} readings that were forgotten since: "
            f"{where}{one.folder}"
        )
