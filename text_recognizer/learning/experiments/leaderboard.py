"""The runs that were tracked, the best of each task first."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import Any

from text_recognizer.learning.experiments.mlflow_store import mlflow_client, store_uri
from text_recognizer.learning.experiments.scores import higher_is_better, main_metric, main_score

_PAGE = 1000  # runs that are asked for at a time
#: What validations measure; a metric of another name (losses, the machine) is no score.
_SCORES = re.compile(r".*/(cer|wer|accuracy|class_mean|ignoring_case|pixel_f1)$")


@dataclass(frozen=True)
class Standing:
    """A tracked run. score: the mean of the task's main metric over the validation sets, None where none was logged.
    scores: every one by its name, as last logged. parameters, epochs and minutes: 0 where they are not known."""

    name: str
    task: str
    network: str
    data: str
    parameters: int
    epochs: int
    minutes: float
    score: float | None
    commit: str
    date: str
    status: str
    folder: str
    scores: dict[str, float] = field(default_factory=dict)


def standings(task: str = "") -> list[Standing]:
    """The tracked runs of a task, or of all; grouped by task, the best score first, runs without a score last.

    Raises ValueError for a task that nothing was tracked of.
    """
    client = mlflow_client()
    experiments = {found.name: found.experiment_id for found in client.search_experiments() if found.name != "Default"}
    if task and task not in experiments:
        raise ValueError(f"no run of task {task!r} was tracked; there are: {', '.join(sorted(experiments)) or 'none'}")
    found = []
    for name in [task] if task else sorted(experiments):
        rows = [_standing(run, name) for run in _runs(client, experiments[name])]
        found += sorted(rows, key=lambda row: _rank(row, name))
    return found


def _runs(client: Any, experiment_id: str) -> list[Any]:
    runs, token = [], None
    while True:
        page = client.search_runs([experiment_id], max_results=_PAGE, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _standing(run: Any, task: str) -> Standing:
    tags, metrics = run.data.tags, run.data.metrics
    scores = {name: value for name, value in sorted(metrics.items()) if _SCORES.match(name)}
    started = datetime.datetime.fromtimestamp(run.info.start_time / 1000)
    return Standing(
        name=run.info.run_name,
        task=tags.get("task", task),
        network=tags.get("network", ""),
        data=tags.get("data", ""),
        parameters=int(tags.get("parameters", 0)),
        epochs=int(metrics.get("epoch", -1)) + 1,
        minutes=round(metrics.get("minutes", 0.0), 1),
        score=main_score(scores, task),
        commit=tags.get("commit", ""),
        date=started.isoformat(" ", "minutes"),
        status=run.info.status.lower(),
        folder=tags.get("folder", ""),
        scores=scores,
    )


def _rank(row: Standing, task: str) -> tuple[bool, float]:
    score = row.score or 0.0
    return row.score is None, -score if higher_is_better(task) else score


def heading(task: str) -> str:
    """What a task is sorted by: "lines, by cer"."""
    return f"{task}, by {main_metric(task)}"


def browser_command() -> str:
    """The command that shows the same runs in a browser, with their curves."""
    return f"mlflow ui --backend-store-uri {store_uri()}"
