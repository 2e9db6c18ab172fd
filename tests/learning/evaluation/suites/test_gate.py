"""The gate: intervals that hold, slices found worse when they are and seldom when not, suites, and damaged bundles."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import write_drawn_lines
from text_recognizer.cli.main import app
from text_recognizer.learning.evaluation.suites.behaviour import CHANGES, changed
from text_recognizer.learning.evaluation.suites.bootstrap import (
    group_numbers,
    interval,
    rate,
    rate_draws,
    resampled,
    worse_together,
)
from text_recognizer.learning.evaluation.suites.comparison import compare
from text_recognizer.learning.evaluation.suites.gate import damages, judge, learned_by_heart, without_card
from text_recognizer.learning.evaluation.suites.samples import Samples
from text_recognizer.learning.evaluation.suites.slices import Slice, by_name
from text_recognizer.learning.evaluation.suites.suite import Accuracy, load_suite
from text_recognizer.recognition.bundle import SHIPPED

WRITERS, LINES = 24, 20


def measured(errors: np.ndarray, units: np.ndarray, slices: list[Slice]) -> Samples:
    """Lines of 24 writers, 20 each."""
    groups = [f"w{number // LINES}" for number in range(len(errors))]
    return Samples("set", [str(k) for k in range(len(errors))], groups, slices, {"CER": (errors, units)})


def drawn_errors(rng: np.random.Generator, units: np.ndarray) -> np.ndarray:
    """Errors of lines whose writers are easy or hard."""
    hard = np.repeat(rng.beta(2, 20, WRITERS), LINES)
    return rng.binomial(units, hard)


@pytest.fixture
def lines() -> tuple[np.random.Generator, np.ndarray, list[Slice]]:
    rng = np.random.default_rng(7)
    count = WRITERS * LINES
    units = rng.integers(20, 60, count)
    slices = [Slice("part", str(k), rng.random(count) < 0.3) for k in range(20)]
    return rng, units, slices


def test_an_interval_over_writers_covers_the_truth_and_one_over_lines_does_not():
    rng, covered, covered_by_lines = np.random.default_rng(1), 0, 0
    units = np.full(WRITERS * LINES, 40)
    for _ in range(80):
        errors = drawn_errors(rng, units)
        for over_writers in (True, False):
            groups = np.repeat(np.arange(WRITERS), LINES) if over_writers else np.arange(len(units))
            draws = rate_draws(errors, units, groups, resampled(groups.max() + 1, 150))
            found = interval(rate(errors, units), draws)
            hit = found.low <= 2 / 22 <= found.high
            covered, covered_by_lines = covered + (hit and over_writers), covered_by_lines + (hit and not over_writers)
    assert covered / 80 > 0.85  # 0.95 with as many writers as one likes
    assert covered_by_lines / 80 < 0.75


def test_equal_models_are_seldom_refused_and_a_worse_slice_is_found(lines):
    rng, units, slices = lines
    refused = 0
    for _ in range(25):
        errors = drawn_errors(rng, units)
        pair = [rng.binomial(errors, 0.9) for _ in range(2)]  # the same lines are hard for both
        found = compare([measured(pair[0], units, slices)], [measured(pair[1], units, slices)], Accuracy(samples=40))
        refused += any(row.worse for row in found.rows)
    assert refused <= 4  # 2.5 % overall and 5 % for all slices together are asked for

    errors = drawn_errors(rng, units)
    worse = errors + rng.binomial(units, 0.06) * slices[3].members
    found = compare([measured(worse, units, slices)], [measured(errors, units, slices)], Accuracy(samples=40))
    assert slices[3].title in [row.title for row in found.slices if row.worse]
    better = compare([measured(errors, units, slices)], [measured(worse, units, slices)], Accuracy(samples=40))
    assert not any(row.worse for row in better.rows)


def test_the_same_readings_are_not_worse_and_what_is_too_small_is_named(lines):
    rng, units, slices = lines
    errors = drawn_errors(rng, units)
    few = [Slice("part", "few", np.arange(len(units)) < 10), Slice("part", "two hands", np.arange(len(units)) < 40)]
    sides = [measured(errors, units, slices + few + by_name("writer", ["w0"] * len(units)))] * 2
    found = compare(sides[:1], sides[1:], Accuracy(samples=40))
    assert not any(row.worse for row in found.rows)
    unjudged = {row.title: row.unjudged for row in found.slices if row.unjudged}
    assert unjudged == {
        "part: few": "10 samples, 40 are asked for",
        "part: two hands": "of 2 writers or pages, 8 are asked for",
    }
    certain = interval(0.1, np.full(100, 0.1))
    assert worse_together([certain, interval(0.0, np.zeros(100))]) == [True, False]
    other = [measured(errors[:-1], units[:-1], [])]
    with pytest.raises(ValueError, match="same samples"):
        compare(sides[:1], other, Accuracy())


def test_groups_are_numbered_in_order():
    assert group_numbers(["b", "a", "b"]).tolist() == [0, 1, 0]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_says_where_points_go(change):
    amounts = {"jpeg": 60, "padding": 0.2, "scale": 1.5, "rotation": 3, "blur": 1, "contrast": 0.7, "noise": 2}
    image = np.full((120, 200), 240, np.uint8)
    image[36:44, 146:154] = 0
    view, matrix = changed(image, change, amounts.get(change, 10))
    dark = 255 - view if change == "inverted" else view
    rows, columns = np.nonzero(dark < 150)
    place = matrix @ [149.5, 39.5, 1]
    assert np.abs([columns.mean(), rows.mean()] - place).max() < 1.5
    assert view.dtype == np.uint8
    colour, _ = changed(np.repeat(image[..., None], 3, axis=2), change, amounts.get(change, 10))
    assert colour.shape == (*view.shape, 3)


def test_an_unknown_change_is_named():
    with pytest.raises(ValueError, match="no change 'fog'; there are: brightness"):
        changed(np.zeros((4, 4), np.uint8), "fog", 1)


def test_the_shipped_suites_have_all_that_they_name(monkeypatch):
    for name in ("basic", "accuracy"):
        suite = load_suite(name)
        for task in suite.tasks.values():
            for image in [case.image for case in task.functionality] + list(task.invariance.images):
                assert suite.image(image).size
            assert all(change.change in CHANGES for change in task.invariance.changes)
    assert len(load_suite("basic").outlines("numbers.png")) == 6


def own_suite(folder, content: dict, *images: str):
    """A suite with some images of the shipped one."""
    folder.mkdir()
    for image in images:
        shutil.copy(load_suite("basic").folder / image, folder)
    head = {"suite_version": 1, "name": folder.name, "version": 1, "about": "of a test"}
    (folder / "suite.yaml").write_text(json.dumps(head | content), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"tasks": {"lines": {"speed": 1}}}, "tasksuite has no speed"),
        ({"tasks": {"lines": {"functionality": [{"name": "a", "picture": "b"}]}}}, "case has no picture"),
        ({"tasks": {"lines": {"cost": {}}}}, "images of invariance, and there are none"),
        ({"tasks": {"lines": {"accuracy": {"limits": {"iam-test": {"CER": 1}}}}}}, "limits for iam-test, which"),
        ({"suite_version": 9, "tasks": {}}, "newer program"),
        ({}, "'tasks'"),
    ],
)
def test_a_wrong_suite_is_explained(tmp_path, content, said):
    folder = own_suite(tmp_path / "mine", content)
    with pytest.raises(ValueError, match=said):
        load_suite(folder)


def test_the_hash_of_a_suite_is_of_its_images_too(tmp_path):
    folder = own_suite(tmp_path / "mine", {"tasks": {}}, "word.png")
    before = load_suite(folder).identity
    Image.new("L", (9, 9)).save(folder / "word.png")
    assert load_suite(folder).identity != before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lines", "--suite", "nothing"], "no suite at nothing, and no shipped one of that name (shipped: accuracy, b"),
        (["lines", "detector", "--suite", "basic"], "one bundle at a time"),
        (["nothing", "--suite", "basic"], "no model bundle at nothing"),
        (["lines", "--suite", "accuracy"], "data that are not here: iam-val"),
        (["language", "--suite", "basic"], "not promoted by themselves"),
    ],
)
def test_what_cannot_be_run_is_explained(bare_data, arguments, said):
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert done.exit_code in (1, 2)
    assert said in done.output


@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["lines", "detector"])
def test_the_shipped_bundles_pass_the_basic_suite(bundle, bare_data):
    done = CliRunner().invoke(app, ["evaluate", bundle, "--suite", "basic"])
    assert done.exit_code == 0, done.output
    assert "passed" in done.output.splitlines()[-1]


def write_lines(folder) -> None:
    """ "IAM" lines of nine writers, drawn with fonts, four each, all for val."""
    write_drawn_lines(folder, [("val", number % 9) for number in range(36)])


def test_a_worse_model_is_refused_with_every_reason_and_a_report(bare_data, tmp_path):
    write_lines(bare_data / "iam")
    asked = {
        "language": "none",
        "calibrated": True,
        "calibration_error": 0.001,
        "cost": {"time": 20, "size": 0.5},
        "accuracy": {"sets": {"iam-val": "English"}, "limits": {"iam-val": {"CER": 0.001}}, "samples": 9, "groups": 3},
        "functionality": [{"name": "a word", "image": "word.png", "text": "Something", "limit": 0.1}],
        "invariance": {"images": ["word.png"], "changes": [{"change": "scale", "amounts": [0.06], "limit": 0.1}]},
    }
    folder = own_suite(tmp_path / "mine", {"tasks": {"lines": asked}}, "word.png")
    report = tmp_path / "report.html"
    command = ["evaluate", "line-cnn-lstm", "--suite", str(folder), "--against", "lines", "--report", str(report)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1, done.output
    for said in (
        "functionality, a word: CER",
        "invariance, scale: CER",
        "accuracy: CER on iam-val is",
        "regression, all: CER",
        "calibration: the bundle has no weights",
        "calibration: the expected calibration error on iam-val",
        "too small to be judged:",
        "writer: iam-0 (4 samples, 15 are asked for)",
    ):
        assert said in done.output
    html = report.read_text(encoding="utf-8")
    assert "Refused" in html
    assert "Most frequent confusions" in html
    assert html.count("data:image/webp") > 12
    assert "<del>" in html
    assert "http" not in html.replace("http-equiv", "")


def damaged(tmp_path, name: str = "characters"):
    folder = tmp_path / "bundle"
    shutil.copytree(SHIPPED / name, folder)
    return folder


def described(folder, **fields) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | fields), encoding="utf-8")


def test_damaged_bundles_are_refused_before_anything_is_measured(tmp_path):
    folder = damaged(tmp_path)
    assert damages(folder) == []
    assert without_card(folder) == []
    described(folder, format_version=99)
    assert "bundle format 99" in damages(folder)[0]
    described(folder, format_version=1, normalization=7)
    assert "export the model again" in damages(folder)[0]
    described(folder, normalization=1, task="poetry")
    assert "'poetry'" in damages(folder)[0]
    described(folder, task="characters")
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-1] + b"x")
    verdict = judge(folder, [load_suite("basic")], None)
    assert "is not the file that its bundle.json names" in verdict.damage[0]
    assert not verdict.results
    (folder / "model.onnx").unlink()
    assert "is missing" in damages(folder)[0]
    (folder / "bundle.json").write_text("{", encoding="utf-8")
    assert "is damaged" in damages(folder)[0]
    (folder / "README.md").write_text("# A model\n\n## Scores\n", encoding="utf-8")
    assert "lacks ## Training, ## Limits, ## Terms" in without_card(folder)[0]
    (folder / "README.md").unlink()
    assert "no model card" in without_card(folder)[0]


def test_a_bundle_that_learned_from_what_it_is_measured_on_is_refused(tmp_path):
    folder = damaged(tmp_path)
    assert learned_by_heart(folder, [load_suite("basic"), load_suite("accuracy")]) == []
    data = {"train": [{"name": "recombined-iam-val"}, {"name": "iam-val"}, {"name": "fonts"}]}
    described(folder, provenance={"experiment": {"data": data}})
    found = learned_by_heart(folder, [load_suite("accuracy")])
    names = "iam-val", "recombined-iam-val"
    assert found == [f"accuracy: it learned from {name}, which it is measured on" for name in names]


def test_limits_on_what_is_never_measured_are_refused(bare_data, tmp_path):
    write_lines(bare_data / "iam")
    accuracy = {"sets": {"iam-val": "English"}, "limits": {"iam-val": {"accuracy": 0.9}}}
    folder = own_suite(tmp_path / "mine", {"tasks": {"lines": {"accuracy": accuracy}}})
    done = CliRunner().invoke(app, ["evaluate", "line-cnn", "--suite", str(folder)])
    assert (done.exit_code, "limits accuracy; of lines there are: CER, WER" in done.output) == (2, True)


def test_a_bundle_of_lines_names_partners_that_are_there(tmp_path):
    folder = damaged(tmp_path, "lines")
    settings = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))["settings"]
    described(folder, settings=settings | {"language": "gone", "detector": "nowhere/detector"})
    found = damages(folder)
    assert ["names the language gone" in found[0], "names the detector nowhere/detector" in found[1]] == [True, True]
