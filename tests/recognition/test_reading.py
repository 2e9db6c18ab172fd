"""The shipped models on real images, as a user meets them."""

import itertools
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from rapidfuzz.distance import Levenshtein

from tests.conftest import ROOT, SAMPLES, sample_text
from text_recognizer import ImageError, Page, TextRecognizer
from text_recognizer.images import open_image
from text_recognizer.recognition.bundle import SHIPPED, BundleError, find_bundle

PROGRAM = Path(sys.executable).parent / "text-recognizer"


def program(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)


def error_rate(text: str, name: str) -> float:
    return Levenshtein.distance(" ".join(text.split()), sample_text(name)) / len(sample_text(name))


# The bounds say "a person agrees with it", not how accurate the models are: benchmarks/reading/accuracy.py measures
# that.
@pytest.mark.parametrize(("name", "bound"), [("letter", 0.1), ("notes-photograph", 0.15)])
def test_english_samples_read(recognizer, name, bound):
    page = recognizer.read(SAMPLES / f"{name}.jpg")
    assert error_rate(page.text, name) < bound, page.text


@pytest.mark.parametrize("name", ["copiste-1", "copiste-2"])
def test_real_french_pages_read_below_the_printed_notice(recognizer, name):
    page = recognizer.read(SAMPLES / f"{name}.jpg")
    handwritten = [line.text for line in page.lines if not 60 < np.mean(line.polygon, axis=0)[1] < 140]
    assert error_rate(" ".join(handwritten), name) < 0.3, page.text
    assert any(letter in page.text for letter in "éèàç")


def test_words_lie_on_their_ink_and_inside_the_page(recognizer):
    page = recognizer.read(SAMPLES / "letter.jpg")
    gray = np.array(Image.open(SAMPLES / "letter.jpg").convert("L"))
    assert (page.width, page.height) == gray.shape[::-1]
    for line in page.lines:
        assert " ".join(word.text for word in line.words) == line.text
        assert 0 <= line.confidence <= 1
        lefts = [min(x for x, _ in word.polygon) for word in line.words]
        assert lefts == sorted(lefts)
        for word in line.words:
            assert len(word.character_confidences) == len(word.text)
            (left, top), (right, bottom) = np.min(word.polygon, axis=0), np.max(word.polygon, axis=0)
            ink = gray[max(0, int(top)) : int(bottom) + 1, max(0, int(left)) : int(right) + 1]
            assert ink.min() < 120, word


def test_the_ends_of_a_long_word_are_where_it_is(recognizer):
    """The word boxes of a line part it: they hardly overlap and the widest gap is between words."""
    for line in recognizer.read(SAMPLES / "letter.jpg").lines:
        boxes = [(min(x for x, _ in w.polygon), max(x for x, _ in w.polygon)) for w in line.words]
        for (_, right), (left, _) in itertools.pairwise(boxes):
            assert right - left < 12


@pytest.mark.parametrize("kind", ["white", "black", "gray", "tiny", "thin", "noise"])
def test_a_blank_page_has_no_lines(recognizer, kind):
    pages = {
        "white": np.full((900, 700), 255, np.uint8),
        "black": np.zeros((900, 700), np.uint8),
        "gray": np.full((900, 700, 3), 140, np.uint8),
        "tiny": np.zeros((8, 8), np.uint8),
        "thin": np.full((8, 30_000), 255, np.uint8),
        "noise": np.random.default_rng(0).normal(230, 4, (900, 700)).clip(0, 255).astype(np.uint8),
    }
    assert recognizer.read(pages[kind]).lines == ()


def test_a_crop_of_one_line_is_one_line(recognizer):
    page = recognizer.read(SAMPLES / "letter.jpg")
    image = np.array(Image.open(SAMPLES / "letter.jpg").convert("L"))
    for line in page.lines[2:6]:
        (left, top), (right, bottom) = np.min(line.polygon, axis=0), np.max(line.polygon, axis=0)
        crop = image[int(top) - 4 : int(bottom) + 4, int(left) - 10 : int(right) + 10]
        found = recognizer.read(crop)
        assert len(found.lines) == 1, found.text
        assert Levenshtein.normalized_distance(found.text, line.text) < 0.15
        assert Levenshtein.normalized_distance(recognizer.read_lines([crop])[0].text, line.text) < 0.15


