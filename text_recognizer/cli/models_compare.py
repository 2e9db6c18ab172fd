"""`text-recognizer models compare`: what a candidate did beside the models in use."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import explained

if TYPE_CHECKING:
    from text_recognizer.service.models.report import ServedReport, ShadowReport


def compare(
    hours: Annotated[float, typer.Option(min=0.01, help="How far back to look.")] = 24.0,
    database: Annotated[
        str,
        typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://...; by default the server's database."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare a candidate with the models in use: on the same lines, and in what each of them answered."""
    with explained("serve"):
        from datetime import timedelta
        from pathlib import Path

        from text_recognizer.service.feedback.database import Database, database_url
        from text_recognizer.service.feedback.locations import feedback_database
        from text_recognizer.service.feedback.records import utc_now
        from text_recognizer.service.models import report
        from text_recognizer.service.models.comparisons import ComparisonStore
        from text_recognizer.service.monitoring.store import FeatureStore

        url = database or feedback_database()
        parsed = database_url(url)
        if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
            raise FileNotFoundError(f"there is no database at {parsed.database}: has a server run here?")
        now = utc_now()
        since = now - timedelta(hours=hours)
        comparisons, features, feedback = ComparisonStore(url), FeatureStore(url), Database(url)
        try:
            shadow = report.shadow_reports(comparisons.since(since))
            corrections = report.corrections_by_model(feedback, since)
            served = report.served_reports(features.window(since, now), corrections)
        finally:
            for store in (comparisons, features, feedback):
                store.close()
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
