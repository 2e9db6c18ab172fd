"""Experiments are checked before anything starts; what is watched over, written down and stopped while they train."""

import csv
import errno
import json
import multiprocessing
import signal
import time

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from typer.testing import CliRunner

from tests.helpers.tiny_training import LINES, TINY, tiny
from tests.learning.experiments.test_training import EXPERIMENTS
from text_recognizer.alphabet import Alphabet
from text_recognizer.cli.main import app
from text_recognizer.learning.datasets.iam import iam_lines
from text_recognizer.learning.evaluation.measures import CER
from text_recognizer.learning.experiments import run
from text_recognizer.learning.experiments.callbacks import NonFiniteLossError, Patience
from text_recognizer.learning.experiments.config import load_experiment
from text_recognizer.learning.experiments.run import build, train
from text_recognizer.learning.experiments.sanity_checks import find_learning_rate, overfit, steepest, without_dropout
from text_recognizer.learning.experiments.trainer import WholeCheckpoints
from text_recognizer.learning.export.export import export_run, mean_weights
from text_recognizer.learning.tasks.lines import line_alphabet
from text_recognizer.learning.tasks.warm_start import bundle_alphabet, rows_in_order

pytestmark = pytest.mark.usefixtures("ctrl_c")


@pytest.mark.parametrize(
    ("override", "named", "nearest"),
    [
        ("--trainer.epocs=3", "trainer.epocs", "trainer.epochs"),
        ("--epocs=3", "epocs", "trainer.epochs"),
        ("--trainer.epochs=many", "trainer.epochs", "a whole number"),
        ("--trainer.tracker=mlfow", "trainer.tracker", "'mlflow'"),
        ("--limit=2", "trainer.limit", "at most 1"),
        ("--data.train=[{name: iam-train, linse: 3}]", "data.train[0].linse", "data.train[0].lines"),
        ("--data.train=[{name: iam-train, lines: few}]", "data.train[0].lines", "a whole number"),
        ("--data.augmentation.stretch=[1]", "data.augmentation.stretch", "2 values"),
        ("--network.fields={hiden: 3}", "network.fields.hiden", "network.fields.hidden"),
        ("--network.fields.hidden=large", "network.fields.hidden", "a whole number"),
        ("--network.name=cnnr", "'cnnr'", "crnn"),
        ("--name", "--name", "needs a value"),
        ("epochs=3", "'epochs=3'", "--trainer.epochs=3"),
    ],
)
def test_a_mistake_is_said_in_a_sentence_with_the_nearest_field(override, named, nearest, monkeypatch):
    monkeypatch.setattr(run, "train", None)  # nothing may be loaded
    result = CliRunner().invoke(app, ["train", str(LINES), override])
    assert result.exit_code == 2
    assert named in result.stderr
    assert nearest in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_mistakes_in_the_file_are_named_too(tmp_path):
    (tmp_path / "x.yaml").write_text("task: lines\nname: x\noptimization: {learning_rat: 1e-3}\n")
    with pytest.raises(ValueError, match=r"optimization\.learning_rat; the nearest is optimization\.learning_rate"):
        load_experiment(tmp_path / "x.yaml")


def test_fields_need_no_section_where_one_only_has_them():
    short = load_experiment(LINES, ["--overfit-batches", "1", "--limit", "0.1", "--extend-alphabet", "--name=7"])
    assert (short.trainer.overfit_batches, short.trainer.limit, short.data.extend_alphabet) == (1, 0.1, True)
    assert short.name == "7"
    changed = load_experiment(LINES, ["--learning-rate", "1e-3", "--trainer={epochs: 3}", "--network.fields.hidden=8"])
    assert (changed.optimization.learning_rate, changed.trainer.epochs) == (1e-3, 3)
    assert changed.network.fields == {"hidden": 8}
    assert changed.trainer.limit == 1.0


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_can_be_written_down(path):
    from dataclasses import asdict

    assert json.dumps(asdict(load_experiment(path)))


