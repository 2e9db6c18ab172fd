"""A whole improvement on a tiny recogniser: proposed, recorded, gone on with after a stop, and forgotten."""

import json
import shutil
import signal

import pytest
from lightning.pytorch.callbacks import Callback
from typer.testing import CliRunner

from tests.helpers.corrected_lines import add_reading, drawn_lines, new_store
from tests.helpers.tiny_training import tiny
from tests.learning.retraining.test_improve import write_suite
from text_recognizer.atomic_files import locked
from text_recognizer.cli.improve import FeedbackCorrections
from text_recognizer.cli.main import app
from text_recognizer.learning.datasets.own_folder import read_manifest
from text_recognizer.learning.experiments.fine_tuning import fine_tune as fine_tune_module
from text_recognizer.learning.experiments.run import train
from text_recognizer.learning.export.export import export_run
from text_recognizer.learning.retraining.history import carriers, improvements, names
from text_recognizer.learning.retraining.loop import Wishes, improve
from text_recognizer.paths import cache_dir, runs_dir
from text_recognizer.recognition.promotion import Decision, register
from text_recognizer.recognition.registry import content_hash, current, read_history

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ctrl_c")]

SMALL = [
    "--columns=3000",
    "--workers=0",
    "--precision=32-true",
    "--epochs=2",
    "--limit=0.1",
    "--optimization.learning_rate=0.02",
]


@pytest.fixture(scope="module")
def base(line_cache):
    """A recogniser that learned from the tiny IAM."""
    return export_run(train(tiny("--name=base")), line_cache / "base", "1", measure=False)


class Loop:
    """A server's home with a store, a registry with `base` in production, and a folder of improvements."""

    def __init__(self, home, base):
        self.home, self.models, self.folder = home, home / "models", home / "improve"
        self.store = new_store(home)
        self.corrections = FeedbackCorrections(self.store)
        self.suite = write_suite(home / "suite", sets=())
        self.base = register(base, "production", Decision("a test", {}), self.models)
        self.said: list[str] = []

    def improve(self, **wishes):
        wishes = {"at_least": 10, "suites": [self.suite], "fields": SMALL} | wishes
        self.said.clear()
        return improve(self.corrections, self.folder, self.models, Wishes(**wishes), self.said.append)

    def program(self, *arguments):
        places = [
            "--folder",
            self.folder,
            "--registry",
            self.models,
            "--database",
            f"sqlite:///{self.home}/feedback.db",
        ]
        return CliRunner().invoke(app, ["improve", *map(str, [*arguments, *places, "--images", self.home / "images"])])


