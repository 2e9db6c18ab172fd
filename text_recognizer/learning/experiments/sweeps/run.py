"""Run a sweep: Ray Tune shares the machine, or a cluster, out among trials; Optuna says what to try next.

Trials are ordinary runs, `<sweep>-01` and so on. What Tune knows lies in the cache, `sweeps/<sweep>/`, beside the
experiment as it was when the sweep began, so that a sweep that was interrupted goes on as the same sweep.

A sweep in Ray Tune's words: the space, what is tried next, what is stopped early.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import BasicVariantGenerator
from ray.tune.search.optuna import OptunaSearch

from text_recognizer.atomic_files import write_file
from text_recognizer.learning.experiments.sweeps.config import LISTS, Sweep, encoded, overrides, trial_experiment
from text_recognizer.learning.experiments.sweeps.trial import (
    EPOCH,
    FAILED,
    UNFINISHED,
    Record,
    Trial,
    TrialResult,
    read_results,
)
from text_recognizer.paths import CACHE_VARIABLE, DATA_VARIABLE, cache_dir, data_dir, runs_dir

#: What Ray is told: not to report its use to its makers, that paths in experiments are seen from the working directory,
#: and that trials are tracked like every run.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}

#: The experiment as it was when the sweep began, in the sweep's folder.
EXPERIMENT = "experiment.yaml"

_TUNE = "tune"  # what Tune keeps, apart: when it goes on it writes all of its folder anew

_RANGES = {"uniform": tune.uniform, "loguniform": tune.loguniform, "randint": tune.randint}


def sweep_dir(name: str) -> Path:
    """The folder of what is known of a sweep."""
    return cache_dir().absolute() / "sweeps" / name


def run_sweep(sweep: Sweep, resume: bool = False, say: Callable[[str], None] = print) -> list[TrialResult]:
    """Run all trials that are not finished, and return all, best first.

    resume: go on with a sweep that was interrupted. say: is told how trials go. Raises FileExistsError where the sweep
    or one of its runs is there already and `resume` is not set, FileNotFoundError where there is nothing to resume,
    ValueError where the sweep to resume was another one, and ConnectionError where its cluster is not found.
    """
    folder = sweep_dir(sweep.name)
    _prepare(folder, sweep, resume)
    with _cluster(sweep.address, say):
        _check_resources(sweep)
        tuner = restored_tuner(folder, sweep) if resume else new_tuner(folder, sweep)
        tuner.fit()
    return ranked(read_results(folder), sweep)


def ranked(results: Iterable[TrialResult], sweep: Sweep) -> list[TrialResult]:
    """Trials best first; those that failed or have no score come last."""
    sign = 1 if sweep.mode == "min" else -1
    lost = {one.name: one.state == FAILED or one.score is None or math.isnan(one.score) for one in results}
    return sorted(results, key=lambda one: (lost[one.name], sign * (one.score or 0.0), one.name))


def complete(results: Sequence[TrialResult], sweep: Sweep) -> bool:
    """Whether every trial of a sweep was begun, and came to an end."""
    points = math.prod(len(next(iter(entry.values()))) for entry in sweep.search.values())
    planned = points if sweep.method == "grid" else sweep.trials
    return sum(one.state != UNFINISHED for one in results) >= planned


def best_command(sweep: Sweep, best: TrialResult) -> list[str]:
    """The command line that trains the best trial in full, without what was changed for the sweep alone."""
    return ["text-recognizer", "train", sweep.experiment, f"--name={sweep.name}-best", *overrides(best.values)]


def _prepare(folder: Path, sweep: Sweep, resume: bool) -> None:
    """Write down what the sweep is, or check that it is what it was."""
    description = folder / "sweep.json"
    if resume:
        if not description.is_file():
            raise FileNotFoundError(f"there is no sweep to resume in {folder}")
        before, now = json.loads(description.read_text(encoding="utf-8")), sweep.what()
        changed = [key for key in now if json.loads(json.dumps(now[key])) != before.get(key)]
        if changed:
            raise ValueError(
                f"the sweep {sweep.name} began with another {', '.join(changed)}: undo that, or give it another --name"
            )
        return
    taken = [path for path in (folder, *sorted(runs_dir().glob(f"{sweep.name}-[0-9]*"))) if path.exists()]
    if taken:
        raise FileExistsError(f"{taken[0]} is there already: go on with --resume, or give the sweep another --name")
    folder.mkdir(parents=True)
    shutil.copyfile(sweep.experiment, folder / EXPERIMENT)
    write_file(description, json.dumps(sweep.what(), indent=2).encode())


@contextmanager
def _cluster(address: str, say: Callable[[str], None]) -> Iterator[None]:
    """Ray: started here for the time of the sweep, or the cluster at `address`, which stays."""
    os.environ.update(_ENVIRONMENT)
    if ray.is_initialized():
        yield
        return
    say("starting Ray on this machine" if not address else f"connecting to Ray at {address}")
    # No dashboard of a cluster started here; one that runs keeps what it has.
    dashboard = None if address else False
    ray.init(
        address=address or "local", include_dashboard=dashboard, log_to_driver=False, logging_level=logging.CRITICAL
    )
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # of trials that fail the table tells
    try:
        yield
    finally:
        ray.shutdown()


def _check_resources(sweep: Sweep) -> None:
    """Raises ValueError where no trial would ever fit: Tune waits for machines to be added."""
    there = ray.cluster_resources()
    wanted = {"CPU": sweep.resources.cpus, "GPU": sweep.resources.gpus}
    for kind, amount in wanted.items():
        if amount > there.get(kind, 0):
            raise ValueError(
                f"a trial asks for {amount:g} {kind}, and there are {there.get(kind, 0):g}: see `resources`"
            )


def new_tuner(folder: Path, sweep: Sweep) -> tune.Tuner:
    """The trials of a sweep that begins. folder: the sweep's, with the experiment in it."""
    epochs = trial_experiment(folder / EXPERIMENT, sweep, {}).trainer.epochs
    config = tune.TuneConfig(
        metric=sweep.metric,
        mode=sweep.mode,
        num_samples=1 if sweep.method == "grid" else sweep.trials,
        search_alg=_search(sweep),
        scheduler=_scheduler(sweep, epochs),
        max_concurrent_trials=None if sweep.method != "optuna" else sweep.concurrent or None,
        reuse_actors=True,
        trial_name_creator=_Name(sweep),
        trial_dirname_creator=_Name(sweep),
    )
    run = tune.RunConfig(
        name=_TUNE,
        storage_path=str(folder),
        checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # runs keep their own
        verbose=0,
        callbacks=[Record(sweep, folder, epochs)],
    )
    space = {name: _domain(entry, sweep.method) for name, entry in sweep.search.items()}
    return tune.Tuner(_trainable(folder, sweep), param_space=space, tune_config=config, run_config=run)


