"""Promotion: what passes is registered whole, what does not is refused, and the way back is one command."""

import json
import multiprocessing
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from text_recognizer.cli.main import app
from text_recognizer.learning.evaluation.suites.suite import load_suite
from text_recognizer.recognition.bundle import SHIPPED, BundleError, find_bundle
from text_recognizer.recognition.promotion import Decision, check_unchanged, register, registered, roll_back
from text_recognizer.recognition.registry import (
    RegistryError,
    content_hash,
    current,
    read_history,
    registry_dir,
    stamp,
)

CHARACTERS = SHIPPED / "characters"
CASE = {"name": "digits", "image": "cells-digits.png", "text": "0123456789", "limit": 0.5}
WHY = Decision("a test", {})


@pytest.fixture
def registry(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TEXT_RECOGNIZER_REGISTRY", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def suite(tmp_path) -> str:
    """A suite that the shipped LeNet passes and the shipped perceptron does not."""
    folder = tmp_path / "digits"
    folder.mkdir()
    shutil.copy(load_suite("basic").folder / CASE["image"], folder)
    asked = {"functionality": [CASE], "invariance": {"images": [CASE["image"]]}, "cost": {"time": 50, "size": 50}}
    content = {"suite_version": 1, "name": "digits", "version": 3, "about": "", "tasks": {"characters": asked}}
    (folder / "suite.yaml").write_text(json.dumps(content), encoding="utf-8")
    return str(folder)


def variant(folder: Path, version: str) -> Path:
    """The shipped LeNet under another version."""
    shutil.copytree(CHARACTERS, folder)
    data = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    (folder / "bundle.json").write_text(json.dumps(data | {"version": version}), encoding="utf-8")
    return folder


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_a_good_bundle_is_promoted_and_read_with(registry, suite, tmp_path):
    bundle = variant(tmp_path / "mine", "7")
    assert stamp() is None
    with pytest.raises(BundleError, match="no bundle for characters was promoted to production"):
        find_bundle("production", "characters")
    done = invoke("promote", str(bundle), "--suite", suite, "--reason", "knows more hands")
    assert done.exit_code == 0, done.output
    found = current(slot="characters")
    assert found is not None
    assert (found.identity.split()[1], found.reason, found.path.parent) == (
        "7",
        "knows more hands",
        registry / "bundles",
    )
    (record,) = read_history(registry)
    assert record["suites"][0].startswith("digits 3 (")
    assert record["compared_with"].startswith("characters 1 ")  # the shipped one, which read until now
    assert record["scores"]["digits"]["ms"] > 0
    assert record["forced"] is False

    image = tmp_path / "cell.png"
    Image.fromarray(np.array(Image.open(Path(suite) / CASE["image"]))[:, 48:96]).save(image)
    read = invoke("read", str(image), "--unit", "character", "--model", "production")
    assert (read.exit_code, read.output.strip()) == (0, "1")
    assert "7 " in invoke("models", "list").output
    assert invoke("models", "show", "production", "--slot", "characters").exit_code == 0
    rows = json.loads(invoke("models", "list", "--json").output)
    assert [list(row["stages"]) for row in rows if row["id"] == found.id] == [["production"]]

    before = stamp()
    back = invoke("models", "rollback", "--slot", "characters", "--reason", "complaints")
    assert back.exit_code == 0, back.output
    assert stamp() != before
    assert current(slot="characters").id == content_hash(CHARACTERS)
    assert invoke("models", "rollback", "--slot", "characters").exit_code == 2
    assert invoke("models", "rollback", "--slot", "characters", "--to", found.id[:6]).exit_code == 0
    assert current(slot="characters").id == found.id
    assert [record["action"] for record in read_history(registry)] == ["promote", "rollback", "rollback"]


def test_a_bad_bundle_is_refused_and_forced_only_with_a_reason(registry, suite):
    done = invoke("promote", "characters-mlp", "--suite", suite)
    assert done.exit_code == 1
    assert "functionality, digits: error rate 80.0 %, at most 50.0 %" in done.output
    assert current(slot="characters") is None
    without = invoke("promote", "characters-mlp", "--suite", suite, "--force")
    assert (without.exit_code, "--force needs a reason" in without.output) == (2, True)
    forced = invoke("promote", "characters-mlp", "--suite", suite, "--force", "--reason", "a demonstration")
    assert forced.exit_code == 0
    record = read_history(registry)[-1]
    assert record["forced"] is True
    assert "functionality, digits" in record["refusals"][0]
    assert record["by"]


def test_nobody_can_force_a_tampered_bundle(registry, suite, tmp_path):
    bundle = variant(tmp_path / "mine", "7")
    (bundle / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes() + b"x")
    done = invoke("promote", str(bundle), "--suite", suite, "--force", "--reason", "never mind")
    assert done.exit_code == 1
    assert "is not the file that its bundle.json names" in done.output
    assert not (registry / "bundles").exists()


def test_staging_comes_first_and_the_shipped_one_is_what_is_before(registry, tmp_path):
    first, second = variant(tmp_path / "a", "1a"), variant(tmp_path / "b", "1b")
    found = register(first, "staging", WHY, registry)
    assert find_bundle("staging", "characters") == found.path
    assert current("production", "characters") is None
    one = register(first, "production", WHY, registry)
    two = register(second, "production", WHY, registry, one.id)
    assert two.before == (one.id, content_hash(CHARACTERS))
    with pytest.raises(RegistryError, match="has changed since"):
        register(first, "production", WHY, registry, one.id)
    assert register(second, "production", WHY, registry).before == two.before  # again: no step further
    assert roll_back("production", "characters", registry).id == one.id
    assert roll_back("production", "characters", registry).id == content_hash(CHARACTERS)
    with pytest.raises(RegistryError, match="nothing to roll back to"):
        roll_back("production", "characters", registry)
    with pytest.raises(RegistryError, match=r"no bundle in .* begins with 'zz'"):
        roll_back("production", "characters", registry, "zz")
    register(SHIPPED / "line-cnn", "production", WHY, registry)
    with pytest.raises(RegistryError, match="is for characters, not for lines"):
        roll_back("production", "lines", registry, one.id)


def test_a_registered_bundle_that_was_changed_is_not_rolled_back_to(registry, tmp_path):
    one = register(variant(tmp_path / "a", "1a"), "production", WHY, registry)
    register(variant(tmp_path / "b", "1b"), "production", WHY, registry)
    weights = one.path / "model.onnx"
    assert not weights.stat().st_mode & 0o222
    weights.chmod(0o644)
    weights.write_bytes(b"other")
    with pytest.raises(RegistryError, match="changed after it was registered"):
        roll_back("production", "characters", registry)
    assert invoke("models", "show", one.id).exit_code == 1
    shutil.rmtree(one.path)
    with pytest.raises(RegistryError, match="no bundle in"):
        roll_back("production", "characters", registry, one.id)


def _promote(bundle: Path, registry: Path) -> None:
    register(bundle, "production", WHY, registry)


def test_promotions_at_once_leave_one_of_them_and_a_whole_history(registry, tmp_path):
    bundles = [variant(tmp_path / str(number), str(number)) for number in range(4)]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_promote, args=(bundle, registry)) for bundle in bundles]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    history = read_history(registry)
    assert [record["number"] for record in history] == [1, 2, 3, 4]
    assert [record["instead_of"] for record in history[1:]] == [record["id"] for record in history[:-1]]
    found = current(slot="characters")
    assert found.id == history[-1]["id"]
    for identifier in registered(registry):
        check_unchanged(registry / "bundles" / identifier)