@pytest.fixture
def loop(base, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", str(tmp_path))
    loop = Loop(tmp_path, base)
    add_reading(loop.store, "one", drawn_lines(14))
    yield loop
    loop.store.close()


def test_an_improvement_is_proposed_and_the_next_one_begins_from_the_same_base(loop):
    done = loop.improve()
    assert (done.number, done.verdict, done.stage, done.new) == (1, "registered", "staging", 14), done.reasons
    assert done.base["id"] == done.production["id"] == loop.base.id
    staged = current("staging", "lines", loop.models)
    assert staged.id == done.bundle["id"] == content_hash(loop.folder / "0001" / "improved")
    rates = [done.scores[when]["own"]["language"]["cer"] for when in ("production", "after")]
    lines = sum(map(len, done.lines["train"].values())), sum(map(len, done.lines["val"].values()))
    assert sum(lines) == 14
    assert lines[1] == done.scores["after"]["own"]["lines"]
    said = f"improve: 14 corrected lines, dataset version {done.dataset[:8]}, CER {rates[0]:.2f} -> {rates[1]:.2f} %"
    assert staged.reason == said
    assert read_history(loop.models)[-1]["improvement"]["dataset"] == done.dataset
    assert read_manifest(loop.folder / "0001" / "data").version == done.dataset
    assert "<html" in (loop.folder / "0001" / "report.html").read_text(encoding="utf-8")
    assert improvements(loop.folder) == [done]
    assert not list(cache_dir().glob("folder-data-*"))  # no copy of the lines stays but the dataset

    assert loop.improve() is None  # nothing is new
    assert "0 new corrected lines, 10 are asked for" in loop.said[-1]
    assert improvements(loop.folder) == [done]

    register(loop.folder / "0001" / "improved", "production", Decision("a test", {}), loop.models)
    add_reading(loop.store, "two", drawn_lines(12, seed=3), owner="bob")
    again = loop.improve(stage="none")
    assert (again.number, again.new) == (2, 12)
    assert again.base == done.base  # not from what the first one has made
    assert again.production["id"] == done.bundle["id"]
    for side in ("train", "val"):
        assert set(names(done.lines[side])) <= set(names(again.lines[side]))
    assert current("staging", "lines", loop.models).id == done.bundle["id"]  # "none" registers nothing
    assert not (loop.folder / "0001" / "data").exists()
    shown = loop.program("status")
    assert shown.exit_code == 0, shown.output
    assert done.bundle["identity"].split(" (")[0] in shown.output


def test_what_is_forgotten_is_deleted_here_and_who_carries_it_is_said(loop):
    add_reading(loop.store, "two", drawn_lines(12, seed=3), owner="bob")
    done = loop.improve()
    register(loop.folder / "0001" / "improved", "production", Decision("a test", {}), loop.models)
    loop.store.forget("bob")
    (carrier,) = carriers(improvements(loop.folder), loop.corrections.lines(), loop.models)
    assert (carrier.identity, carrier.lines, carrier.readings) == (done.bundle["identity"], 12, 1)
    assert carrier.stages == ["production", "staging"]
    shown = loop.program("status")
    assert "learned from 12 lines of 1 readings that were forgotten since: in production and staging" in shown.output

    assert loop.improve() is None  # nothing new, but the copies go
    assert any("held 12 lines that were forgotten" in line for line in loop.said)
    assert not list(loop.folder.rglob("*.png"))
    assert not (loop.folder / "0001" / "improved").exists()
    assert not list(runs_dir().glob("improve-*-0001"))
    add_reading(loop.store, "three", drawn_lines(12, seed=4))
    with pytest.raises(ValueError, match="has learned from lines that were forgotten since"):
        loop.improve(start="production")
    again = loop.improve()
    assert again.base["id"] == loop.base.id
    assert again.verdict == "registered"  # whether it is better than the one that carries forgotten lines or not
    assert not any(name.startswith("two") for name in again.learned)
    withdrawn = sorted(again.lines["train"])[0]
    loop.store.set_consent(withdrawn, False)
    assert len(carriers(improvements(loop.folder), loop.corrections.lines(), loop.models)) == 2


class CtrlC(Callback):
    """Presses Ctrl-C in the second step."""

    def on_before_backward(self, trainer, module, loss):
        if trainer.global_step == 1:
            signal.raise_signal(signal.SIGINT)


def test_it_goes_on_where_it_was_stopped_or_killed(loop, monkeypatch):
    with monkeypatch.context() as patch:
        stopping = lambda *args, callbacks, **kw: train(*args, callbacks=[*callbacks, CtrlC()], **kw)  # noqa: E731
        patch.setattr(fine_tune_module, "train", stopping)
        with pytest.raises(KeyboardInterrupt, match="improvement 1 was stopped: the same command with --resume"):
            loop.improve()
    assert not improvements(loop.folder)
    table = (loop.folder / "0001" / "data" / "lines.tsv").read_bytes()
    refused = loop.program("--at-least", 1, "--suite", loop.suite)
    assert refused.exit_code == 2
    assert "improvement 1 was stopped: go on with --resume" in refused.stderr
    add_reading(loop.store, "late", drawn_lines(2, seed=8))  # is for the next one
    finished = loop.program("--resume")
    assert finished.exit_code == 0, finished.output
    assert "promote staging --stage production" in finished.output
    (done,) = improvements(loop.folder)
    assert (loop.folder / "0001" / "data" / "lines.tsv").read_bytes() == table
    promoted = read_history(loop.models)

    # As if it had been killed before it could write down what it did: it is tested again, and registered once.
    (loop.folder / "history.jsonl").unlink()
    (loop.folder / "0001" / "tested.json").unlink()
    again = loop.improve(resume=True)
    assert (again.number, again.bundle, again.dataset) == (1, done.bundle, done.dataset)
    assert read_history(loop.models) == promoted

    # As if it had been killed while it wrote the dataset, and somebody was forgotten before it went on.
    add_reading(loop.store, "two", drawn_lines(12, seed=3), owner="bob")
    with monkeypatch.context() as patch:
        patch.setattr(fine_tune_module, "train", stopping)
        with pytest.raises(KeyboardInterrupt):
            loop.improve()
    loop.store.delete_reading("late")
    assert loop.improve(resume=True).number == 2
    assert any("it was not finished, and begins anew" in line for line in loop.said)


def test_a_candidate_that_is_no_better_is_not_proposed(loop):
    done = loop.improve(fields=[*SMALL, "--optimization.learning_rate=0.00000001", "--epochs=1"])
    assert done.verdict == "no better"
    assert current("staging", "lines", loop.models) is None
    assert not (loop.folder / "0001" / "report.html").exists()
    assert "no better" in json.loads((loop.folder / "history.jsonl").read_text())["verdict"]


def test_where_the_suites_refuse_less_of_the_new_weights_is_tried(loop):
    done = loop.improve(suites=[write_suite(loop.home / "strict", sets=(), limit=0.0)])
    assert done.verdict in ("refused", "no better")  # a smaller share may read the own lines no better
    tried = [line for line in loop.said if line.startswith("refused: once more")]
    assert "50%" in tried[0]
    bundle = json.loads((loop.folder / "0001" / "improved" / "bundle.json").read_text(encoding="utf-8"))
    assert bundle["provenance"]["share_of_new_weights"] == (0.5, 0.25)[len(tried) - 1]
    assert bundle["scores"]
    assert current("staging", "lines", loop.models) is None


def test_two_at_once_and_a_base_that_is_gone_are_refused(loop, tmp_path):
    loop.folder.mkdir()
    with locked(loop.folder / ".lock", 1):
        busy = loop.program("--at-least", 1)
    assert busy.exit_code == 2
    assert "another process has held" in busy.stderr
    gone = shutil.copytree(loop.base.path, tmp_path / "gone")
    done = loop.improve(start=str(gone), stage="production")
    assert done.base["name"] == str(gone)
    shutil.rmtree(gone)
    add_reading(loop.store, "two", drawn_lines(12, seed=3))
    with pytest.raises(ValueError, match="no model bundle at"):
        loop.improve()
