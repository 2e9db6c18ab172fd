"""`text-recognizer models`: what was promoted, the way back, and what a candidate did beside it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import complain, explained
from text_recognizer.cli.promote import Stage

if TYPE_CHECKING:
    from text_recognizer.service.reading.comparisons import ServedReport, ShadowReport


app = typer.Typer(help="Promoted models: list them, show one, roll back, compare a candidate.", no_args_is_help=True)


def compare(
    hours: Annotated[float, typer.Option(min=0.01, max=876_000, help="How far back to look.")] = 24.0,
    database: Annotated[
        str,
        typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://...; by default the server's database."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a candidate with the models in use: on the same lines, and in what each of them answered."""
    with explained("serve"):
        from datetime import timedelta

        from text_recognizer.service.feedback.database import Database, existing_database
        from text_recognizer.service.feedback.records import utc_now
        from text_recognizer.service.monitoring.store import FeatureStore
        from text_recognizer.service.reading import comparisons as report
        from text_recognizer.service.reading.comparisons import ComparisonStore

        url = existing_database(database)
        now = utc_now()
        since = now - timedelta(hours=hours)
        with closing(ComparisonStore(url)) as comparisons, closing(FeatureStore(url)) as features:
            shadow = report.shadow_reports(comparisons.since(since))
            with closing(Database(url)) as feedback:
                corrections = report.corrections_by_model(feedback, since)
            served = report.served_reports(features.window(since, now), corrections)
    if as_json:
        found = {"shadow": [asdict(row) for row in shadow], "served": [asdict(row) for row in served]}
        typer.echo(json.dumps(found, indent=2))
        return
    _print_comparison(shadow, served)


def _print_comparison(shadow: list[ShadowReport], served: list[ServedReport]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=140)
    both = Table("in use", "candidate", "pages", "lines", "differ by CER %", "same lines %", "confidence", "ms a line")
    for pair in shadow:
        both.add_row(
            pair.present,
            pair.candidate,
            str(pair.pages),
            str(pair.lines),
            f"{100 * pair.character_error_rate:.2f}",
            f"{100 * pair.same_lines:.0f}",
            f"{pair.present_confidence:.3f}, {pair.candidate_confidence:.3f}",
            f"{pair.present_milliseconds:.0f}, {pair.candidate_milliseconds:.0f}",
        )
    console.print(both if shadow else "no candidate has read beside the models in use")
    each = Table("answered by", "unit", "pages", "confidence", "ms, median", "ms, 95 %", "kept", "corrected")
    for row in served:
        numbers = f"{row.confidence:.3f}", f"{row.milliseconds:.0f}", f"{row.milliseconds_95:.0f}"
        each.add_row(row.model, row.unit, str(row.pages), *numbers, str(row.kept), str(row.corrected))
    console.print(each if served else "nothing was recorded in this time")


app.command()(compare)
_Folder = Annotated[Path | None, typer.Option("--registry", help="Folder of the registry.")]


@app.command("list")
def list_models(
    registry: _Folder = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the registered bundles, and what is in staging and production."""
    with explained():
        from text_recognizer.recognition.promotion import registered
        from text_recognizer.recognition.registry import SLOTS, STAGES, bundle_folder, current, registry_dir

        place = registry_dir(registry)
        stages = [found for stage in STAGES for slot in SLOTS if (found := current(stage, slot, place))]
        rows = []
        for identifier in registered(place):
            data = json.loads((bundle_folder(place, identifier) / "bundle.json").read_text(encoding="utf-8"))
            mine = [found for found in stages if found.id == identifier]
            row = {"id": identifier, "name": data["name"], "version": data["version"], "task": data["task"]}
            rows.append(row | {"stages": {f.stage: {"promoted": f.promoted, "by": f.by} for f in mine}})
        if as_json:
            typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
            return
        if not rows:
            typer.echo(f"nothing was promoted yet in {place}: the shipped bundles read")
        _print(rows)


def _print(rows: list[dict]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "version", "task", "stage", "promoted", "by", box=None)
    for row in rows:
        for stage, found in row["stages"].items() or [("", {"promoted": "", "by": ""})]:
            table.add_row(
                *(row[name] for name in ("id", "name", "version", "task")), stage, found["promoted"], found["by"]
            )
    if rows:
        Console(width=140).print(table)


@app.command()
def show(
    bundle: Annotated[str, typer.Argument(metavar="ID", help="The start of an identifier, staging or production.")],
    slot: Annotated[str, typer.Option(help="With a stage: lines, detector, characters or paragraphs.")] = "lines",
    registry: _Folder = None,
) -> None:
    """Show a registered bundle: where it lies, whether it is whole, and its history."""
    with explained():
        from text_recognizer.recognition.promotion import check_unchanged, find_registered
        from text_recognizer.recognition.registry import (
            STAGES,
            RegistryError,
            bundle_folder,
            promoted_folder,
            read_history,
            registry_dir,
        )

        place = registry_dir(registry)
        stage = bundle in STAGES
        identifier = promoted_folder(bundle, slot, place).name if stage else find_registered(place, bundle)
        folder = bundle_folder(place, identifier)
        typer.echo(f"{identifier}  {folder}")
        for record in read_history(place):
            if identifier in (record.get("id"), record.get("instead_of")):
                typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
        try:
            check_unchanged(folder)
        except RegistryError as error:
            complain(error)
            raise typer.Exit(1) from error
        typer.echo("its files are those that were registered")


@app.command()
def rollback(
    to: Annotated[
        str | None, typer.Option(help="The start of an identifier; by default what was there before.")
    ] = None,
    stage: Annotated[Stage, typer.Option(help="Of which stage.")] = Stage.production,
    slot: Annotated[str, typer.Option(help="Of lines, detector, characters or paragraphs.")] = "lines",
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    registry: _Folder = None,
) -> None:
    """Put back what was in production (or staging) before."""
    with explained():
        from text_recognizer.recognition.promotion import roll_back
        from text_recognizer.recognition.registry import registry_dir

        found = roll_back(stage.value, slot, registry_dir(registry), to, reason or "rollback")
        typer.echo(f"{found.identity} is in {stage.value} for {slot} again, as {found.id}")
