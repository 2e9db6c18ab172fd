"""An experiment that extends another has its fields, and changes those that it names."""

import json

import pytest
from typer.testing import CliRunner

from tests.helpers.tiny_training import TINY
from text_recognizer.cli.main import app
from text_recognizer.learning.experiments.config import load_experiment, make_experiment
from text_recognizer.learning.experiments.extends import merge
from text_recognizer.learning.experiments.sweeps.config import load_sweep, trial_experiment
from text_recognizer.learning.loading.augmentation import LineAugmentation

BASE = """
task: lines
name: base
network: {name: crnn, fields: {hidden: 8, dropout: 0.1}}
data:
  train: [{name: iam-train}, {name: synthetic, lines: 3}]
  val: [{name: iam-val}]
  columns: 600
trainer: {epochs: 3, samples: 0}
"""
MILD = LineAugmentation(**LineAugmentation.PRESETS["mild"])


@pytest.fixture
def write(tmp_path):
    """Writes a YAML file below the test's folder and returns its path."""

    def written(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        return path

    written("base.yaml", BASE)
    return written


def test_mappings_are_merged_and_lists_replaced(write):
    path = write(
        "own.yaml", "extends: base.yaml\nname: own\ndata: {train: [{name: iam-train}]}\ntrainer: {epochs: 5}\n"
    )
    own, base = load_experiment(path), load_experiment(path.with_name("base.yaml"))
    assert (own.name, own.trainer.epochs, own.trainer.samples) == ("own", 5, 0)
    assert [source.name for source in own.data.train] == ["iam-train"]
    assert (own.data.columns, own.data.val, own.network) == (600, base.data.val, base.network)


def test_chains_go_over_folders_and_the_command_line_has_the_last_word(write):
    write("releases/middle.yaml", "extends: ../base.yaml\nname: middle\nseed: 4\ntrainer: {epochs: 5}\n")
    path = write("own.yaml", "extends: releases/middle.yaml\nname: own\nnetwork: {fields: {hidden: 16}}\n")
    own = load_experiment(path, ["--epochs=7", "--network.fields.dropout=0.2"])
    assert (own.name, own.seed, own.trainer.epochs, own.trainer.samples) == ("own", 4, 7, 0)
    assert own.network.fields == {"hidden": 16, "dropout": 0.2}


def test_another_network_does_not_keep_the_fields_of_the_first(write):
    path = write("own.yaml", "extends: base.yaml\nname: own\nnetwork: {name: line-cnn}\n")
    assert load_experiment(path).network.fields == {}
    same = write("same.yaml", "extends: base.yaml\nname: same\nnetwork: {name: crnn, fields: {hidden: 4}}\n")
    assert load_experiment(same).network.fields == {"hidden": 4, "dropout": 0.1}


def test_merging_changes_neither_side():
    base, changes = {"a": {"b": 1}, "c": [1]}, {"a": {"d": 2}, "c": [2]}
    assert merge(base, changes) == {"a": {"b": 1, "d": 2}, "c": [2]}
    assert (base, changes) == ({"a": {"b": 1}, "c": [1]}, {"a": {"d": 2}, "c": [2]})


def test_a_circle_is_refused_with_the_files_in_it(write):
    write("b.yaml", "extends: c.yaml\n")
    write("c.yaml", "extends: ./b.yaml\n")
    path = write("a.yaml", "extends: b.yaml\nname: a\n")
    with pytest.raises(ValueError, match=r"in a circle: \S+a\.yaml -> \S+b\.yaml -> \S+c\.yaml -> \S+b\.yaml$"):
        load_experiment(path)


def test_a_missing_base_is_refused_with_the_files_that_lead_to_it(write):
    write("b.yaml", "extends: gone.yaml\n")
    path = write("a.yaml", "extends: b.yaml\nname: a\n")
    with pytest.raises(
        FileNotFoundError, match=r"b\.yaml: extends names \S+gone\.yaml.*: \S+a\.yaml -> \S+b\.yaml -> "
    ):
        load_experiment(path)
    result = CliRunner().invoke(app, ["train", str(path)])
    assert result.exit_code == 2
    assert "gone.yaml" in result.stderr


@pytest.mark.parametrize("value", ["3", "[base.yaml]", "''"])
def test_extends_is_a_path(write, value):
    path = write("own.yaml", f"extends: {value}\nname: own\n")
    with pytest.raises(ValueError, match=r"own\.yaml: extends must be the path of another experiment file"):
        load_experiment(path)


def test_a_mistake_names_the_file_that_has_it_and_the_nearest_field(write):
    write("wrong.yaml", "extends: base.yaml\ntrainer: {epocs: 3}\n")
    path = write("own.yaml", "extends: wrong.yaml\nname: own\n")
    with pytest.raises(ValueError, match=r"^\S+wrong\.yaml: there is no trainer\.epocs; .* trainer\.epochs$"):
        load_experiment(path)
    path = write("near.yaml", "extend: base.yaml\ntask: lines\nname: near\n")
    with pytest.raises(ValueError, match=r"near\.yaml: there is no extend; the nearest is extends$"):
        load_experiment(path)
    path = write("together.yaml", "extends: base.yaml\nname: together\nnetwork: {fields: {hiden: 3}}\n")
    with pytest.raises(
        ValueError, match=r"together\.yaml \(extends \S+base\.yaml\): .*hiden; .*network\.fields\.hidden"
    ):
        load_experiment(path)


@pytest.mark.parametrize("content", ["", "3", "[1]"])
def test_a_base_without_fields_is_named(write, content):
    write("empty.yaml", content)
    path = write("own.yaml", "extends: empty.yaml\ntask: lines\nname: own\n")
    with pytest.raises(ValueError, match=r"empty\.yaml: the experiment must hold fields"):
        load_experiment(path)


def test_a_preset_is_a_name_for_all_fields(write):
    path = write("own.yaml", "extends: base.yaml\nname: own\ndata: {augmentation: mild}\n")
    assert load_experiment(path).data.augmentation == MILD != LineAugmentation()
    further = write("further.yaml", "extends: own.yaml\nname: further\ndata: {augmentation: {elastic: 2.0}}\n")
    augmentation = load_experiment(further).data.augmentation
    assert (augmentation.elastic, augmentation.probability) == (2.0, MILD.probability)
    moderate = write("moderate.yaml", "extends: further.yaml\nname: moderate\ndata: {augmentation: moderate}\n")
    assert load_experiment(moderate).data.augmentation == LineAugmentation()


def test_a_preset_may_be_changed_in_some_fields(write):
    path = write("own.yaml", "extends: base.yaml\nname: own\ndata: {augmentation: {preset: mild, probability: 0.7}}\n")
    augmentation = load_experiment(path).data.augmentation
    assert (augmentation.probability, augmentation.spans) == (0.7, MILD.spans)


@pytest.mark.parametrize(
    ("arguments", "probability", "elastic"),
    [
        (["--augmentation=mild"], 0.65, 1.0),
        (["--data.augmentation=mild", "--data.augmentation.elastic=2"], 0.65, 2.0),
        (["--data.augmentation={preset: mild, probability: 0.7}"], 0.7, 1.0),
        (["--data={augmentation: mild}"], 0.65, 1.0),
    ],
)
def test_presets_on_the_command_line(write, arguments, probability, elastic):
    heavy = write(
        "heavy.yaml", "extends: base.yaml\nname: heavy\ndata: {augmentation: {probability: 1.0, elastic: 4}}\n"
    )
    augmentation = load_experiment(heavy, arguments).data.augmentation
    assert (augmentation.probability, augmentation.elastic) == (probability, elastic)


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        ("mid", r"data\.augmentation must be one of 'mild', 'moderate', not 'mid'; the nearest is 'mild'"),
        ("{preset: mlid}", r"data\.augmentation\.preset must be .*; the nearest is 'mild'"),
        ("{preset: 3}", r"data\.augmentation\.preset must be one of 'mild', 'moderate', not 3"),
        ("{prest: mild}", r"there is no data\.augmentation\.prest; the nearest is data\.augmentation\.preset"),
        ("3", r"data\.augmentation must hold fields with values"),
    ],
)
def test_an_unknown_preset_is_named_with_the_nearest(write, augmentation, message):
    path = write("own.yaml", f"extends: base.yaml\nname: own\ndata: {{augmentation: {augmentation}}}\n")
    with pytest.raises(ValueError, match=rf"own\.yaml: {message}"):
        load_experiment(path)


