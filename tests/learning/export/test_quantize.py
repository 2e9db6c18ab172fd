"""Bundles that compute with 8-bit integers: smaller, reading nearly as before, a line the same beside any other."""

import json
import shutil

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from tests.conftest import SAMPLES
from tests.learning.tasks.test_characters import call
from text_recognizer import TextRecognizer
from text_recognizer.images import NORMALIZATION_VERSION, normalize_line, open_image
from text_recognizer.learning import networks
from text_recognizer.learning.tasks.warm_start import load_bundle_weights
from text_recognizer.recognition.bundle import SHIPPED, load_bundle
from text_recognizer.recognition.layout.detector import LineDetector
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

CALIBRATION = {"greedy": {"weights": [0.9], "shift": -1.5}}


@pytest.fixture
def int8_lines(tiny_data, tmp_path):
    """A shipped line network in integers, its confidence calibrated before."""
    source = shutil.copytree(SHIPPED / "line-cnn", tmp_path / "line-cnn")
    data = json.loads((source / "bundle.json").read_text())
    data["settings"]["calibration"] = CALIBRATION
    (source / "bundle.json").write_text(json.dumps(data))
    made = call("quantize", source, "--output", tmp_path / "int8", "--no-measure")
    assert made.exit_code == 0, made.stderr
    return tmp_path / "int8"


def test_lines_read_nearly_the_same_from_half_the_file(int8_lines, sample_line):
    before, after = SHIPPED / "line-cnn" / "model.onnx", int8_lines / "model.onnx"
    assert after.stat().st_size < 0.6 * before.stat().st_size
    texts = [
        TextRecognizer(lines, language=None).read_lines([sample_line])[0].text for lines in ("line-cnn", int8_lines)
    ]
    assert Levenshtein.distance(*texts) <= 0.1 * len(texts[0])
    logits = [
        LineTextRecognizer(lines).logits([normalize_line(open_image(sample_line))])[0]
        for lines in ("line-cnn", int8_lines)
    ]
    assert not np.array_equal(*logits)  # it was rounded
    card = (int8_lines / "README.md").read_text()
    assert "8-bit integers" in card
    described = json.loads((int8_lines / "bundle.json").read_text())
    assert described["provenance"]["quantized_from"].startswith("line-cnn 1")
    assert described["settings"]["calibration"] == CALIBRATION  # which still holds: nothing was measured anew


def test_a_line_reads_the_same_in_any_batch(int8_lines, sample_line):
    line = normalize_line(open_image(sample_line))
    others = [np.full_like(line, 255), np.zeros_like(line), line[:, ::-1].copy()]
    reader = LineTextRecognizer(int8_lines)
    alone = reader.logits([line])[0]
    np.testing.assert_allclose(reader.logits([*others, line])[-1], alone, atol=1e-5)


def test_lstms_compute_with_integers_each_line_by_itself(tiny_data, tmp_path, sample_line):
    made = call("quantize", "line-cnn-lstm", "--output", tmp_path / "int8", "--no-measure")
    assert made.exit_code == 0, made.stderr
    line = normalize_line(open_image(sample_line))
    others = [np.full_like(line, 255), np.zeros_like(line), line[:, : line.shape[1] // 2].copy()]
    before, after = LineTextRecognizer("line-cnn-lstm"), LineTextRecognizer(tmp_path / "int8", threads=2)
    assert after.session.alone
    assert not before.session.alone
    alone = after.logits([line])[0]
    assert np.array_equal(after.logits([*others, line])[-1], alone)
    assert np.array_equal(after.logits([line, *others])[0], alone)
    assert (before.logits([line])[0].argmax(-1) == alone.argmax(-1)).mean() > 0.97
    # An ensemble with it reads each line by itself, too.
    joined = call("ensemble", tmp_path / "int8", "line-cnn-lstm", "--output", tmp_path / "both", "--no-measure")
    assert joined.exit_code == 0, joined.stderr
    both = LineTextRecognizer(tmp_path / "both")
    assert np.array_equal(both.logits([*others, line])[-1], both.logits([line])[0])


def test_a_training_goes_on_from_integers(tiny_data, tmp_path, sample_line):
    """The weights of LSTMs in integers are found again, each gate in its place."""
    assert call("quantize", "line-cnn-lstm", "--output", tmp_path / "int8", "--no-measure").exit_code == 0
    bundle = load_bundle(tmp_path / "int8", "lines", NORMALIZATION_VERSION)
    fields = bundle.provenance["experiment"]["network"]["fields"]
    whole, rounded = (
        networks.build("line-cnn-lstm", classes=len(bundle.settings["alphabet"]) + 1, **fields) for _ in range(2)
    )
    load_bundle_weights(whole, SHIPPED / "line-cnn-lstm")
    load_bundle_weights(rounded, bundle.folder)
    for name, weight in whole.state_dict().items():
        if "lstm" in name:
            assert (weight - rounded.state_dict()[name]).abs().max() < 0.02 * weight.abs().max(), name


def test_a_detector_finds_the_same_lines(tiny_data, tmp_path):
    source = shutil.copytree(SHIPPED / "detector", tmp_path / "detector")
    data = json.loads((source / "bundle.json").read_text())
    data["settings"].pop("precision", None)
    data["provenance"]["experiment"]["data"]["pages"] = ["copiste"]
    (source / "bundle.json").write_text(json.dumps(data))
    made = call("quantize", source, "--output", tmp_path / "int8", "--no-measure")
    assert made.exit_code == 0, made.stderr
    page = open_image(SAMPLES / "letter.jpg")
    before, after = LineDetector("detector").detect(page), LineDetector(tmp_path / "int8").detect(page)
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=12)


@pytest.mark.parametrize(
    ("source", "reason"),
    [("characters", "only bundles of lines and detector"), ("int8", "already"), ("nowhere", "no model bundle")],
)
def test_what_cannot_be_quantised_is_refused(source, reason, tmp_path):
    if source == "int8":
        shutil.copytree(SHIPPED / "line-cnn", tmp_path / "int8")
        data = json.loads((tmp_path / "int8" / "bundle.json").read_text())
        data["settings"]["precision"] = "int8"
        (tmp_path / "int8" / "bundle.json").write_text(json.dumps(data))
        source = tmp_path / "int8"
    refused = call("quantize", source, "--output", tmp_path / "out")
    assert refused.exit_code == 2
    assert reason in refused.stderr
    assert not (tmp_path / "out").exists()


def test_the_source_is_not_replaced(tmp_path):
    source = shutil.copytree(SHIPPED / "line-cnn", tmp_path / "line-cnn")
    refused = call("quantize", source, "--output", source, "--no-measure")
    assert refused.exit_code == 2
    assert "made of" in refused.stderr
    assert (source / "model.onnx").read_bytes() == (SHIPPED / "line-cnn" / "model.onnx").read_bytes()


def test_data_that_are_missing_are_named(bare_data, tmp_path):
    refused = call("quantize", "line-cnn", "--output", tmp_path / "out")
    assert refused.exit_code == 2
    assert "iam-val is not there" in refused.stderr
    assert "--no-measure" in refused.stderr
    refused = call("quantize", "line-cnn", "--output", tmp_path / "out", "--no-measure")
    assert refused.exit_code == 2
    assert "iam-train is not there" in refused.stderr
    assert not (tmp_path / "out").exists()
