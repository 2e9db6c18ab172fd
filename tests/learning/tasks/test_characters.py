"""Single characters: cut out of lines, set in fonts, from EMNIST; a network that learns and reads them."""

import itertools
import json
import random
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from typer.testing import CliRunner

from tests.conftest import DATA
from tests.helpers.programs import program
from text_recognizer import TextRecognizer
from text_recognizer.alphabet import Alphabet
from text_recognizer.cli.main import app
from text_recognizer.images import fit_character, normalize_character
from text_recognizer.learning.alignment.forced_alignment import align, clear, cut_characters
from text_recognizer.learning.datasets import emnist
from text_recognizer.learning.evaluation.characters import accuracies, confusion, confusion_picture, worst_confusions
from text_recognizer.learning.synthesis.characters import CLASSES, CharacterSource, character_dataset
from text_recognizer.learning.synthesis.glyphs import drawable, glyphs
from text_recognizer.learning.synthesis.lines import handwriting_faces, render_words
from text_recognizer.learning.tasks.characters import BalancedOrder
from text_recognizer.recognition.bundle import SHIPPED, BundleError
from text_recognizer.recognition.text.character_recognizer import CharacterRecognizer
from text_recognizer.recognition.text.ctc import viterbi

TINY = [
    "--network.fields={channels: [4, 6], hidden: [16]}",
    "--data.train=[{name: fonts, variants: 1, characters: 64}, {name: iam-train}, "
    "{name: emnist-digits, optional: true}]",
    "--data.batch=32",
    "--data.workers=0",
    "--trainer.tracker=none",
]


@pytest.fixture
def fonts(tmp_path, monkeypatch):
    """A data folder that holds fonts only."""
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fonts").symlink_to(DATA / "fonts")


def drawn(text: str) -> np.ndarray:
    """A line of print-like handwriting, dark on light."""
    mask = render_words(text, DATA / "fonts" / "patrick-hand.ttf", 60, random.Random(0), steady=True)
    return 255 - np.pad(mask, 12)


def best_path(scores: np.ndarray, labels: list[int]) -> float:
    """The best CTC path by trying all of them."""
    best = -np.inf
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        if [k for k, _ in itertools.groupby(path) if k] == labels:
            best = max(best, float(sum(scores[t, k] for t, k in enumerate(path))))
    return best


@pytest.mark.parametrize("labels", [[1], [1, 2], [1, 1], [2, 1, 2], [1, 2, 2]])
def test_viterbi_finds_the_best_path_of_all(labels):
    scores = np.log(np.random.default_rng(len(labels)).dirichlet([0.5] * 3, 6)).astype(np.float32)
    spans = viterbi(scores, labels)
    path = np.zeros(6, int)
    for (start, end), label in zip(spans, labels, strict=True):
        assert end > start
        path[start:end] = label
    assert scores[np.arange(6), path].sum() == pytest.approx(best_path(scores, labels), abs=1e-4)


def test_a_long_text_is_aligned_and_one_without_room_is_refused():
    alphabet = Alphabet("ab ")
    logits = np.full((300, len(alphabet)), -5, np.float32)
    logits[:, alphabet.blank] = 0
    text = "ab" * 60
    for frame, number in enumerate(alphabet.encode(f" {text} ")):
        logits[2 * frame, number] = 5
    aligned = align(logits, text, alphabet)
    assert [character.start for character in aligned] == list(range(0, 2 * len(aligned), 2))
    assert align(logits, "", alphabet) == []
    with pytest.raises(ValueError, match="frames"):
        align(logits[:50], text, alphabet)
    with pytest.raises(ValueError, match="outside the alphabet"):
        align(logits, "abc", alphabet)


def test_characters_are_cut_where_they_stand(recognizer):
    text = "Some hands write"
    line = drawn(text)
    cut = cut_characters(line, text, recognizer.line_reader)
    assert "".join(character.character for character in cut) == text.replace(" ", "")
    lefts = [character.box[0] for character in cut]
    assert lefts == sorted(lefts)
    dark = np.flatnonzero((line < 128).any(axis=0))
    assert abs(cut[0].box[0] - dark[0]) < 4
    assert abs(cut[-1].box[2] - dark[-1]) < 4
    assert len(clear(cut)) >= 10
    assert clear([]) == []


def test_a_blank_line_has_no_characters_to_cut(recognizer):
    assert cut_characters(np.full((50, 600), 255, np.uint8), "word", recognizer.line_reader) == []


