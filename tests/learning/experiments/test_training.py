"""Training from data to a bundle that reads, on small data made by the test, through the real program."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.programs import program, unforked_program
from tests.helpers.tiny_training import tiny
from text_recognizer.alphabet import CHARACTERS, Alphabet
from text_recognizer.learning.datasets.iam import iam_lines
from text_recognizer.learning.datasets.lines import LineLabel
from text_recognizer.learning.datasets.pages import page_lines
from text_recognizer.learning.datasets.sources import LineSource
from text_recognizer.learning.experiments.config import load_experiment
from text_recognizer.learning.experiments.run import alone, run_dir, train
from text_recognizer.learning.loading.line_batches import MixedLines, WidthBatches, drawn, writer_shares
from text_recognizer.learning.synthesis.lines import SyntheticLines, synthetic_lines
from text_recognizer.learning.synthesis.pages import SyntheticPages
from text_recognizer.learning.synthesis.text import TextSampler
from text_recognizer.learning.tasks.lines import LineData, LineDataModule
from text_recognizer.recognition.bundle import BundleError
from text_recognizer.recognition.text.line_geometry import LineGeometry

ROOT = Path(__file__).resolve().parents[3]
EXPERIMENTS = sorted(path for part in ("*.yaml", "releases/*.yaml") for path in (ROOT / "experiments").glob(part))
TINY_LINES = [
    "--network.fields={stem: 4, channels: [4, 6, 8], blocks: [1, 1, 1], hidden: 8, layers: 1}",
    "--data.train=[{name: iam-train, balance: 0.5}, {name: copiste-train, lines: 4}, "
    "{name: synthetic, lines: 6, count: 8}]",
    "--data.columns=3000",
    "--data.workers=0",
    "--trainer.precision=32-true",
    "--trainer.tracker=none",
]
TINY_DETECTOR = [
    "--network.fields={stem: 4, channels: [4, 4, 4, 4], blocks: [1, 1, 1, 1], top: 4}",
    "--data.pages=[copiste]",
    "--data.synthetic=2",
    "--data.crops=4",
    "--data.val_crops=2",
    "--data.size=160",
    "--data.batch=2",
    "--data.workers=0",
    "--trainer.precision=32-true",
    "--trainer.tracker=none",
]


def test_lines_train_resume_export_and_read(tiny_data, tmp_path):
    first = program("train", "experiments/lines.yaml", "--name=tiny", "--trainer.epochs=1", *TINY_LINES)
    assert first.returncode == 0, first.stderr
    unknown = program("train", "experiments/lines.yaml", "--name=other", "--resume", *TINY_LINES)
    assert unknown.returncode == 2
    assert "no checkpoint" in unknown.stderr
    again = program("train", "experiments/lines.yaml", "--name=tiny", "--trainer.epochs=2", *TINY_LINES)
    assert again.returncode == 2
    assert "--resume" in again.stderr
    resumed = program("train", "experiments/lines.yaml", "--name=tiny", "--trainer.epochs=2", "--resume", *TINY_LINES)
    assert resumed.returncode == 0, resumed.stderr
    exported = program("export", "tiny", "--output", tmp_path / "bundle")
    assert exported.returncode == 0, exported.stderr
    bundle = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert bundle["provenance"]["epochs"] == 2
    assert "non-commercial" in (tmp_path / "bundle" / "README.md").read_text()
    assert any("iam-val (3 lines)" in name for name in bundle["scores"])
    read = program("read", "--unit", "line", "--model", tmp_path / "bundle", tiny_data / "iam" / "lines" / "x00.webp")
    assert read.returncode == 0, read.stderr


def test_detector_trains_and_exports(tiny_data, tmp_path):
    trained = program(
        "train", "experiments/detector.yaml", "--name=tiny-detector", "--trainer.epochs=1", *TINY_DETECTOR
    )
    assert trained.returncode == 0, trained.stderr
    exported = program("export", "tiny-detector", "--output", tmp_path / "bundle", "--no-measure")
    assert exported.returncode == 0, exported.stderr
    read = program("read", "--detector", tmp_path / "bundle", ROOT / "samples" / "letter.jpg")
    assert read.returncode == 0, read.stderr


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_is_valid(path):
    assert load_experiment(path).name == path.stem


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("--trainer.epocs=3", "epocs"),
        ("--trainer.epochs=many", "epochs"),
        ("--nonsense=1", "nonsense"),
        ("--data.train=[{name: iam-train, balance: 2}]", "balance of iam-train"),
    ],
)
def test_a_wrong_field_is_named_before_anything_starts(override, named):
    with pytest.raises(ValueError, match=named):
        load_experiment(ROOT / "experiments" / "lines.yaml", [override])


@pytest.mark.parametrize(("content", "message"), [("task: magic", "magic"), ("[1, 2", "not YAML"), ("3", "task")])
def test_a_broken_experiment_is_named(tmp_path, content, message):
    (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(ValueError, match=message):
        load_experiment(tmp_path / "x.yaml")


def test_missing_data_say_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path / "cache"))
    result = unforked_program("train", "experiments/lines.yaml", "--name=nothing")
    assert result.returncode == 2
    assert "TEXT_RECOGNIZER_DATA" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not list((tmp_path / "cache").rglob("experiment.json"))


def test_batches_have_few_shapes_and_go_on_where_they_stopped(tiny_data):
    lines = MixedLines([iam_lines("train"), synthetic_lines(seed=4, count=12)])
    order = WidthBatches(lines, columns=3000, margin=16, per_epoch=[7, 5])
    first = list(order)
    assert len(first) == len(order)
    assert {index for batch in first for index, _ in batch} >= set(range(7))
    shapes = {(len(batch), batch[0][1]) for batch in first}
    assert len(shapes) == len({columns for _, columns in shapes})
    order.start_at(0, done=2)
    assert list(order) == first[2:]
    order.start_at(1)
    assert list(order) != first


def test_writers_are_balanced():
    labels = [LineLabel(str(n), "a", "who wrote much" if n < 900 else str(n // 10), "s") for n in range(1000)]
    writer = np.array([label.writer == "who wrote much" for label in labels])
    order = np.random.default_rng(0).permutation(1000)
    found = {}
    assert set(writer_shares(labels, 0)) == {1.0}
    for balance in (0.5, 1.0):
        shares = writer_shares(labels, balance)
        lines = drawn(order, shares, 400, np.random.default_rng(1))
        assert len(lines) == 400
        times = np.bincount(lines, minlength=1000)
        assert np.abs(times - 0.4 * shares).max() < 1  # as often as the share says, rounded
        found[balance] = writer[lines].mean()
    # 11 writers: nine lines of ten are of one of them, whose part shrinks to an eleventh.
    expected = {0.5: 30 / (30 + 10 * 10**0.5), 1.0: 1 / 11}
    assert found == pytest.approx(expected, abs=0.005)


def test_an_experiment_says_how_its_writers_are_balanced(tiny_data):
    source = LineSource("iam-train", balance=1.0)
    data = LineDataModule(LineData(train=[source], val=[]), Alphabet(CHARACTERS), LineGeometry())
    assert data.order.shares[0] is not None
    assert {index for batch in data.order for index, _ in batch} <= set(range(7))


def test_a_run_is_trained_by_one_process(tiny_data):
    experiment = tiny("--name=twice")
    with alone(run_dir(experiment)), pytest.raises(FileExistsError, match="another process trains"):
        train(experiment)
    assert not run_dir(experiment).exists()
    with pytest.raises(TimeoutError, match="the store"), alone(run_dir(experiment)):
        raise TimeoutError("the store does not answer")


def test_what_a_run_cannot_begin_with_is_named(tiny_data, tmp_path, monkeypatch):
    with pytest.raises(BundleError, match="detector"):
        train(tiny("--name=wrong", "--start_from=detector"))
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(tmp_path))
    (tmp_path / "text").mkdir()
    with pytest.raises(FileNotFoundError, match="no text"):
        TextSampler(Alphabet())


def test_a_run_goes_on_with_the_alphabet_that_it_began_with(tiny_data):
    folder = train(tiny("--name=letters", "--data.more_characters=ŵ"))
    train(tiny("--name=letters", "--data.more_characters=Ж", "--epochs=2"), resume=True)
    alphabet = json.loads((folder / "experiment.json").read_text())["alphabet"]
    assert "ŵ" in alphabet
    assert "Ж" not in alphabet


def test_export_replaces_nothing_but_a_bundle(tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("experiment.json", "last.ckpt"):
        (tmp_path / "run" / name).write_text("{}")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    result = unforked_program("export", tmp_path / "run", "--output", tmp_path / "mine")
    assert result.returncode == 2
    assert "no model bundle" in result.stderr
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear diary"


def test_line_datasets(tiny_data):
    train, val = iam_lines("train"), iam_lines("val")
    assert (len(train), len(val)) == (7, 3)
    image, label = train[0]
    assert image.shape[0] == 64
    assert image.dtype == np.uint8
    assert label.source == "iam"
    assert np.array_equal(iam_lines("train")[3][0], train[3][0])  # the second time from the cache
    assert {label.text for label in page_lines("copiste", "train").labels} == {"été"}  # crossed-out lines are left out


def test_synthetic_lines_and_pages_are_the_same_for_the_same_seed(tiny_data):
    for make in (SyntheticLines, SyntheticPages):
        one, two, other = make(1)[3], make(1)[3], make(2)[3]
        images = [item[0] if isinstance(item, tuple) else item.image for item in (one, two, other)]
        assert np.array_equal(images[0], images[1])
        assert images[0].shape != images[2].shape or not np.array_equal(images[0], images[2])


def test_synthetic_lines_show_their_text(tiny_data):
    dataset = synthetic_lines(seed=4, count=12)
    for index in range(len(dataset)):
        image, label = dataset[index]
        assert label.text
        assert image.any(), label.text


def test_an_interrupted_preparation_leaves_nothing(tiny_data, tmp_path):
    from text_recognizer.learning.datasets.lines import LineLabel, cached_lines

    def broken():
        yield np.zeros((64, 9), np.uint8), LineLabel("a", "a", "a", "a")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_lines(tmp_path / "c", "broken", broken())
    assert list((tmp_path / "c").iterdir()) == []
