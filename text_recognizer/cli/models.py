"""`text-recognizer models`: what was promoted, and the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from text_recognizer.cli.errors import complain, explained
from text_recognizer.cli.models_compare import compare
from text_recognizer.cli.promote import Stage

app = typer.Typer(help="Promoted models: list them, show one, roll back, compare a candidate.", no_args_is_help=True)
app.command()(compare)
_Folder = Annotated[Path | None, typer.Option("--registry", help="Folder of the registry.")]


@app.command("list")
def list_models(
    registry: _Folder = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the registered bundles, and what is in staging and production."""
    with explained():
        from text_recognizer.recognition.registration import registered
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
        from text_recognizer.recognition.registration import check_unchanged, find_registered
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
        from text_recognizer.recognition.registration import roll_back
        from text_recognizer.recognition.registry import registry_dir

        found = roll_back(stage.value, slot, registry_dir(registry), to, reason or "rollback")
        typer.echo(f"{found.identity} is in {stage.value} for {slot} again, as {found.id}")
