"""Before a long training by attention: one batch learned by heart, judged rightly, and from the right weights."""

import numpy as np
import pytest

from tests.learning.experiments.test_training import ROOT
from text_recognizer.learning.experiments.config import load_experiment
from text_recognizer.learning.experiments.run import begin, build
from text_recognizer.learning.experiments.sanity_checks import find_learning_rate, overfit
from text_recognizer.learning.loading.feature_cache import StoredPieces, features

SMALL = "width: 48, layers: 2, heads: 2, feedforward: 64"
LINES = [
    "--start_from=",
    f"--network.fields={{channels: [8, 12, 16], hidden: 32, {SMALL}}}",
    "--data.train=[{name: iam-train}]",
    "--data.val=[{name: iam-val}]",
    "--data.columns=600",
]
PARAGRAPHS = [
    f"--network.fields={{{SMALL}}}",
    "--data.train=[{name: stacked-iam-train}]",
    "--data.val=[{name: stacked-iam-val, count: 1}]",
    "--data.epoch_lines=8",
    "--data.batch_lines=2",
]
QUICK = ["--data.workers=0", "--trainer.precision=32-true", "--trainer.tracker=none", "--trainer.overfit_batches=1"]


def experiment(name, *overrides):
    return load_experiment(ROOT / "experiments" / f"{name}.yaml", [*QUICK, *overrides])


def test_a_line_is_learned_by_heart_with_attention(line_cache):
    verdict = overfit(experiment("line-cnn-transformer", "--name=heart", "--learning_rate=0.004", *LINES))
    assert verdict.passed, str(verdict)
    assert verdict.steps < 1000


def test_a_network_that_learns_nothing_fails(line_cache, monkeypatch):
    monkeypatch.setattr("text_recognizer.learning.experiments.sanity_checks.PASSES", 20)
    verdict = overfit(experiment("line-cnn-transformer", "--name=none", "--learning_rate=0", *LINES))
    assert not verdict.passed
    assert verdict.loss > 2


@pytest.mark.parametrize("rehearse", [overfit, find_learning_rate])
def test_features_of_a_frozen_encoder_are_those_of_its_own_weights(line_cache, monkeypatch, tmp_path, rehearse):
    """They are stored for the training too, under the name of the weights that it begins with."""
    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path))
    monkeypatch.setattr("text_recognizer.learning.experiments.sanity_checks.PASSES", 1)
    monkeypatch.setattr("text_recognizer.learning.experiments.sanity_checks._STEPS", 12)
    chosen = experiment("paragraphs", "--name=frozen", "--data.augmentation.probability=0", *PARAGRAPHS)
    rehearse(chosen)
    stored = StoredPieces(next(tmp_path.glob("features-stacked-iam-train-*")))
    module, data = build(chosen)
    begin(chosen, module, data)
    piece = data.augmented[0].piece(0, np.random.default_rng([0, 0]))
    found = stored.piece(0, np.random.default_rng(0)).values
    assert np.allclose(found, features(module.network.eval(), piece.values), atol=2e-2)