def test_a_run_writes_samples_and_says_how_busy_the_machine_is(line_cache):
    folder = train(tiny("--name=written", "--epochs=4", "--samples=2", "--accumulate=2", "--profiler=simple"))
    table = list(csv.DictReader((folder / "samples" / "0003.csv").open(encoding="utf-8")))
    assert len(table) == 2
    assert {row["label"] for row in table} <= {label.text for label in iam_lines("val").labels}
    assert "data:image/webp;base64," in (folder / "samples" / "0003.html").read_text(encoding="utf-8")
    described = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))
    assert set(described["data_versions"]) == {"iam-train", "iam-val"}
    assert json.loads((folder / "environment.json").read_text(encoding="utf-8"))["versions"]["torch"]
    assert any("train_dataloader" in path.read_text() for path in folder.glob("*profile*"))
    metrics = [row for path in folder.rglob("metrics.csv") for row in csv.DictReader(path.open())]
    assert any(row.get("minutes") for row in metrics)


def test_patience_ends_a_run(line_cache, capsys):
    folder = train(
        tiny("--name=patient", "--epochs=50", "--learning-rate=0", "--patience=2", "--samples=0", "--limit=0.2")
    )
    state = torch.load(folder / "last.ckpt", weights_only=False)
    assert state["loops"]["fit_loop"]["epoch_progress"]["total"]["processed"] < 50
    assert "no better" in capsys.readouterr().out


def test_patience_takes_up_where_a_run_stopped():
    patience = Patience(CER, 3, print)
    patience.load_state_dict({"best": 0.2, "waited": 1})
    assert patience.state_dict() == {"best": 0.2, "waited": 1}


def test_one_batch_is_learned_by_heart_or_not(line_cache, monkeypatch):
    roomy = "--network.fields={stem: 16, channels: [16, 24, 32], blocks: [1, 1, 1], hidden: 64, layers: 1}"
    few = ["--name=heart", "--overfit-batches=1", "--columns=600", "--learning-rate=0.01", roomy]
    verdict = overfit(tiny(*few))
    assert verdict.passed, str(verdict)
    assert str(verdict).startswith("pass")
    monkeypatch.setattr("text_recognizer.learning.experiments.sanity_checks.PASSES", 3)
    failed = CliRunner().invoke(app, ["train", str(LINES), *TINY, "--name=heart", "--overfit-batches=1"])
    assert failed.exit_code == 1
    assert "fail: loss" in failed.stdout
    assert not (line_cache / "runs" / "heart").exists()  # it leaves no run behind


def test_dropout_is_off_where_batches_are_learned_by_heart(line_cache):
    module, _ = build(tiny("--network.fields={hidden: 8, layers: 2, dropout: 0.5}"))
    without_dropout(module)
    assert module.network.lstm.dropout == module.network.dropout.p == 0


def test_a_learning_rate_is_suggested(line_cache, monkeypatch):
    monkeypatch.setattr("text_recognizer.learning.experiments.sanity_checks._STEPS", 40)
    rate, picture = find_learning_rate(tiny("--name=rate"))
    assert 1e-6 < rate < 1
    assert picture.read_text().startswith("<svg")
    assert (picture.parent / "learning-rate.csv").read_text().startswith("learning_rate,loss")
    assert not (picture.parent / "last.ckpt").exists()


def test_the_steepest_place_is_suggested():
    losses = [9, 9, 9, 9, 9, 9, 9, 8, 4, 3, 3, 5]
    falling = [(10.0**-power, loss) for power, loss in zip(range(12, 0, -1), losses, strict=True)]
    assert steepest(falling) == pytest.approx(1e-5)
    with pytest.raises(ValueError, match="overfit-batches"):
        steepest([(10.0**-power, 1.0) for power in range(12, 0, -1)])