@pytest.mark.parametrize("scale", [1, 2, 3, 5])
def test_a_crop_of_two_words_is_one_line_at_any_size(recognizer, letter, scale):
    line = recognizer.read(letter).lines[0]
    (left, top), (right, bottom) = np.min(line.polygon, axis=0), np.max(line.polygon, axis=0)
    crop = letter[int(top) - 6 : int(bottom) + 6, max(0, int(left) - 10) : int(left + (right - left) * 0.42)]
    large = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    assert len(recognizer.read(large).lines) == 1


def test_a_page_of_40000_pixels_width_is_read(recognizer, letter):
    wide = np.pad(letter[:400], ((0, 0), (0, 40_000 - letter.shape[1])), constant_values=243)
    recognizer.read(wide)


@pytest.mark.parametrize("angle", [-10, -5, 5, 10])
def test_skew_up_to_ten_degrees(recognizer, angle, letter):
    height, width = letter.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 0.85)
    turned = cv2.warpAffine(letter, matrix, (width, height), borderValue=243)
    assert error_rate(recognizer.read(turned).text, "letter") < 0.15


@pytest.mark.parametrize("scale", [0.6, 2.0])
def test_resolution(recognizer, scale, letter):
    page = recognizer.read(
        cv2.resize(letter, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    )
    assert error_rate(page.text, "letter") < 0.15


def test_light_on_dark(recognizer, letter):
    assert error_rate(recognizer.read(255 - letter).text, "letter") < 0.15


def test_two_columns_are_read_one_after_the_other(recognizer, letter):
    half = letter[: letter.shape[0] // 2, : int(letter.shape[1] * 0.97)]
    other = letter[letter.shape[0] // 2 :, : half.shape[1]]
    side_by_side = np.hstack([half[: len(other)], other[: len(half)]])
    text = recognizer.read(side_by_side).text
    assert error_rate(text, "letter") < 0.2, text


def test_lines_read_the_same_in_any_batch(recognizer, letter):
    page = recognizer.read(letter)
    crops = [letter[int(np.min(line.polygon, axis=0)[1]) : int(np.max(line.polygon, axis=0)[1])] for line in page.lines]
    together = [line.text for line in recognizer.read_lines(crops)]
    alone = [recognizer.read_lines([crop])[0].text for crop in crops]
    assert together == alone


def test_the_program_prints_text_and_json():
    result = program("read", SAMPLES / "letter.jpg")
    assert result.returncode == 0, result.stderr
    assert "Watson" in result.stdout
    as_json = program("read", "--format", "json", SAMPLES / "letter.jpg")
    assert Page.from_dict(json.loads(as_json.stdout)).text.strip() == result.stdout.strip()
    several = program("read", "--format", "json", SAMPLES / "letter.jpg", "missing.png", SAMPLES / "copiste-1.jpg")
    assert several.returncode == 2
    assert [Page.from_dict(page).source for page in json.loads(several.stdout)] == [
        str(SAMPLES / "letter.jpg"),
        str(SAMPLES / "copiste-1.jpg"),
    ]


def test_the_program_writes_a_file_an_image(tmp_path):
    result = program("read", SAMPLES / "letter.jpg", SAMPLES / "notes-photograph.jpg", "--output", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "out").glob("*.txt")) == ["letter.txt", "notes-photograph.txt"]


def test_two_images_of_one_name_do_not_replace_each_other(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (300, 200), 255).save(tmp_path / name / "page.png")
    result = program("read", "a/page.png", "b/page.png", "--output", "out", cwd=tmp_path)
    assert result.returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.txt")) == ["page-2.txt", "page.txt"]


def test_a_blank_page_is_no_error_and_a_bomb_is_one(tmp_path):
    Image.new("L", (300, 200), 255).save(tmp_path / "blank.png")
    assert program("read", tmp_path / "blank.png").returncode == 0
    Image.new("1", (30_000, 30_000), 1).save(tmp_path / "bomb.png")
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    for name, reason in (("bomb.png", "more than the limit"), ("dot.png", "too small")):
        result = program("read", tmp_path / name)
        assert result.returncode == 2
        assert reason in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_bad_files_are_named_and_the_others_are_read(tmp_path):
    good = tmp_path / "good.jpg"
    shutil.copy(SAMPLES / "letter.jpg", good)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:40_000])
    (tmp_path / "none").mkdir()
    names = ["missing.png", "empty.png", "text.png", "cut.jpg", "good.jpg", "none/*.png"]
    result = program("read", *names, cwd=tmp_path)
    assert result.returncode == 2
    assert "Watson" in result.stdout
    complaints = result.stderr.strip().splitlines()
    assert len(complaints) == 5, result.stderr
    for name, line in zip([name for name in names if name != "good.jpg"], complaints, strict=True):
        assert name in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(tmp_path):
    path = tmp_path / "secret.png"
    shutil.copy(SAMPLES / "letter.jpg", path)
    path.chmod(stat.S_IWUSR)
    result = program("read", path)
    assert result.returncode == 2
    assert "permission denied" in result.stderr


