"""Runs are recorded in a real MLflow store, in W&B and TensorBoard files; a tracker that fails stops nothing."""

import csv
import importlib.util
import io
import json
import os
import time

import pytest
from typer.testing import CliRunner

from tests.helpers.tiny_training import LINES, TINY, tiny
from tests.learning.experiments.test_experiments import CtrlCInValidation
from text_recognizer.cli.main import app
from text_recognizer.learning.experiments.mlflow_store import mlflow_client, store_uri
from text_recognizer.learning.experiments.run import train
from text_recognizer.learning.experiments.scores import better, main_score


@pytest.fixture(scope="module")
def tracked(line_cache):
    """A run of one epoch that went on to two, and a second that Ctrl-C stopped: their record in one store."""
    train(tiny("--name=first", "--samples=2", tracker="mlflow"))
    train(tiny("--name=first", "--samples=2", "--epochs=2", tracker="mlflow"), resume=True)
    second = tiny("--name=second", "--samples=0", "--network.fields.hidden=4", "--epochs=2", tracker="mlflow")
    with pytest.raises(KeyboardInterrupt):
        train(second, callbacks=[CtrlCInValidation()])
    return mlflow_client()


def runs(client, task="lines"):
    experiment = client.get_experiment_by_name(task)
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_the_store_is_a_file_beside_the_runs(tracked, line_cache):
    assert (
        "MLFLOW_TRACKING_URI" not in os.environ
    )  # as MLflow leaves it, another cache would write into this one's store
    assert store_uri() == f"sqlite:///{line_cache / 'runs' / 'mlflow.db'}"
    assert (line_cache / "runs" / "mlflow.db").is_file()
    assert set(runs(tracked)) == {"first", "second"}


def test_a_run_is_recorded_whole_and_goes_on_in_the_same_record(tracked, line_cache):
    run = runs(tracked)["first"]
    assert run.info.status == "FINISHED"
    assert run.data.params["optimization/learning_rate"] == "0.001"
    assert run.data.tags["network"] == "crnn"
    assert run.data.tags["checkpoint"] == str(line_cache / "runs" / "first" / "last.ckpt")
    assert run.data.tags["data"].startswith("iam-train ")
    assert len(run.data.tags["commit"]) >= 40
    assert {step.value for step in tracked.get_metric_history(run.info.run_id, "epoch")} == {0, 1}
    assert len(tracked.get_metric_history(run.info.run_id, "iam-val/cer")) == 2
    files = {file.path for file in tracked.list_artifacts(run.info.run_id)}
    assert files == {"experiment.json", "environment.json", "samples"}
    assert len(tracked.list_artifacts(run.info.run_id, "samples")) == 4
    assert (line_cache / "runs" / "mlflow-artifacts" / run.info.run_id).is_dir()


def test_a_run_that_was_stopped_is_no_failure(tracked):
    run = runs(tracked)["second"]
    assert run.info.status == "KILLED"
    assert len(tracked.get_metric_history(run.info.run_id, "iam-val/cer")) == 1


def leaderboard(*options):
    return CliRunner().invoke(app, ["leaderboard", *options])


def test_the_leaderboard_sorts_by_score(tracked):
    result = leaderboard("--task", "lines")
    assert result.exit_code == 0, result.stderr
    assert "mlflow ui --backend-store-uri sqlite:///" in result.stdout
    assert "iam-val/cer" in result.stdout
    found = json.loads(leaderboard("--json").stdout)
    assert {row["name"] for row in found} == {"first", "second"}
    assert [row["score"] for row in found] == sorted(row["score"] for row in found)
    first = next(row for row in found if row["name"] == "first")
    assert (first["task"], first["network"], first["epochs"]) == ("lines", "crnn", 2)
    assert first["parameters"] > 1000
    assert first["score"] == pytest.approx(first["scores"]["iam-val/cer"])
    table = list(csv.DictReader(io.StringIO(leaderboard("--csv").stdout)))
    assert [row["name"] for row in table] == [row["name"] for row in found]
    assert float(table[0]["iam-val/cer"]) == pytest.approx(found[0]["score"])


def test_a_task_without_runs_is_named(tracked):
    result = leaderboard("--task", "detector")
    assert result.exit_code == 2
    assert "there are: lines" in result.stderr


def test_wandb_records_offline_without_a_key(line_cache, monkeypatch, capfd):
    pytest.importorskip("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    folder = train(tiny("--name=offline", "--samples=2", tracker="wandb"))
    recorded = list((folder / "wandb").glob("offline-run-*"))
    assert len(recorded) == 1
    deadline = time.monotonic() + 30  # another process writes it
    while next(recorded[0].glob("*.wandb")).stat().st_size < 1000 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert next(recorded[0].glob("*.wandb")).stat().st_size > 1000
    assert f"wandb sync {recorded[0]}" in capfd.readouterr().out


@pytest.mark.skipif(
    not any(importlib.util.find_spec(name) for name in ("tensorboard", "tensorboardX")), reason="no TensorBoard"
)
def test_tensorboard_records(line_cache):
    folder = train(tiny("--name=board", "--samples=2", tracker="tensorboard"))
    assert list((folder / "tensorboard").glob("events.*"))


def test_a_tracker_that_fails_is_said_once_and_stops_nothing(line_cache, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/nowhere/mlflow.db")
    result = CliRunner().invoke(app, ["train", str(LINES), *TINY, "--name=alone", "--trainer.tracker=mlflow"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("tracking with mlflow failed") == 1
    assert (line_cache / "runs" / "alone" / "last.ckpt").exists()


def test_scores_know_what_is_better():
    assert main_score({"iam-val/cer": 0.1, "copiste-val/cer": 0.3, "iam-val/wer": 0.9}, "lines") == pytest.approx(0.2)
    assert main_score({"train/ctc": 1.0}, "lines") is None
    assert better(0.1, 0.2, "lines")
    assert better(0.2, 0.1, "characters")