def test_a_loss_that_is_no_number_stops_the_run_with_its_batch(line_cache):
    with pytest.raises(NonFiniteLossError, match=r"step \d+: try a lower --learning-rate") as caught:
        train(tiny("--name=exploded", "--learning-rate=1e30", "--warmup=0", "--gradient-clip=1e30", "--epochs=9"))
    saved = torch.load(line_cache / "runs" / "exploded" / "bad-batch-0.pt", weights_only=False)
    assert saved["batch"].images.ndim == 4
    assert not torch.isfinite(saved["loss"])
    assert "bad-batch-0.pt" in str(caught.value)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    path = tmp_path / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"step": 1}, path)

    def full(checkpoint, file):
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"No space left.*--resume"):
        WholeCheckpoints().save_checkpoint({"step": 2}, path)
    assert torch.load(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


class Slow:
    """Pickling it never ends."""

    def __init__(self, began):
        self.began = began

    def __reduce__(self):
        self.began.set()
        time.sleep(60)


def test_a_kill_while_saving_leaves_the_checkpoint_before(tmp_path):
    path, fork = tmp_path / "last.ckpt", multiprocessing.get_context("fork")
    WholeCheckpoints().save_checkpoint({"step": 1}, path)
    began = fork.Event()
    state = {"step": 2, "weights": torch.zeros(99999), "slow": Slow(began)}
    process = fork.Process(target=WholeCheckpoints().save_checkpoint, args=(state, path))
    process.start()
    assert began.wait(30)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    assert torch.load(path) == {"step": 1}
    WholeCheckpoints().save_checkpoint({"step": 3}, path)
    assert list(tmp_path.iterdir()) == [path]  # what the kill left was written over


class CtrlC(Callback):
    """Presses Ctrl-C within a step."""

    def on_before_backward(self, trainer, module, loss):
        if trainer.global_step == 1:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_saves_a_checkpoint_to_go_on_from(line_cache):
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        train(tiny("--name=stopped", "--epochs=3"), callbacks=[CtrlC()])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    path = line_cache / "runs" / "stopped" / "last.ckpt"
    assert torch.load(path, weights_only=False)["global_step"] == 2
    train(tiny("--name=stopped", "--epochs=3"), resume=True)
    state = torch.load(path, weights_only=False)
    assert state["loops"]["fit_loop"]["epoch_progress"]["total"]["processed"] == 3


@pytest.mark.parametrize("lines", [3, 7])
def test_a_run_that_goes_on_with_other_lines_sees_all_of_them_and_validates(line_cache, lines):
    name = f"--name=other-{lines}"
    source = "--data.train=[{name: iam-train, lines: %d}]"
    train(tiny(name, "--epochs=1", source % 4, "--data.columns=128"))
    train(tiny(name, "--epochs=2", source % lines, "--data.columns=128"), resume=True)
    folder = line_cache / "runs" / f"other-{lines}"
    state = torch.load(folder / "last.ckpt", weights_only=False)
    assert state["global_step"] == 4 + lines
    with (folder / "logs" / "version_1" / "metrics.csv").open(encoding="utf-8") as file:
        assert any(row.get("iam-val/cer") for row in csv.DictReader(file))


class CtrlCInValidation(Callback):
    """Presses Ctrl-C while the first epoch is validated."""

    def on_validation_batch_end(self, trainer, module, outputs, batch, batch_idx, dataloader_idx=0):
        if trainer.current_epoch == 0 and batch_idx == 0:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_while_validating_ends_after_the_validation(line_cache):
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        train(tiny("--name=validating", "--epochs=3"), callbacks=[CtrlCInValidation()])
    state = torch.load(line_cache / "runs" / "validating" / "last.ckpt", weights_only=False)
    assert state["loops"]["fit_loop"]["epoch_progress"]["total"]["processed"] == 1


class CtrlCTwice(Callback):
    """Presses Ctrl-C twice within a step."""

    def on_before_backward(self, trainer, module, loss):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_a_second_ctrl_c_stops_at_once(line_cache):
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt, match="at once"):
            train(tiny("--name=twice"), callbacks=[CtrlCTwice()])
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning switches it off before it leaves
    assert not (line_cache / "runs" / "twice" / "last.ckpt").exists()