def restored_tuner(folder: Path, sweep: Sweep) -> tune.Tuner:
    """The trials of a sweep that goes on: those that are not finished, and those that were not begun."""
    if not tune.Tuner.can_restore(str(folder / _TUNE)):  # it was interrupted before the first of them
        return new_tuner(folder, sweep)
    return tune.Tuner.restore(str(folder / _TUNE), _trainable(folder, sweep))


def _trainable(folder: Path, sweep: Sweep) -> Any:
    environment = {DATA_VARIABLE: str(data_dir().absolute()), CACHE_VARIABLE: str(cache_dir().absolute())}
    path = str(folder / EXPERIMENT)
    trial = tune.with_parameters(Trial, sweep=sweep, path=path, environment=environment)
    return tune.with_resources(trial, {"cpu": sweep.resources.cpus, "gpu": sweep.resources.gpus})


def _domain(entry: dict[str, list[Any]], method: str) -> Any:
    """A range of values. Those of a list are texts: Optuna takes no lists for choices."""
    kind, values = next(iter(entry.items()))
    if kind not in LISTS:
        return _RANGES[kind](*values)
    return (tune.grid_search if method == "grid" else tune.choice)([encoded(value) for value in values])


def _search(sweep: Sweep) -> Any:
    """Optuna's tree-structured Parzen estimator (Bergstra et al., NIPS 2011), or no memory of what was tried."""
    if sweep.method == "optuna":
        return OptunaSearch(seed=sweep.seed)
    return BasicVariantGenerator(max_concurrent=sweep.concurrent, random_state=sweep.seed)


def _scheduler(sweep: Sweep, epochs: int) -> TrialScheduler:
    chosen = sweep.scheduler
    if chosen.name == "none":
        return FIFOScheduler()
    return ASHAScheduler(
        time_attr=EPOCH, max_t=max(epochs, chosen.grace), grace_period=chosen.grace, reduction_factor=chosen.reduction
    )


class _Name:
    """Names trials by their number: `<sweep>-01`. A class, as Tune keeps it in a file."""

    def __init__(self, sweep: Sweep) -> None:
        self.name, self.first = sweep.name, int(sweep.method != "optuna")  # Tune counts some from 0

    def __call__(self, trial: Any) -> str:
        return f"{self.name}-{int(trial.experiment_tag.partition('_')[0]) + self.first:02d}"
