"""Where errors come from: the parts add up, the sources are the right ones, runs and bundles can be diagnosed."""

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import write_pages
from text_recognizer.cli.main import app
from text_recognizer.learning.evaluation.diagnosis import Measured, Term, diagnose, held_out
from text_recognizer.learning.evaluation.diagnosis_report import diagnosis_picture, order

TINY = """
task: characters
name: tiny
network: {name: mlp, fields: {hidden: [8]}}
data: {train: [{name: fonts, variants: 1}], val: [{name: iam-val}], workers: 0}
trainer: {epochs: 1, tracker: none, samples: 0, precision: 32-true}
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"name": "iam-train", "lines": 9}, {"name": "iam-val", "lines": 9}),
        ({"name": "synthetic", "seed": 3}, {"name": "synthetic", "seed": 1003}),
        ({"name": "fonts"}, {"name": "fonts", "seed": 1001}),
        ({"name": "pages", "path": "p", "split": "train"}, {"name": "pages", "path": "p", "split": "val"}),
        ({"name": "folder", "path": "p", "hold": 0.2}, {"name": "folder", "path": "p", "hold": 0.2, "held": True}),
        ({"name": "emnist-train"}, {"name": "emnist-test"}),
        ({"name": "emnist-lines-train"}, {"name": "emnist-lines-val"}),
        ({"name": "emnist-digits"}, None),
    ],
)
def test_what_was_not_trained_on(source, expected):
    assert held_out(source) == expected


def test_a_rate_is_of_the_corpus_and_has_a_deviation():
    measured = Measured(("a",), np.array([1, 0, 3]), np.array([10, 10, 20]))
    assert measured.rate == 0.1
    assert 0.01 < measured.deviation < 0.1
    assert Measured(("a",), np.array([2, 2]), np.array([8, 8])).deviation == 0


def test_the_largest_part_comes_first_and_the_picture_shows_all():
    terms = [Term("irreducible", 0.01, 0, ""), Term("bias", -0.02, 0.01, ""), Term("variance", 0.3, 0.01, "")]
    assert [term.name for term in order(terms)] == ["variance", "irreducible"]
    picture = np.array(diagnosis_picture(terms, "a run"))
    assert (picture == (245, 133, 24)).all(axis=2).sum() > 1000  # variance
    assert diagnosis_picture([Term("irreducible", 0.0, 0, "")], "no errors").height > 0


def test_the_shipped_line_recogniser(tiny_data):
    for name in ("hooker", "lathrop", "poilus"):
        write_pages(tiny_data / name)
    terms = diagnose("lines", samples=20, irreducible=0.01)
    assert [term.name for term in terms] == ["irreducible", "bias", "variance", "shift"]
    assert "iam-train, copiste-train, hooker-train, poilus-train, lathrop-train, synthetic" in terms[1].about
    assert "3 of iam-val" in diagnose("lines", target=["iam-val"], samples=20)[3].about
    # The default target is what the experiment validates on: the parts add up to the error there.
    assert f"{100 * sum(term.value for term in terms):.2f} %" in terms[3].about


def test_a_run_and_the_command(tiny_data, tmp_path):
    from text_recognizer.learning.experiments.config import load_experiment
    from text_recognizer.learning.experiments.run import train

    (tmp_path / "tiny.yaml").write_text(TINY)
    train(load_experiment(tmp_path / "tiny.yaml"))
    picture = tmp_path / "parts.png"
    done = CliRunner().invoke(
        app, ["diagnose", "tiny", "--samples", "40", "--best", "characters", "--test", "--picture", str(picture)]
    )
    assert done.exit_code == 0, done.output
    assert "the error of characters" in done.output
    assert "worn-out val" not in done.output  # there is no test split here
    assert picture.is_file()


@pytest.mark.parametrize(("name", "named"), [("detector", "detector"), ("nothing", "no model bundle")])
def test_what_cannot_be_diagnosed_is_named(bare_data, name, named):
    done = CliRunner().invoke(app, ["diagnose", name])
    assert done.exit_code == 2
    assert named in done.output
