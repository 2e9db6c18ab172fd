"""A run moved to another machine in one small file goes on as if nothing had happened."""

import csv
import json
import pickle
import shutil

import numpy as np
import pytest
import torch

from tests.helpers.tiny_training import LINES, TINY, tiny
from tests.learning.tasks.test_characters import call
from text_recognizer.learning import networks
from text_recognizer.learning.experiments.compact import pack_moments, pack_weights, unpack_moments, unpack_weights
from text_recognizer.learning.experiments.portable_state import export_state, import_state
from text_recognizer.learning.experiments.run import train
from text_recognizer.paths import runs_dir


def remembered(seed, count):
    """Adam's moments as they are: over many orders of magnitude, some of them zero."""
    rng = np.random.default_rng(seed)
    root = np.exp(rng.normal(-9, 3, count)).astype(np.float32)
    first = (root * rng.normal(0, 0.4, count)).astype(np.float32)
    untouched = rng.random(count) < 0.1
    return np.where(untouched, 0, first), np.where(untouched, 0, root * root)


@pytest.mark.parametrize("count", [1, 2047, 2048, 10000])
def test_the_next_step_of_adam_stays_nearly_the_same(count):
    first, second = remembered(count, count)
    packed = pack_moments(first, second)
    found_first, found_second = unpack_moments(packed)
    moved = second > 0
    assert not found_first[~moved].any()
    assert not found_second[~moved].any()
    assert np.all(found_second[moved] > 0)
    step, found = first[moved] / np.sqrt(second[moved]), found_first[moved] / np.sqrt(found_second[moved])
    assert np.abs(step - found).max(initial=0) <= 0.01 * np.abs(step).max(initial=0) + 1e-6
    assert np.abs(np.sqrt(found_second[moved] / second[moved]) - 1).max(initial=0) < 0.06
    assert sum(array.nbytes for array in packed.values()) <= 2 * count + 12 * -(-count // 2048)


def test_the_average_is_kept_more_exactly_than_the_weights():
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.1, 5000).astype(np.float32)
    averaged = weights + rng.normal(0, 1e-3, 5000).astype(np.float32)
    packed = pack_weights(weights, averaged)
    found, found_average = unpack_weights(packed)
    assert np.abs(found - weights).max() < 3e-4
    assert np.abs(found_average - averaged).max() < 3e-6
    assert sum(array.nbytes for array in packed.values()) == 4 * 5000


def losses(folder):
    """The loss of the logged steps of the last training in a folder."""
    latest = max((folder / "logs").iterdir(), key=lambda path: path.stat().st_mtime)
    with (latest / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row["train/ctc"]) for row in csv.DictReader(file) if row["train/ctc"]]


def elsewhere(run, name):
    """The same run, moved through a file."""
    file, moved = runs_dir() / "moved.state", runs_dir() / name
    export_state(run, file)
    import_state(file, moved)
    return moved


def test_a_moved_run_goes_on_as_it_would_have_done(tiny_data, tmp_path):
    run = train(tiny("--name=here", "--epochs=6"))
    elsewhere(run, "there")
    shutil.copytree(run, runs_dir() / "stayed")
    more = ("--epochs=9", "--samples=0")
    stayed, moved = (train(tiny(f"--name={name}", *more), resume=True) for name in ("stayed", "there"))
    states = [torch.load(folder / "last.ckpt", weights_only=False) for folder in (stayed, moved)]
    assert states[0]["global_step"] == states[1]["global_step"]
    begun = torch.load(run / "last.ckpt", weights_only=False)
    for kind in ("state_dict", "current_model_state"):
        walked = apart = 0.0
        for name, weight in states[0][kind].items():
            if weight.is_floating_point() and "running" not in name:
                walked += float((weight - begun[kind][name]).square().sum())
                apart += float((weight - states[1][kind][name]).square().sum())
        assert apart < 0.01 * walked, kind  # the two runs took the same way
    assert losses(moved) == pytest.approx(losses(stayed), rel=1e-3)
    minutes = [state["callbacks"]["Clock"]["minutes"] for state in states]
    assert minutes[1] > begun["callbacks"]["Clock"]["minutes"]
    described = json.loads((moved / "experiment.json").read_text())
    assert described["name"] == "there"
    assert described["alphabet"] == json.loads((run / "experiment.json").read_text())["alphabet"]