FULL = """
import resource, signal, sys
from pathlib import Path
from text_recognizer.recognition.promotion import Decision, register
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
register(Path(sys.argv[1]), "production", Decision("a test", {}), Path(sys.argv[2]))
"""


def test_a_full_disk_leaves_everything_as_it_was(registry, tmp_path):
    one = register(variant(tmp_path / "a", "1a"), "production", WHY, registry)
    history = (registry / "history.jsonl").read_bytes()
    second = variant(tmp_path / "b", "1b")
    register(second, "staging", WHY, registry)
    after_staging = (registry / "history.jsonl").read_bytes()
    # No file may grow beyond so many bytes: first the weights do not fit, then they are there and the record does not.
    for limit, bundle in ((1000, variant(tmp_path / "c", "1c")), (len(after_staging) + 50, second)):
        done = subprocess.run(
            [sys.executable, "-c", FULL, str(bundle), str(registry), str(limit)], capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "cannot be written" in done.stderr
        assert (registry / "history.jsonl").read_bytes() == after_staging
        assert current(slot="characters") == one
    assert after_staging.startswith(history)
    assert not [path for path in (registry / "bundles").iterdir() if path.name.startswith(".")]


def test_a_promotion_that_was_killed_before_it_took_effect_is_told(registry, tmp_path):
    one = register(variant(tmp_path / "a", "1a"), "production", WHY, registry)
    record = read_history(registry)[0] | {"number": 2, "id": "0" * 16}
    with (registry / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + '\n{"action": "prom')
    assert current(slot="characters") == one
    register(variant(tmp_path / "b", "1b"), "production", WHY, registry)
    history = read_history(registry)
    assert [(record["action"], record["number"]) for record in history] == [
        ("promote", 1),
        ("promote", 2),
        ("abandoned", 2),
        ("promote", 3),
    ]


def test_a_registry_that_cannot_be_used_is_explained(registry, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError, match=r"cannot be written .*--registry"):
        register(CHARACTERS, "production", WHY, tmp_path / "file" / "models")
    registry.mkdir()
    (registry / "production.json").write_text("{", encoding="utf-8")
    done = invoke("models", "list")
    assert (done.exit_code, "production.json is damaged" in done.output) == (2, True)
    (registry / "production.json").write_text('{"registry_version": 9}', encoding="utf-8")
    assert "update it" in invoke("models", "list").output
    with pytest.raises(RegistryError, match="no stage 'canary'"):
        current("canary")


def test_where_the_registry_lies(monkeypatch, tmp_path):
    monkeypatch.delenv("TEXT_RECOGNIZER_REGISTRY", raising=False)
    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", str(tmp_path))
    assert registry_dir() == tmp_path / "models"
    assert registry_dir(tmp_path / "other") == tmp_path / "other"


@pytest.mark.slow
def test_mlflow_knows_what_was_promoted(registry, suite, monkeypatch, tmp_path):
    from text_recognizer.learning.experiments.mlflow_store import mlflow_client

    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for version in ("1", "2"):
        done = invoke("promote", "characters", "--suite", suite, "--reason", "a test", "--mlflow")
        assert done.exit_code == 0, done.output
        assert f"text-recognizer-characters version {version}, alias production" in done.output
    known = mlflow_client().get_model_version_by_alias("text-recognizer-characters", "production")
    assert known.tags["bundle"] == current(slot="characters").id
    assert Path(known.source.removeprefix("file://")) == current(slot="characters").path
