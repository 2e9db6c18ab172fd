"""A sweep in Ray Tune's words: the space, what is tried next, what is stopped early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import BasicVariantGenerator
from ray.tune.search.optuna import OptunaSearch

from text_recognizer.learning.data.locations import CACHE_VARIABLE, DATA_VARIABLE, cache_dir, data_dir
from text_recognizer.learning.experiments.sweep_config import LISTS, Sweep, encoded, trial_experiment
from text_recognizer.learning.experiments.sweep_results import Record
from text_recognizer.learning.experiments.sweep_trial import EPOCH, Trial

#: The experiment as it was when the sweep began, in the sweep's folder.
EXPERIMENT = "experiment.yaml"

_TUNE = "tune"  # what Tune keeps, apart: when it goes on it writes all of its folder anew

_RANGES = {"uniform": tune.uniform, "loguniform": tune.loguniform, "randint": tune.randint}


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
