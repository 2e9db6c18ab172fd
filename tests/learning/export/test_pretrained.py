"""PP-OCRv6 as a bundle that a training starts from: the same network, its head cut to our alphabet."""

import importlib.util
import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.learning.tasks.test_characters import call
from text_recognizer.alphabet import CHARACTERS, Alphabet
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning import networks
from text_recognizer.learning.export import pretrained
from text_recognizer.learning.tasks.base import NetworkChoice
from text_recognizer.learning.tasks.warm_start import load_bundle_weights
from text_recognizer.learning.tasks.weights import adopted_shape
from text_recognizer.recognition.bundle import load_bundle
from text_recognizer.recognition.text.line_geometry import LineGeometry

installed = pytest.mark.skipif(
    importlib.util.find_spec("rapidocr") is None, reason="the package rapidocr, which holds the weights, is not here"
)


@pytest.fixture(scope="module")
def original():
    return pretrained.pp_ocrv6(pretrained.weights_file())


@installed
@pytest.mark.parametrize(("batch", "width"), [(1, 96), (2, 320), (1, 768)])
def test_it_computes_what_the_original_computes(original, batch, width):
    import onnxruntime

    network, _ = original
    picture = np.random.default_rng(width).random((batch, 1, 48, width), np.float32) * 2 - 1
    session = onnxruntime.InferenceSession(str(pretrained.weights_file()), providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: np.repeat(picture, 3, axis=1)})[0]
    with torch.inference_mode():
        rows = network.trunk(network.stem(torch.from_numpy(picture)))
        pooled = functional.avg_pool2d(rows, (3, 2)).squeeze(2).transpose(1, 2)  # as the original does
        found = network.head(network.neck(pooled)).softmax(-1).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4


@installed
def test_the_head_keeps_the_rows_of_our_characters(original):
    network, known = original
    smaller = pretrained.with_alphabet(network, known, Alphabet("bẞ a"))
    rows = network.head.weight
    numbers = known.encode("b a")
    for row, expected in zip(
        smaller.head.weight,
        [rows[0], rows[numbers[0]], rows[1:].mean(0), rows[numbers[1]], rows[numbers[2]]],
        strict=True,
    ):
        torch.testing.assert_close(row, expected)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained") / "start"
    made = call("models", "import", "pp-ocrv6", "--output", folder, "--more-characters", "Ωa")
    assert made.exit_code == 0, made.stderr
    assert "--start_from=" in made.stdout
    return load_bundle(folder, "lines", NORMALIZATION_VERSION)


@installed
def test_the_bundle_says_whose_weights_they_are(bundle):
    assert bundle.settings["alphabet"] == CHARACTERS + "Ω"
    assert LineGeometry(**bundle.settings["geometry"]) == LineGeometry(columns_per_frame=16 / 3)
    card = (bundle.folder / "README.md").read_text(encoding="utf-8")
    for said in ("PP-OCRv6", "Apache-2.0", "Baidu", "not published", "Nothing was trained here", "Print and tidy"):
        assert said in card


@installed
def test_a_training_starts_from_it_with_an_lstm_of_its_own(bundle, original):
    choice = adopted_shape(NetworkChoice("lcnet-svtr", {"hidden": 16}), bundle.folder)
    alphabet = Alphabet(bundle.settings["alphabet"] + "Ψ")
    network = networks.build("lcnet-svtr", classes=len(alphabet), **choice.fields)
    load_bundle_weights(network, bundle.folder, alphabet)
    expected = pretrained.with_alphabet(*original, alphabet).state_dict()
    assert network.lstm.hidden_size == 16
    for name, weight in network.state_dict().items():
        if not name.startswith(("lstm", "out")):
            rows = slice(None, -1) if name.startswith("head") else slice(None)  # Ψ begins at the mean of our characters
            torch.testing.assert_close(weight[rows], expected[name][rows], rtol=1e-3, atol=1e-4)
    deeper = networks.build("lcnet-svtr", classes=len(alphabet), hidden=0, blocks=[3, 6, 3])
    with pytest.raises(ValueError, match=r"only the network has a layer trunk\.13\."):
        load_bundle_weights(deeper, bundle.folder, alphabet)


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    refused = call("models", "import", "pp-ocrv6", "--output", tmp_path / "start")
    assert refused.exit_code == 2
    assert 'pip install "text-recognizer[pretrained]"' in refused.stderr
    unknown = call("models", "import", "pp-ocrv9", "--output", tmp_path / "start")
    assert unknown.exit_code == 2
    assert "there are: pp-ocrv6" in unknown.stderr
    assert not (tmp_path / "start").exists()


def test_other_weights_are_refused(tmp_path, monkeypatch):
    models = tmp_path / "rapidocr" / "models"
    models.mkdir(parents=True)
    (tmp_path / "rapidocr" / "__init__.py").write_text("raise RuntimeError('it must not be imported')")
    (models / "PP-OCRv6_rec_small.onnx").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="other weights"):
        pretrained.weights_file()


def test_what_it_began_with_stays_on_the_cards_of_what_was_made_of_it(tmp_path):
    from text_recognizer.learning.export.model_card import model_card
    from text_recognizer.learning.tasks.warm_start import bundle_origin

    experiment = {"name": "lines", "network": {"name": "lcnet-svtr"}, "data": {"train": [{"name": "copiste-train"}]}}
    provenance = {"parameters": 1, "epochs": 1, "steps": 1, "exported": "2026-12-01"}
    for origin in ({}, pretrained.ORIGIN):
        known = {"experiment": experiment | {"start_from": "start", "pretrained": origin}} | provenance
        (tmp_path / "bundle.json").write_text(json.dumps({"provenance": known}))
        assert bundle_origin(tmp_path) == origin
        card = model_card({"name": "x", "version": "1", "task": "lines", "provenance": known, "scores": {}}, False)
        assert ("PP-OCRv6" in card) == bool(origin)


def test_the_config_of_a_network_survives_a_smaller_head():
    torch.manual_seed(0)
    network = networks.build("lcnet-svtr", classes=4, channels=[8, 16], blocks=[1, 1], neck=8, heads=2, hidden=0).eval()
    smaller = pretrained.with_alphabet(network, Alphabet("abc"), Alphabet("ca"))
    assert asdict(smaller.config) == asdict(network.config) | {"classes": 3}
    image = torch.rand(1, 1, 64, 96)
    torch.testing.assert_close(smaller(image), network(image)[..., [0, 3, 1]])