def test_a_refusal_of_the_system_is_named(monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ImageError, match=r"letter\.jpg may not be read: permission denied"):
        open_image(SAMPLES / "letter.jpg")


def test_reading_loads_no_torch():
    code = (
        "import sys; from text_recognizer import TextRecognizer; from text_recognizer.cli import main; "
        f"TextRecognizer().read({str(SAMPLES / 'letter.jpg')!r}); "
        "assert not {'torch', 'lightning', 'scipy', 'onnx'} & set(sys.modules), sorted(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr


def test_importing_loads_nothing_heavy():
    code = "import sys, text_recognizer; assert not {'cv2', 'onnxruntime', 'numpy', 'torch'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("name", ["lines", "detector"])
def test_shipped_bundles_are_whole(name):
    folder = SHIPPED / name
    description = json.loads((folder / "bundle.json").read_text())
    assert description["scores"]
    assert (folder / "model.onnx").stat().st_size < 16_000_000
    card = (folder / "README.md").read_text()
    assert "non-commercial" in card
    assert "CER %" in card or "F1 %" in card


def test_the_open_bundle_reads_with_what_is_openly_licensed():
    recognizer = TextRecognizer(lines="open")
    assert set(recognizer.line_bundles()) == {"lines", "language"}
    for bundle in recognizer.line_bundles().values():
        assert "non-commercial" not in (bundle.folder / "README.md").read_text()
        assert bundle.name in ("open", "open-language")
    page = recognizer.read(SAMPLES / "letter.jpg")
    assert error_rate(page.text, "letter") < 0.35, page.text


def test_bad_bundles_are_refused(tmp_path):
    copy = tmp_path / "lines"
    shutil.copytree(find_bundle("lines"), copy)
    assert TextRecognizer(lines=copy).line_reader.bundle.name == "lines"
    description = json.loads((copy / "bundle.json").read_text())
    for change, message in [
        ({"format_version": 99}, "update it"),
        ({"task": "detector"}, "is a bundle for 'detector'"),
        ({"normalization": 0}, "export the model again"),
        ({"nonsense": 1}, "damaged"),
    ]:
        (copy / "bundle.json").write_text(json.dumps(description | change))
        with pytest.raises(BundleError, match=message):
            TextRecognizer(lines=copy)
    (copy / "bundle.json").write_text(json.dumps(description))
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="is not the file"):
        TextRecognizer(lines=copy)
    with pytest.raises(BundleError, match="no model bundle"):
        TextRecognizer(lines=tmp_path / "nothing")
    for option in ("--model", "--detector"):
        result = program("read", option, tmp_path / "nothing", SAMPLES / "letter.jpg")
        assert result.returncode == 2
        assert len(result.stderr.strip().splitlines()) == 1
