"""Numbers stay numbers: no image makes a network give anything else, and weights that are none are noticed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

from text_recognizer.cli.main import app
from text_recognizer.recognition.bundle import SHIPPED, BundleError
from text_recognizer.recognition.layout.detector import LineDetector
from text_recognizer.recognition.text.character_recognizer import CharacterRecognizer
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer
from text_recognizer.service.reading.models import LoadedModels

RNG = np.random.default_rng(0)
EXTREME = {
    "white": np.full((64, 300), 255, np.uint8),
    "black": np.zeros((64, 300), np.uint8),
    "noise": RNG.integers(0, 256, (64, 300)).astype(np.uint8),
    "chequered": np.indices((64, 300)).sum(0).astype(np.uint8) % 2 * 255,
    "one dot": np.pad(np.zeros((1, 1), np.uint8), 30, constant_values=255),
    "small": RNG.integers(0, 256, (8, 8)).astype(np.uint8),
    "very long": np.tile(RNG.integers(0, 256, (40, 100)).astype(np.uint8), (1, 40)),
    "nearly one level": RNG.integers(127, 129, (64, 300)).astype(np.uint8),
}


@pytest.mark.parametrize("bundle", ["lines", "open"])
def test_scores_and_confidences_of_lines_are_numbers(bundle):
    reader = LineTextRecognizer(bundle, threads=1)
    run, seen = reader.session.run, []
    reader.session.run = lambda batch: seen.append(run(batch)) or seen[-1]
    for name, line in zip(EXTREME, reader.read(list(EXTREME.values())), strict=True):
        assert 0 <= line.confidence <= 1, name
        assert all(0 <= word.confidence <= 1 for word in line.words), name
    assert seen
    assert all(np.isfinite(logits).all() for logits in seen)


def test_places_of_lines_and_confidences_of_characters_are_numbers():
    detector, characters = LineDetector(threads=1), CharacterRecognizer("characters", 1)
    for name, image in EXTREME.items():
        for line in detector.detect(image):
            assert np.isfinite(line.polygon).all(), name
    assert all(0 <= read.confidence <= 1 for read in characters.read(list(EXTREME.values())))


@pytest.mark.parametrize("bundle", ["lines", "detector", "characters", "open", "open-detector", "paragraphs"])
def test_weights_of_shipped_bundles_are_numbers(bundle):
    for file in (SHIPPED / bundle).glob("*.onnx"):
        arrays = [numpy_helper.to_array(weights) for weights in onnx.load(file).graph.initializer]
        assert arrays
        assert all(np.isfinite(array).all() for array in arrays if array.dtype.kind == "f"), file


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory) -> Path:
    """A shipped recogniser, one of whose weights is no number; its hash is right."""
    folder = tmp_path_factory.mktemp("spoilt") / "bundle"
    shutil.copytree(SHIPPED / "line-windows", folder)
    model = onnx.load(folder / "model.onnx")
    last = [weights for weights in model.graph.initializer if numpy_helper.to_array(weights).dtype.kind == "f"][-1]
    array = numpy_helper.to_array(last).copy()
    array.flat[0] = np.nan
    last.CopyFrom(numpy_helper.from_array(array, last.name))
    onnx.save(model, folder / "model.onnx")
    described = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    described["sha256"] = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


NO_NUMBERS = "gives scores that are no numbers"


def test_weights_that_are_no_numbers_read_nothing_and_are_not_promoted(spoilt, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_REGISTRY", str(tmp_path / "models"))
    with pytest.raises(BundleError, match=NO_NUMBERS):
        LineTextRecognizer(spoilt, threads=1).read([EXTREME["noise"]])
    forced = ["--suite", "basic", "--force", "--reason", "a test"]
    done = CliRunner().invoke(app, ["promote", str(spoilt), *forced])
    assert (done.exit_code, NO_NUMBERS in done.output) == (2, True), done.output
    assert not (tmp_path / "models").exists()


def test_weights_that_are_no_numbers_never_come_to_serve(spoilt):
    models = LoadedModels(spoilt, threads=1, language="none")
    with pytest.raises(BundleError, match=NO_NUMBERS):
        models.try_out()
    models.close()
