"""Sweeps: what is wrong is named before Ray starts; trials through the real program, interrupted, failed, gone on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("ray", reason="the extra `sweep` is not installed")
pytest.importorskip("optuna", reason="the extra `sweep` is not installed")

from text_recognizer.learning.experiments.sweeps.config import load_sweep, overrides, trial_experiment
from text_recognizer.learning.experiments.sweeps.run import complete, ranked, run_sweep
from text_recognizer.learning.experiments.sweeps.trial import TrialResult

ROOT = Path(__file__).resolve().parents[4]
SWEEPS = sorted((ROOT / "experiments" / "sweeps").glob("*.yaml"))
RATE = "optimization.learning_rate"
# Of the two points the one with 20 pixels fails: the pictures have 28.
TINY = {
    "experiment": str(ROOT / "experiments" / "characters.yaml"),
    "metric": "fonts/accuracy",
    "method": "grid",
    "change": {
        "trainer.epochs": 2,
        "trainer.tracker": "none",
        "trainer.samples": 0,
        "trainer.precision": "32-true",
        "data.train": [{"name": "fonts", "variants": 1}],
        "data.val": [{"name": "fonts", "variants": 1, "seed": 2}],
        "data.workers": 0,
        "network.fields.channels": [4, 4],
        "network.fields.hidden": [8],
    },
    "search": {"network.fields.size": {"grid": [28, 20]}, RATE: {"choice": [0.001]}},
    "concurrent": 1,
}


def written(folder: Path, **changes: object) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY | changes))
    return path


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_sweep_is_valid(path):
    sweep = load_sweep(path)
    assert sweep.name == f"sweep-{path.stem}"
    assert Path(sweep.experiment).is_file()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"trails": 3}, "there is no trails; the nearest is trials"),
        ({"trials": "many"}, "trials must be a whole number"),
        ({"trials": 0}, "trials must be at least 1"),
        ({"experiment": "nowhere.yaml"}, "nowhere.yaml"),
        ({"metric": "fonts/acuracy"}, "the nearest is fonts/accuracy"),
        ({"mode": "min"}, "the maximum"),
        ({"method": "optimal"}, "method must be one of"),
        ({"scheduler": {"grac": 1}}, "the nearest is scheduler.grace"),
        ({"scheduler": {"grace": 9}}, "grace"),
        ({"change": {"trainer.epocs": 3}}, "the nearest is trainer.epochs"),
        ({"search": {}}, "`search` is missing"),
        ({"search": {"optimization.learning_rat": {"grid": [1.0]}}}, f"the nearest is {RATE}"),
        ({"search": {"network.fields.hiden": {"grid": [[8]]}}}, "the nearest is network.fields.hidden"),
        ({"search": {RATE: {"grid": [0.1, "fast"]}}}, "'fast'"),
        ({"search": {RATE: {"gird": [0.1]}}}, "grid"),
        ({"search": {RATE: 0.1}}, "must be one of choice"),
        ({"search": {RATE: {"uniform": [0.1, 0.2]}}}, "name them in grid"),
        ({"search": {RATE: {"uniform": [0.1]}}, "method": "random"}, "2 values"),
        ({"search": {RATE: {"loguniform": [0, 1]}}, "method": "optuna"}, "above 0"),
        ({"search": {RATE: {"grid": [0.1]}}, "method": "optuna"}, "needs `method: grid`"),
    ],
)
def test_what_is_wrong_is_named_before_anything_starts(tmp_path, changes, named):
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load_sweep(written(tmp_path, **changes))
    assert named in str(caught.value)


def test_a_trial_is_the_experiment_with_its_values(tmp_path):
    sweep = load_sweep(written(tmp_path))
    point = {"network.fields.size": 28, RATE: 3e-5}
    experiment = trial_experiment(Path(sweep.experiment), sweep, point, "tiny-07")
    assert (experiment.name, experiment.optimization.learning_rate, experiment.trainer.epochs) == ("tiny-07", 3e-5, 2)
    assert experiment.network.fields == {"channels": [4, 4], "hidden": [8], "size": 28}
    assert overrides({"a": [1, 2], "b": "c", "d": True}) == ["--a=[1, 2]", "--b=c", "--d=true"]


def test_trials_are_ranked_best_first_and_failures_last(tmp_path):
    sweep = load_sweep(written(tmp_path))
    results = [
        TrialResult("a", "finished", score=0.2),
        TrialResult("b", "failed", score=0.9),
        TrialResult("c", "stopped early", score=0.5),
        TrialResult("d", "not finished"),
    ]
    assert [result.name for result in ranked(results, sweep)] == ["c", "a", "b", "d"]
    assert complete(results[:2], sweep)  # of two points
    assert not complete(results[2:], sweep)


def program(sweep: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "text_recognizer.cli.main", "sweep", str(sweep), *more]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, start_new_session=True,
        env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on_and_a_failed_trial_stops_nothing(bare_data, tmp_path):
    cache = Path(os.environ["TEXT_RECOGNIZER_CACHE"])
    path = written(tmp_path)
    first = program(path)
    said = []
    for line in first.stdout:
        said.append(line)
        if "tiny-01: fonts/accuracy" in line:
            os.killpg(first.pid, signal.SIGINT)  # as Ctrl-C does: to all processes of the terminal
    assert first.wait(300) == 130, "".join(said)
    assert "--resume" in said[-1]
    with pytest.raises(FileExistsError, match="is there already: go on with --resume"):
        run_sweep(load_sweep(path))
    with pytest.raises(ValueError, match="began with another seed"):
        run_sweep(load_sweep(written(tmp_path, seed=1)), resume=True)
    written(tmp_path)
    resumed = program(path, "--resume")
    text = resumed.communicate(timeout=500)[0]
    assert resumed.returncode == 0, text
    rows = json.loads((cache / "sweeps" / "tiny" / "trials.json").read_text())
    states = {row["name"]: (row["state"], row["epochs"]) for row in rows}
    assert states == {"tiny-01": ("finished", 2), "tiny-02": ("failed", 0)}
    assert "shapes cannot be multiplied" in text
    assert "training_step" in (cache / "sweeps" / "tiny" / "tiny-02-error.txt").read_text()
    assert "--name=tiny-best" in text
    assert (cache / "runs" / "tiny-01" / "last.ckpt").is_file()
