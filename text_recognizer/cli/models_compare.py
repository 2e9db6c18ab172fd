"""`text-recognizer models compare`: what a candidate did beside the models in use."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import explained

if TYPE_CHECKING:
    from text_recognizer.service.models.report import ServedReport, ShadowReport


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
        from text_recognizer.service.models import report
        from text_recognizer.service.models.comparisons import ComparisonStore
        from text_recognizer.service.monitoring.store import FeatureStore

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
    _print(shadow, served)


def _print(shadow: list[ShadowReport], served: list[ServedReport]) -> None:
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