def test_light_or_dark_large_or_small_a_character_looks_the_same():
    dark = drawn("B")
    expected = normalize_character(dark).astype(float)
    assert expected.max() > 200
    rows, columns = np.flatnonzero(expected.max(axis=1) > 64), np.flatnonzero(expected.max(axis=0) > 64)
    assert max(np.ptp(rows), np.ptp(columns)) in (22, 23)
    ink = np.flatnonzero((dark < 128).any(axis=1)), np.flatnonzero((dark < 128).any(axis=0))
    tight = dark[ink[0][0] : ink[0][-1] + 1, ink[1][0] : ink[1][-1] + 1]
    for other in (255 - dark, dark.repeat(3, 0).repeat(3, 1), 120 + dark // 2, np.dstack([dark] * 3), tight):
        assert np.abs(normalize_character(other.astype(np.uint8)) - expected).mean() < 12
    assert np.abs(fit_character(255 - dark) - expected).mean() < 12


def test_nothing_gives_an_empty_character():
    for blank in (np.full((40, 40), 200, np.uint8), np.zeros((2, 2), np.uint8)):
        assert not normalize_character(blank).any()
    assert not fit_character(np.zeros((5, 9), np.uint8)).any()


def test_fonts_draw_every_class_the_same_for_the_same_seed(fonts):
    one, two = list(glyphs("aB7", 2, seed=1)), list(glyphs("aB7", 2, seed=1))
    assert len(one) == 3 * 2 * len(handwriting_faces())
    assert all(np.array_equal(a[0], b[0]) and a[1:] == b[1:] for a, b in zip(one, two, strict=True))
    assert all(drawable(face, CLASSES) == CLASSES for face in handwriting_faces())


def test_characters_of_lines_keep_to_their_split(tiny_data):
    train, val = (character_dataset(CharacterSource(name)) for name in ("iam-train", "iam-val"))
    assert len(train) > 20
    image, number = train[3]
    assert (image.shape, image.dtype, CLASSES[number]) == ((28, 28), np.uint8, train.text[3])
    assert np.array_equal(character_dataset(CharacterSource("iam-train")).pixels, train.pixels)
    assert len(val) < len(train)
    with pytest.raises(ValueError, match="nonsense"):
        character_dataset(CharacterSource("nonsense-train"))


def mat_file(path, count: int = 40) -> np.ndarray:
    """A file as EMNIST gives it out; picture i shows a bar on row i % 20."""
    images = np.zeros((count, 28, 28), np.uint8)
    for number in range(count):
        images[number, number % 20, 4:20] = 255
    labels = np.array([0] * (count - 6) + [10, 10, 36, 36, 61, 61], np.uint8)[:, None]
    part = {
        "images": images.transpose(0, 2, 1).reshape(count, 784),
        "labels": labels,
        "writers": np.arange(count, dtype=np.uint16)[:, None] // 4,
    }
    mapping = np.array([[number, ord(character)] for number, character in enumerate(CLASSES)], np.uint8)
    savemat(path, {"dataset": {"train": part, "test": part, "mapping": mapping}})
    return images


def test_emnist_is_read_upright_with_characters_and_writers(tmp_path):
    path = tmp_path / "emnist-byclass.mat"
    images = mat_file(path)
    part = emnist.parse(path, "train")
    assert np.array_equal(part.images, images)
    assert part.text == "0" * 34 + "AAaazz"
    assert part.writers[5] == "emnist-1"
    found = emnist.essentials(path)
    assert found["characters"] == ["0", "A", "a", "z"]
    assert found["images"] == {"train": 40, "test": 40}
    assert json.loads((tmp_path / "emnist-byclass-essentials.json").read_text()) == found
    balanced = emnist.balanced(part)
    assert sorted(balanced.text) == sorted("0" * 10 + "AAaazz")
    assert emnist.balanced(part).text == balanced.text


def test_emnist_is_downloaded_unpacked_and_named_where_it_is_broken(fonts, tmp_path, monkeypatch):
    mat_file(tmp_path / "inner.mat")
    archive = tmp_path / "matlab.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(tmp_path / "inner.mat", "matlab/emnist-byclass.mat")
    asked = []
    monkeypatch.setattr(emnist, "download", lambda *arguments: asked.append(arguments) or archive)
    dataset = character_dataset(CharacterSource("emnist-test"))
    assert set(dataset.text) == set("0Aaz")
    assert asked[0][0].startswith("https://")
    assert len(asked[0][2]) == 64
    with pytest.raises(ValueError, match="not the EMNIST archive"):
        emnist.unpack(tmp_path / "inner.mat", "matlab/emnist-byclass.mat", tmp_path / "out")
    savemat(tmp_path / "other.mat", {"something": 1})
    with pytest.raises(ValueError, match="not laid out like"):
        emnist.parse(tmp_path / "other.mat", "train")


class Part:
    labels = np.array([3] * 90 + [7] * 10)

    def __len__(self) -> int:
        return len(self.labels)


@pytest.mark.parametrize(("balance", "low", "high"), [(0, 0.85, 0.95), (0.5, 0.7, 0.8), (1, 0.45, 0.55)])
def test_rare_classes_are_drawn_more_often(balance, low, high):
    order = BalancedOrder([Part(), Part()], [2000, 10], balance)
    drawn = np.array(list(order))
    assert len(order) == len(drawn) == 2010
    assert (drawn >= 100).sum() == 10
    assert low < (drawn[drawn < 100] < 90).mean() < high
    assert list(order) == drawn.tolist()
    order.start_at(1)
    assert list(order) != drawn.tolist()


def test_accuracies_and_confusions():
    numbers = {character: CLASSES.index(character) for character in "aAb"}
    true = np.array([numbers["a"]] * 8 + [numbers["b"]] * 2)
    answers = np.array([numbers["a"]] * 7 + [numbers["A"]] + [numbers["b"], numbers["a"]])
    counts = confusion(true, answers)
    assert accuracies(counts) == pytest.approx({"accuracy": 0.8, "class mean": 0.6875, "ignoring case": 0.9})
    assert worst_confusions(counts) == [("a", "A", 1), ("b", "a", 1)]
    assert confusion_picture(counts).size[0] > 62


def call(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_characters_train_export_evaluate_and_read(tiny_data, tmp_path):
    trained = program("train", "experiments/characters.yaml", "--name=tiny", "--trainer.epochs=1", *TINY)
    assert trained.returncode == 0, trained.stderr
    bundle = tmp_path / "bundle"
    exported = program("export", "tiny", "--output", bundle)
    assert exported.returncode == 0, exported.stderr
    description = json.loads((bundle / "bundle.json").read_text())
    assert description["task"] == "characters"
    assert description["settings"]["alphabet"] == CLASSES
    assert any("characters cut from iam-val" in name for name in description["scores"])
    assert [source["name"] for source in description["provenance"]["experiment"]["data"]["train"]] == [
        "fonts",
        "iam-train",
    ]
    card = (bundle / "README.md").read_text()
    assert "handwriting fonts" in card
    assert "non-commercial" in card
    evaluated = call("evaluate", "--model", bundle, "--confusion", tmp_path / "confusion.png")
    assert evaluated.exit_code == 0, evaluated.output
    assert Image.open(tmp_path / "confusion.png").size[0] > 62
    Image.fromarray(drawn("B")).save(tmp_path / "b.png")
    read = call("read", "--unit", "character", "--model", bundle, tmp_path / "b.png")
    assert read.exit_code == 0, read.output
    assert read.stdout.strip() in CLASSES
    wrong = call("read", "--unit", "character", "--model", "lines", tmp_path / "b.png")
    assert wrong.exit_code == 2
    assert "not for 'characters'" in wrong.stderr
    blank, letter = CharacterRecognizer(bundle).read([np.full((30, 30), 255, np.uint8), drawn("B")])
    assert (blank.text, blank.confidence) == ("", 1.0)
    assert letter.text == letter.alternatives[0][0] == read.stdout.strip()
    assert CharacterRecognizer(bundle).read([]) == []


@pytest.mark.skipif(not (SHIPPED / "characters").exists(), reason="no character bundle is shipped")
def test_the_shipped_recogniser_reads_clear_characters():
    text = "ABRabdeghnrt23456789"
    lines = TextRecognizer().read_characters([drawn(character) for character in text])
    right = sum(line.text == character for line, character in zip(lines, text, strict=True))
    assert right >= 15
    assert all(0 <= line.confidence <= 1 and line.words for line in lines)


def test_a_bundle_without_settings_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match="not for 'characters'"):
        CharacterRecognizer("lines")
