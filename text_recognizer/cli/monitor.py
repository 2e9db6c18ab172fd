"""`text-recognizer monitor`: whether what is read has changed, and what it is compared with."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import explained

if TYPE_CHECKING:
    from text_recognizer.service.monitoring.drift import DriftReport
    from text_recognizer.service.monitoring.expected_errors import ExpectedErrors
    from text_recognizer.service.monitoring.reference import Reference

DRIFT = 3  # exit code
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Unit(StrEnum):
    """What was read at once."""

    page = "page"
    line = "line"


app = typer.Typer(help="Watch what is read: compare it with what is usual.", no_args_is_help=True)

Database = Annotated[
    str, typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://...; by default the server's database.")
]


@app.command()
def check(
    window: Annotated[str, typer.Option(help="How far back to look: 90m, 24h, 7d.")] = "24h",
    database: Database = "",
    reference: Annotated[str, typer.Option(help="A file; auto: your own, else that of the model.")] = "auto",
    model: Annotated[str, typer.Option(help="The bundle of lines whose reference is meant by auto.")] = "lines",
    readings: Annotated[int, typer.Option(min=20, help="That there must be for a verdict.")] = 50,
    level: Annotated[float, typer.Option(min=1e-9, max=0.5, help="Chance of a false alarm.")] = 0.001,
    remember: Annotated[bool, typer.Option("--remember", help="Store the result, and print an alert if due.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compare the readings of a while with the reference. Exit code 0: no drift, or no verdict; 3: drift."""
    with explained("serve"):
        from text_recognizer.service.feedback import database as feedback
        from text_recognizer.service.monitoring import check as checking
        from text_recognizer.service.monitoring.drift import Limits
        from text_recognizer.service.monitoring.expected_errors import expected_errors
        from text_recognizer.service.monitoring.reference import find_reference, load_reference
        from text_recognizer.service.monitoring.store import FeatureStore

        duration = _duration(window)
        usual = load_reference(find_reference(reference, model))
        url = feedback.existing_database(database)
        with closing(FeatureStore(url)) as store, closing(feedback.Database(url)) as corrected:
            report = checking.check(store, usual, duration, Limits(readings=readings, level=level))
            expected = expected_errors(store.window(report.start, report.end), corrected, report.start, report.end)
            alert = checking.remember(store, report) if remember else None
    if as_json:
        told = {"alert": alert.kind if alert else None, "expected": expected.to_dict()}
        typer.echo(json.dumps(report.to_dict() | told, indent=1))
    else:
        _print(report)
        _print_expected(expected)
        if alert:
            typer.echo(f"alert ({alert.kind}): {alert.text}")
    if report.drift:
        raise typer.Exit(DRIFT)


@app.command()
def reference(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A bundle of lines: a shipped one's name or a folder.")
    ],
    pages: Annotated[
        list[Path] | None, typer.Option("--pages", help="An image, or a folder of them, of usual pages; several times.")
    ] = None,
    readings: Annotated[int, typer.Option(min=50, help="Without --pages: the first so many stored readings.")] = 300,
    days: Annotated[
        float, typer.Option(min=0, max=36_500, help="Without --pages: of the last so many days; 0: of all.")
    ] = 0,
    unit: Annotated[
        Unit, typer.Option(help="Without --pages: readings of whole pages, or of single lines.")
    ] = Unit.page,
    database: Database = "",
    output: Annotated[
        Path | None, typer.Option(help="File to write. By default the bundle's (--pages), or your own.")
    ] = None,
) -> None:
    """Say what is usual: make a reference of pages that the bundle reads now, or of the readings of a server."""
    with explained("serve"):
        from text_recognizer.service.monitoring.reference import REFERENCE_FILE, own_reference

        if pages:
            from text_recognizer.recognition.bundle import find_bundle

            made, path = _of_pages(bundle, pages), output or find_bundle(bundle) / REFERENCE_FILE
        else:
            made, path = _of_readings(bundle, readings, days, unit, database), output or own_reference()
        made.save(path)
    typer.echo(f"wrote {path}: {made.readings} readings by {', '.join(made.models.values())}")


