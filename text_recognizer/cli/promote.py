"""`text-recognizer promote`: a bundle into staging or production, if it passes the gate."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from text_recognizer.cli.errors import complain, explained

if TYPE_CHECKING:
    from text_recognizer.learning.evaluation.suites.gate import Verdict
    from text_recognizer.learning.evaluation.suites.run import SuiteResult
    from text_recognizer.recognition.registry import RegisteredBundle

REFUSED = 1
_UNJUDGED = 12  # slices that are named


class Stage(StrEnum):
    """Where a bundle is promoted to."""

    staging = "staging"
    production = "production"


def promote(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A folder, a shipped name, or staging for the lines there.")
    ],
    stage: Annotated[Stage, typer.Option(help="Where to.")] = Stage.production,
    suite: Annotated[
        list[str] | None, typer.Option(help="What to test it with; by default basic and accuracy.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Promote it though it is refused; needs a reason, and is recorded.")
    ] = False,
    registry: Annotated[Path | None, typer.Option(help="Folder of the registry.")] = None,
    report: Annotated[Path | None, typer.Option(help="HTML file to write the report to.")] = None,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Name it in MLflow's registry of models too.")] = False,
) -> None:
    """Test a bundle beside the one in production; register it if nothing speaks against it, else say what does."""
    with explained():
        if force and not reason.strip():
            raise ValueError("--force needs a reason: --reason TEXT")
        from text_recognizer.learning.evaluation.suites.gate import in_production, judge
        from text_recognizer.learning.evaluation.suites.suite import load_suite
        from text_recognizer.recognition.bundle import bundle_task, find_bundle
        from text_recognizer.recognition.promotion import Decision, register
        from text_recognizer.recognition.registry import STAGES, current, promoted_folder, registry_dir, slot_of

        place = registry_dir(registry)
        folder = promoted_folder(bundle, registry=place) if bundle in STAGES else find_bundle(bundle)
        suites = [load_suite(name) for name in suite or ("basic", "accuracy")]
        slot = slot_of(bundle_task(folder))
        before = current(stage.value, slot, place)
        verdict = judge(folder, suites, in_production(slot, place), _say)
        tell(verdict, report)
        if verdict.damage or (verdict.refusals and not force):
            raise typer.Exit(REFUSED)
        decision = Decision(reason, verdict.evidence(), forced=bool(verdict.refusals))
        done = register(folder, stage.value, decision, place, before.id if before else None)
        typer.echo(f"{done.identity} is in {stage.value} for {slot} as {done.id}, in {place}")
        if mlflow:
            _to_mlflow(done, decision.evidence)


def run_suites(bundles: list[str], suites: list[str], against: str, report: Path | None) -> None:
    """`evaluate --suite`: the same tests, and nothing is registered."""
    with explained():
        from text_recognizer.learning.evaluation.suites.gate import in_production, judge
        from text_recognizer.learning.evaluation.suites.suite import load_suite
        from text_recognizer.recognition.bundle import bundle_task, find_bundle
        from text_recognizer.recognition.registry import slot_of

        if len(bundles) != 1:
            raise ValueError("--suite tests one bundle at a time: text-recognizer evaluate BUNDLE --suite SUITE")
        loaded = [load_suite(name) for name in suites]
        folder = find_bundle(bundles[0])
        other = None
        if against:
            slot = slot_of(bundle_task(folder))
            other = in_production(slot) if against == "production" else find_bundle(against, slot)
        verdict = judge(folder, loaded, other, _say)
        tell(verdict, report)
        if verdict.reasons:
            raise typer.Exit(REFUSED)


def tell(verdict: Verdict, report: Path | None) -> None:
    """The results as tables, and every reason against the bundle."""
    from text_recognizer.learning.evaluation.suites.report import write_report

    for result in verdict.results:
        _print(result)
    for problem in verdict.reasons:
        complain(problem)
    count = len(verdict.reasons)
    typer.echo(f"refused: {count} reason{'s' if count != 1 else ''}" if count else "passed")
    if report is not None and verdict.results:
        write_report(report, verdict.results, verdict.refusals)
        typer.echo(f"wrote {report}")


def _print(result: SuiteResult) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=120)
    beside = f", beside {result.production}" if result.production else ""
    console.print(f"{result.identity}, suite {result.suite.identity}{beside}", markup=False, highlight=False)
    if result.cases or result.changes:
        passed = sum(case.passed for case in result.cases), sum(change.passed for change in result.changes)
        typer.echo(f"functionality: {passed[0]} of {len(result.cases)} passed", nl=False)
        typer.echo(f"; invariance: {passed[1]} of {len(result.changes)} passed")
    if result.comparison:
        table = Table("samples", "measure", "count", "of", "rate %", "production %", "difference", box=None)
        for row in result.comparison.rows:
            if row.title.startswith(("writer:", "character:")) and not row.worse:
                continue  # many, and in the report
            cells = [_interval(found) for found in (row.rate, row.production, row.difference)]
            note = " worse" if row.worse else " (not judged)" if row.unjudged else ""
            table.add_row(row.title, row.measure, str(row.samples), str(row.groups), *cells[:2], cells[2] + note)
        console.print(table)
        if result.unjudged:
            more = len(result.unjudged) - _UNJUDGED
            named = ", ".join(result.unjudged[:_UNJUDGED]) + (f", and {more} more, see --report" if more > 0 else "")
            typer.echo(f"too small to be judged: {named}")
    for name, value in result.calibration.items():
        typer.echo(f"expected calibration error on {name}: {100 * value:.1f} %")
    if result.cost:
        cost = result.cost
        beside = f" ({cost.ratio:.2f} and {cost.size_ratio:.2f} times production)" if cost.ratio else ""
        typer.echo(f"cost: {cost.time:.1f} ms an image on one thread, {cost.size:.2f} MB of weights{beside}")


def _interval(found: object) -> str:
    from text_recognizer.learning.evaluation.suites.bootstrap import Interval

    if not isinstance(found, Interval):
        return ""
    return f"{100 * found.value:.2f} ({100 * found.low:.2f} to {100 * found.high:.2f})"


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _to_mlflow(done: RegisteredBundle, evidence: object) -> None:
    from text_recognizer.learning.experiments.mlflow_store import name_in_mlflow

    try:
        typer.echo(name_in_mlflow(done, evidence))
    except Exception as error:  # whatever a tracking server answers
        raise ValueError(f"the bundle was promoted, but MLflow's registry refused it: {error}") from error