def test_a_checkpoint_comes_back_whole(tiny_data):
    run = train(tiny("--name=here"))
    saved = torch.load(run / "last.ckpt", weights_only=False)
    for weight in saved["current_model_state"].values():
        if weight.is_floating_point():
            weight += 0.01 * torch.rand_like(weight)  # within a run it differs from the average
    torch.save(saved, run / "last.ckpt")
    moved = elsewhere(run, "there")
    before, after = (torch.load(folder / "last.ckpt", weights_only=False) for folder in (run, moved))
    assert before.keys() == after.keys()
    for name in ("loops", "lr_schedulers", "averaging_state", "epoch", "global_step"):
        assert before[name] == after[name], name
    groups = [state["optimizer_states"][0]["param_groups"] for state in (before, after)]
    assert groups[0] == groups[1]
    for kind in ("state_dict", "current_model_state"):
        assert before[kind].keys() == after[kind].keys()
        for name, value in before[kind].items():
            torch.testing.assert_close(after[kind][name], value, rtol=1e-3, atol=1e-5, msg=name)
    for key, state in before["optimizer_states"][0]["state"].items():
        for name, value in state.items():
            found = after["optimizer_states"][0]["state"][key][name]
            assert value.shape == found.shape, (key, name)
            assert value.dtype == found.dtype
    assert str(runs_dir()) not in str(after["callbacks"])  # no folders of the other machine


def test_a_parameter_takes_six_bytes(tiny_data, tmp_path):
    """Of a network whose parameters outweigh the description of the run."""
    fields = "--network.fields={stem: 16, channels: [24, 32, 64], blocks: [1, 1, 1], hidden: 64, layers: 2}"
    run = train(tiny("--name=wide", fields, "--limit=0.2", "--samples=0"))
    export_state(run, tmp_path / "state")
    state = torch.load(run / "last.ckpt", weights_only=False)
    count = sum(parameter.numel() for parameter in state["current_model_state"].values())
    assert count > 200_000
    assert (tmp_path / "state").stat().st_size < 6.1 * count + 20_000
    largest = networks.build("lcnet-svtr", classes=253, blocks=[3, 6, 4], hidden=256)
    assert 6.1 * sum(parameter.numel() for parameter in largest.parameters()) + 20_000 < 40e6


def test_the_commands_say_how_to_go_on(tiny_data, tmp_path):
    train(tiny("--name=here"))
    arguments = [field for field in TINY if "epochs" not in field]
    file = tmp_path / "run.state"
    nothing = call("train", LINES, "--name=none", *arguments, "--export-state", file)
    assert nothing.exit_code == 2
    assert "nothing to move" in nothing.stderr
    exported = call("train", LINES, "--name=here", *arguments, "--export-state", file)
    assert exported.exit_code == 0, exported.stderr
    assert "--import-state" in exported.stdout
    imported = call("train", LINES, "--name=there", *arguments, "--import-state", file)
    assert imported.exit_code == 0, imported.stderr
    assert "--resume" in imported.stdout
    again = call("train", LINES, "--name=there", *arguments, "--import-state", file)
    assert again.exit_code == 2
    assert "another --name" in again.stderr


class Harmful:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("kind", ["text", "pickle", "array", "archive", "objects", "format"])
def test_what_is_no_state_is_refused(tmp_path, kind, capsys):
    file = tmp_path / "state"
    if kind == "text":
        file.write_text("nothing")
    elif kind == "pickle":
        file.write_bytes(pickle.dumps(Harmful()))
    elif kind == "array":
        with file.open("wb") as target:
            np.save(target, np.zeros(3))
    else:
        content = np.frombuffer(json.dumps({"format": 9}).encode(), np.uint8)
        arrays = {"archive": {}, "objects": {"content": np.array([Harmful()])}, "format": {"content": content}}[kind]
        with file.open("wb") as target:
            np.savez(target, **arrays)
    with pytest.raises(ValueError, match="update the older" if kind == "format" else "no state of a training"):
        import_state(file, tmp_path / "run")
    assert "executed" not in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_a_damaged_state_is_refused(tiny_data, tmp_path):
    run = train(tiny("--name=here"))
    export_state(run, tmp_path / "state")
    with np.load(tmp_path / "state") as archive:
        arrays = dict(archive)
    arrays["weights"] = arrays["weights"][:-1]
    with (tmp_path / "state").open("wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(ValueError, match="damaged"):
        import_state(tmp_path / "state", tmp_path / "there")
    assert not (tmp_path / "there").exists()