@app.command()
def alert(
    test: Annotated[bool, typer.Option("--test", help="Send a test message, and nothing else.")] = False,
    database: Database = "",
) -> None:
    """Send the alerts that wait, once each, to TEXT_RECOGNIZER_ALERT_URLS: for those who check without a server.

    Exit code 1 where a receiver did not take a message; alerts are then tried again by the next call, or the server.
    """
    with explained("serve"):
        from text_recognizer.service.feedback.database import existing_database
        from text_recognizer.service.monitoring.sending import AlertSender, Targets, monitor_link
        from text_recognizer.service.settings import Settings, explained_settings

        with explained_settings():
            settings = Settings()
        targets = Targets(settings.alert_urls)
        if not targets.names:
            raise ValueError("nobody is to be told: set TEXT_RECOGNIZER_ALERT_URLS")
        if test:
            body = "This is a test. Alerts of changed readings will come here."
            errors = {name: targets.send(name, "Text Recognizer: test", body) for name in targets.names}
        else:
            errors = AlertSender(existing_database(database), targets, monitor_link(settings)).send_now()
    for name, error in errors.items():
        typer.echo(f"{name}: {error or 'sent'}")
    if not errors:
        typer.echo("no alert is due")
    if any(errors.values()):
        raise typer.Exit(1)


def _of_pages(bundle: str, paths: list[Path]) -> Reference:
    from rich.progress import track

    from text_recognizer import TextRecognizer
    from text_recognizer.service.reading.reference_readings import read_features, reference_of_pages

    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    recognizer = TextRecognizer(bundle)
    found = [read_features(recognizer, file) for file in track(files, "reading", transient=True)]
    return reference_of_pages(found, f"{len(found)} pages")


def _of_readings(bundle: str, readings: int, days: float, unit: Unit, database: str) -> Reference:
    from text_recognizer.service.feedback.database import existing_database
    from text_recognizer.service.monitoring.store import FeatureStore
    from text_recognizer.service.reading.reference_readings import reference_of_readings

    with closing(FeatureStore(existing_database(database))) as store:
        return reference_of_readings(store, bundle, readings, timedelta(days=days) if days else None, unit.value)


def _duration(text: str) -> timedelta:
    """A duration such as 90m, 24h or 7d. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([mhd])", text.strip())
    if not match or not 0 < float(match[1]) < 100_000:
        raise ValueError(f"{text!r} is no duration: write minutes, hours or days as 90m, 24h, 7d")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


def _print(report: DriftReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if report.features:
        table = Table(title=f"{report.readings} readings against the reference ({report.reference})")
        table.add_column("feature", no_wrap=True)
        for column in ("usually", "now", "distance", "p, corrected", "stability index"):
            table.add_column(column, justify="right")
        table.add_column("", no_wrap=True)
        for f in sorted(report.features, key=lambda f: (not f.drifted, f.p_value)):
            values = [value if isinstance(value, str) else f"{value:.3g}" for value in (f.then, f.now)]
            table.add_row(
                f.name, *values, f"{f.distance:.2f}", f"{f.p_value:.1g}", f"{f.index:.2f}", "drift" if f.drifted else ""
            )
        if report.area is not None:
            shown = f"{report.area:.2f}", f"{report.p_value:.1g}", "", "drift" if report.together else ""
            table.add_row("all together (area under the ROC curve)", "", "", *shown)
        console.print(table)
    for reason, count in report.left_out.items():
        console.print(f"left out {count}: {reason}", markup=False)
    for message in report.messages:
        console.print(message, markup=False)
    console.print({None: "no verdict", False: "no drift", True: "drift: " + ", ".join(report.drifted)}[report.drift])


def _print_expected(found: ExpectedErrors) -> None:
    if found.doubt is not None:
        read = f"{found.readings} pages, {found.characters:,} characters"
        typer.echo(f"expected: {found.doubt:.1%} of what was read ({read}) stands in words that are wrong")
    if found.expected is not None and found.real is not None:
        what = f"{found.lines} corrected or confirmed lines ({found.corrected_characters:,} characters)"
        typer.echo(f"of {what}: character error rate {found.expected:.1%} expected, {found.real:.1%} real")