def test_an_experiment_made_of_mappings_is_left_as_it_is():
    content = {"task": "lines", "name": "x", "data": {"augmentation": "mild"}}
    assert make_experiment(content, ["--epochs=2"]).data.augmentation == MILD
    assert content["data"] == {"augmentation": "mild"}
    with pytest.raises(ValueError, match="there is no extends"):
        make_experiment(content | {"extends": "base.yaml"})


def test_a_sweep_searches_around_an_experiment_that_extends_another(write):
    write("own.yaml", "extends: base.yaml\nname: own\ntrainer: {epochs: 5}\n")
    path = write(
        "sweeps/sweep.yaml",
        "experiment: ../own.yaml\nmetric: iam-val/cer\nsearch: {network.fields.hidden: {choice: [4, 16]}}\n",
    )
    sweep = load_sweep(path)
    trial = trial_experiment(path.parent.parent / "own.yaml", sweep, {"network.fields.hidden": 16})
    assert (trial.network.fields, trial.trainer.epochs) == ({"hidden": 16, "dropout": 0.1}, 5)


def test_a_run_writes_the_merged_experiment_down(line_cache, write):
    path = write("own.yaml", "extends: base.yaml\nname: merged\ndata: {augmentation: mild}\n")
    result = CliRunner().invoke(app, ["train", str(path), *TINY, "--name=merged", "--epochs=1", "--tracker=none"])
    assert result.exit_code == 0, result.stderr
    described = json.loads((line_cache / "runs" / "merged" / "experiment.json").read_text(encoding="utf-8"))
    assert "extends" not in described
    assert described["trainer"]["samples"] == 0  # from the base
    assert described["data"]["augmentation"]["rotation"] == MILD.rotation