def test_the_program_ends_with_130_after_ctrl_c(line_cache, monkeypatch):
    monkeypatch.setattr(run, "train", lambda *args, **kwargs: train(*args, **kwargs, callbacks=[CtrlC()]))
    result = CliRunner().invoke(app, ["train", str(LINES), *TINY, "--name=pressed", "--tracker=none"])
    assert result.exit_code == 130
    assert "--resume" in result.stderr
    assert (line_cache / "runs" / "pressed" / "last.ckpt").exists()


def test_the_alphabet_grows_by_the_characters_of_the_labels(line_cache, caplog, tmp_path):
    table = line_cache.parent / "data" / "iam" / "lines.tsv"
    whole = table.read_text(encoding="utf-8")
    rows = whole.splitlines()
    rows[2] = rows[2].rpartition("\t")[0] + "\tŵ is Ж"
    rows[-1] = rows[-1].rpartition("\t")[0] + "\t∑ is not Ж"  # val: ∑ is in no training label
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    try:
        assert len(iam_lines("train")) == 6
        assert "line 3: 'ŵ' (U+0175), 'Ж' (U+0416)" in caplog.text
        assert "--extend-alphabet" in caplog.text
        assert line_alphabet(tiny().data.train) == Alphabet()
        folder = train(tiny("--name=greek", "--extend-alphabet"))
        described = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))
        assert described["alphabet"] == "".join(Alphabet().characters) + "ŵЖ"
        _, data = build(tiny("--extend-alphabet"))
        assert len(data.train) == 7
        assert len(data.val[0]) == 2
        assert "∑" in caplog.text
        bundle = export_run(folder, tmp_path / "greek", "1", measure=False)
        assert bundle_alphabet(bundle).characters[-2:] == ("ŵ", "Ж")
        train(tiny("--name=more", f"--start_from={bundle}"))  # a bundle keeps what it knows
        assert json.loads((folder.parent / "more" / "experiment.json").read_text())["alphabet"].endswith("ŵЖ")
    finally:
        table.write_text(whole, encoding="utf-8")


def test_known_characters_keep_their_weights():
    known, wanted = Alphabet("abc"), Alphabet("cabx")
    rows = torch.arange(2 * 4 * 3, dtype=torch.float32).reshape(8, 3).numpy()  # 2 frames of 4 classes
    ordered = rows_in_order(rows, known, wanted).reshape(2, 5, 3)
    before = rows.reshape(2, 4, 3)
    assert (ordered[:, :4] == before[:, [0, 3, 1, 2]]).all()
    assert ordered[:, 4] == pytest.approx(before[:, 1:].mean(axis=1))


def test_the_mean_of_several_runs_is_a_bundle(line_cache, tmp_path):
    folders = [train(tiny(f"--name=mean-{seed}", f"--seed={seed}")) for seed in (1, 2)]
    said = CliRunner().invoke(
        app, ["export", "mean-1", str(folders[1]), "--output", str(tmp_path / "mean"), "--no-measure"]
    )
    assert said.exit_code == 0, said.stderr
    assert "the mean of those of the runs mean-1, mean-2" in (tmp_path / "mean" / "README.md").read_text()
    provenance = json.loads((tmp_path / "mean" / "bundle.json").read_text())["provenance"]
    states = [torch.load(folder / "last.ckpt", weights_only=False) for folder in folders]
    assert provenance["steps"] == sum(state["global_step"] for state in states)
    first, second = (state["state_dict"]["network.head.weight"] for state in states)
    mean = mean_weights([state["state_dict"] for state in states])
    assert torch.allclose(mean["network.head.weight"], (first + second) / 2)
    assert mean["network.cnn.0.1.num_batches_tracked"].dtype == torch.int64
    other = train(tiny("--name=mean-other", "--network.fields={stem: 4, channels: [4, 6], blocks: [1, 1]}"))
    refused = CliRunner().invoke(app, ["export", "mean-1", str(other), "--output", str(tmp_path / "none")])
    assert refused.exit_code == 2
    assert "no mean of their weights" in refused.stderr
    assert not (tmp_path / "none").exists()
