"""A task from outside of the package, that of docs/how-to/add-a-task.md, through the commands that all tasks share."""

import json

import pytest
from typer.testing import CliRunner

from tests.helpers.how_to import imported
from text_recognizer.cli.main import app
from text_recognizer.learning import tasks
from text_recognizer.learning.experiments.config import load_experiment
from text_recognizer.learning.experiments.sanity_checks import overfit
from text_recognizer.learning.experiments.sweeps.config import load_sweep
from text_recognizer.learning.tasks import task

QUICK = ["--trainer.precision=32-true", "--network.fields={size: 64, channels: [4, 6], hidden: [16]}"]


@pytest.fixture
def page(tmp_path, line_cache):
    """A folder with the files of the page, its task registered."""
    with imported("add-a-task.md", "upside_down", tmp_path, task):
        yield tmp_path


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_it_trains_resumes_exports_and_is_measured(page, line_cache):
    experiment = page / "upside-down.yaml"
    run("train", experiment, *QUICK, "--epochs=1", "--data.batch=8")
    run("train", experiment, *QUICK, "--epochs=2", "--data.batch=8", "--resume")
    described = json.loads((line_cache / "runs" / "upside-down" / "experiment.json").read_text())
    assert set(described["data_versions"]) == {"iam-train", "iam-val"}
    run("export", "upside-down", "--output", page / "bundle")
    bundle = json.loads((page / "bundle" / "bundle.json").read_text())
    assert (bundle["task"], bundle["provenance"]["epochs"]) == ("upside-down", 2)
    assert bundle["provenance"]["steps"] == 4  # 7 lines, each twice
    accuracy = bundle["scores"]["iam-val"]["accuracy %"]
    assert f"{accuracy:.2f} % right" in run("evaluate", "--model", page / "bundle")
    card = (page / "bundle" / "README.md").read_text()
    assert "stands on its head" in card
    assert "text-recognizer evaluate --model bundle" in card
    standing = json.loads(run("leaderboard", "--task", "upside-down", "--json"))[0]
    assert standing["measure"] == "accuracy"
    assert 100 * standing["score"] == pytest.approx(accuracy, abs=0.01)


def test_it_is_learned_by_heart(page):
    verdict = overfit(
        load_experiment(page / "upside-down.yaml", [*QUICK, "--overfit-batches=1", "--learning-rate=0.01"])
    )
    assert verdict.passed, str(verdict)
    assert verdict.threshold == 0.1


def test_its_fields_are_checked(page):
    with pytest.raises(ValueError, match=r"data\.bach; the nearest is data\.batch"):
        load_experiment(page / "upside-down.yaml", ["--data.bach=3"])


def test_a_sweep_knows_its_measures(page):
    sweep = page / "sweep.yaml"
    content = "experiment: upside-down.yaml\nmetric: {}\nsearch: {{data.batch: {{choice: [4, 8]}}}}\n"
    sweep.write_text(content.format("iam-val/accuracy"))
    assert load_sweep(sweep).mode == "max"
    sweep.write_text(content.format("iam-val/cer"))
    with pytest.raises(ValueError, match="iam-val/accuracy"):
        load_sweep(sweep)


def test_what_it_does_not_offer_is_refused(page):
    run("train", page / "upside-down.yaml", *QUICK, "--name=refused", "--epochs=1", "--tracker=none")
    exported = ["export", "refused", "--output", str(page / "refused"), "--no-measure"]
    stretched = CliRunner().invoke(app, [*exported, "--stretch=1.1"])
    assert "only lines are stretched" in stretched.stderr
    assert not (page / "refused").exists()
    run(*exported)
    quantized = CliRunner().invoke(app, ["quantize", str(page / "refused"), "--output", str(page / "int8")])
    assert "only bundles of lines and detector" in quantized.stderr


def test_two_tasks_of_one_name_are_refused():
    with pytest.raises(ValueError, match="registered as 'lines'"):
        tasks.register("lines")(type(tasks.find("lines")))


def test_an_unknown_task_is_named():
    with pytest.raises(ValueError, match="unknown task 'magic'; there are: lines, detector"):
        tasks.find("magic")
