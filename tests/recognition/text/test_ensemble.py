"""Several line networks that read together, as a bundle like any other."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import SAMPLES
from text_recognizer import TextRecognizer
from text_recognizer.cli.main import app
from text_recognizer.images import NORMALIZATION_VERSION
from text_recognizer.learning.export.ensemble import write_ensemble
from text_recognizer.recognition.bundle import SHIPPED, BundleError, load_bundle
from text_recognizer.recognition.text.ensemble import ensemble_settings, laid_onto
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The shipped recogniser with itself."""
    folder = tmp_path_factory.mktemp("ensemble")
    return write_ensemble(["lines", "lines"], folder / "pair", measure=False)


def lines_of_letter(recognizer):
    image = np.array(Image.open(SAMPLES / "letter.jpg").convert("L"))
    page = recognizer.read(image)
    boxes = [np.array(line.polygon) for line in page.lines[:6]]
    return [image[int(b[:, 1].min()) : int(b[:, 1].max()), int(b[:, 0].min()) : int(b[:, 0].max())] for b in boxes]


def test_a_network_with_itself_reads_as_it_does_alone(pair, recognizer):
    crops = lines_of_letter(recognizer)
    together = TextRecognizer(lines=pair).read_lines(crops)
    alone = recognizer.read_lines(crops)
    assert [line.text for line in together] == [line.text for line in alone]
    for line, other in zip(together, alone, strict=True):  # of characters: words are calibrated where one is measured
        for word, same in zip(line.words, other.words, strict=True):
            assert word.character_confidences == pytest.approx(same.character_confidences, abs=1e-3)


def test_an_ensemble_reads_a_line_the_same_in_any_batch(pair, recognizer):
    reader = LineTextRecognizer(pair)
    crops = lines_of_letter(recognizer)
    one_by_one = [reader.read([crop])[0].text for crop in crops]
    assert [line.text for line in reader.read(crops)] == one_by_one


def test_the_command_writes_it_with_a_card(tmp_path):
    arguments = ["ensemble", "lines", "lines", "--weight", "2", "--weight", "1", "--no-measure"]
    answer = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "both")])
    assert answer.exit_code == 0, answer.output
    described = json.loads((tmp_path / "both" / "bundle.json").read_text(encoding="utf-8"))
    assert described["settings"]["weights"] == [2.0, 1.0]
    card = (tmp_path / "both" / "README.md").read_text(encoding="utf-8")
    assert "several networks" in card
    assert "non-commercial" in card


@pytest.mark.parametrize(
    ("bundles", "weights"), [(["lines"], []), (["lines", "lines"], [1.0]), (["lines"] * 2, [1, 0])]
)
def test_what_is_no_ensemble_is_refused(tmp_path, bundles, weights):
    with pytest.raises(ValueError, match=r"ensemble|weights"):
        write_ensemble(bundles, tmp_path / "none", weights, measure=False)
    assert not (tmp_path / "none").exists()


def test_data_to_measure_with_are_looked_for_before_the_work(bare_data, tmp_path):
    refused = CliRunner().invoke(app, ["ensemble", "lines", "lines", "--output", str(tmp_path / "both")])
    assert refused.exit_code == 2
    assert "iam-val is not there" in refused.stderr
    assert "--no-measure" in refused.stderr
    assert not (tmp_path / "both").exists()


def test_pages_are_read_with_the_detector_and_the_language_of_the_members():
    members = [load_bundle("open", "lines", NORMALIZATION_VERSION)] * 2
    settings = ensemble_settings(members, ["one", "two"], [1.0, 1.0])
    assert (settings["detector"], settings["language"]) == ("open-detector", "open-language")


def test_members_must_fit_together(tmp_path):
    other = tmp_path / "other"
    shutil.copytree(SHIPPED / "lines", other)
    described = json.loads((other / "bundle.json").read_text(encoding="utf-8"))
    described["settings"]["alphabet"] = described["settings"]["alphabet"].replace("q", "ŵ")
    (other / "bundle.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(BundleError, match=r"another alphabet.*qŵ"):
        write_ensemble(["lines", other], tmp_path / "both", measure=False)


def test_a_damaged_member_is_named(pair, tmp_path):
    copy = tmp_path / "damaged"
    shutil.copytree(pair, copy)
    (copy / "member-2-lines" / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="member-2-lines"):
        LineTextRecognizer(copy)


def peaks(frames, *characters):
    """Posteriors (1, T, 6): blank all along, but for peaks of 0.9 at (frame, class)."""
    posteriors = np.full((1, frames, 6), 0.002, np.float32)
    posteriors[..., 0] = 0.99
    for frame, number in characters:
        posteriors[0, frame] = 0.02
        posteriors[0, frame, number] = 0.9
    return posteriors


def test_peaks_that_stand_elsewhere_are_laid_onto_each_other():
    first = peaks(60, (5, 1), (12, 2), (20, 3), (40, 4))
    other = peaks(60, (7, 1), (9, 2), (23, 3), (36, 4))
    assert laid_onto(first, other)[0].argmax(-1)[[5, 12, 20, 40]].tolist() == [1, 2, 3, 4]


def test_double_letters_stay_double():
    first = peaks(40, (10, 1), (14, 1), (30, 2))
    other = peaks(40, (12, 1), (17, 1), (28, 2))
    laid = laid_onto(first, other)[0].argmax(-1)
    assert [number for k, number in enumerate(laid) if number and (k == 0 or laid[k - 1] != number)] == [1, 1, 2]
