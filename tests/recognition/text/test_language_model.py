"""Language models: what they expect, how they are stored, and what they change in reading."""

import itertools
import json
import shutil

import numpy as np
import pytest

from tests.learning.tasks.test_characters import call
from text_recognizer import TextRecognizer
from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.language_model import bits_a_character, train_language_model, word_list
from text_recognizer.recognition.bundle import SHIPPED, BundleError
from text_recognizer.recognition.text import language_model
from text_recognizer.recognition.text.beam_search import Beam, Candidate, beam_search
from text_recognizer.recognition.text.ctc import greedy, placed
from text_recognizer.recognition.text.language_model import CharacterLanguageModel, load_language_model
from text_recognizer.recognition.text.lexicon import WordList, pack_words
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

ALPHABET = Alphabet(" abcdeht")
TEXT = "the cat ate the bat the head bathed the cab " * 20 + "a bad debt at the beach"


@pytest.mark.parametrize(("order", "gain"), [(2, 0.0), (4, 0.0), (7, 0.0), (7, 2.0)])
def test_probabilities_sum_to_one_also_where_ngrams_were_dropped(order, gain):
    model, _ = train_language_model([TEXT], Alphabet(" abcdehtx"), order, gain)
    for text in ("", " ", "t", "the ", " the ca", "zzz", "xxxxxxxx"):
        probabilities = model.probabilities(model.state(text))
        assert probabilities[0] == 0
        assert probabilities[1:].min() > 0
        assert probabilities.sum() == pytest.approx(1, abs=0.05)  # stored to 4 %


def test_it_expects_what_it_read():
    model, _ = train_language_model([TEXT], ALPHABET, 5)
    after = model.probabilities(model.state(" th"))
    assert ALPHABET.decode([int(after.argmax())]) == "e"
    assert bits_a_character(model, ["the cat ate the bat"]) < 1.5 < bits_a_character(model, ["eht tac eta eht tab"])
    whole, (shorter, fewer) = (
        train_language_model([TEXT], ALPHABET, 5)[1],
        train_language_model([TEXT], ALPHABET, 5, 3.0),
    )
    assert sum(map(len, fewer.values())) < sum(map(len, whole.values()))
    assert bits_a_character(shorter, [TEXT]) < bits_a_character(train_language_model([TEXT], ALPHABET, 2)[0], [TEXT])


@pytest.mark.parametrize(
    ("texts", "order", "message"),
    [(["the"], 9, "from 2 to 8"), (["ab"], 5, "at least 5 characters"), (["thé the the"], 3, "é")],
)
def test_what_it_cannot_learn_from_is_said(texts, order, message):
    with pytest.raises(ValueError, match=message):
        train_language_model(texts, ALPHABET, order)


def likeliest(*asked):
    """The likeliest text of each line."""
    return [candidates[0].numbers for candidates in beam_search(*asked)]


def collapsed(path):
    return tuple(number for number, _ in itertools.groupby(path) if number)


@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_a_wide_beam_finds_the_likeliest_text(weight):
    _, tables = train_language_model([TEXT], ALPHABET, 4)
    classes = Alphabet("a te")  # of the network: other numbers than the model's
    model = CharacterLanguageModel(ALPHABET, tables, weight, 1.0 if weight == 0 else 2.0, classes)
    rng, lines = np.random.default_rng(5), []
    for _ in range(5):
        logits = rng.normal(0, 1.5, (5, 5))
        probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
        scores = {}
        for path in itertools.product(range(5), repeat=5):
            text = collapsed(path)
            scores[text] = scores.get(text, 0.0) + float(np.prod(probabilities[range(5), path]))
        for text in scores:
            state = np.array([model.state(" ")])
            for number in [*text, model.space]:
                scores[text] *= float(model.factors(state, np.array([number]))[0])
                state = model.after(state, np.array([number]))
        best = max(scores, key=scores.get)
        lines.append((probabilities, best))
    everything = Beam(1000, frame=0, character=0, text=0)
    found = likeliest([line for line, _ in lines], model, [" "] * len(lines), everything)
    assert [tuple(text) for text in found] == [best for _, best in lines]


def test_a_line_is_read_alike_alone_and_among_longer_ones():
    model, _ = train_language_model([TEXT], ALPHABET, 4)
    rng = np.random.default_rng(7)
    lines = [rng.dirichlet(np.full(9, 0.2), frames).astype(np.float32) for frames in (7, 0, 30, 1, 12)]
    together = likeliest(lines, model, [" "] * len(lines))
    assert together == [likeliest([line], model, [" "])[0] for line in lines]
    assert together[1] == []
    assert likeliest([], model, []) == []


def written(text, doubtful=()):
    """Probabilities of a line: each character in one frame; doubtful: (place, another character, its probability)."""
    rows = np.full((len(text), 9), 0.001, np.float32)
    for frame, number in enumerate(ALPHABET.encode(text)):
        rows[frame, number] = 0.95
    for frame, other, probability in doubtful:
        rows[frame, ALPHABET.encode(text[frame])], rows[frame, ALPHABET.encode(other)] = 1 - probability, probability
    return rows / rows.sum(1, keepdims=True)


@pytest.mark.parametrize(
    ("line", "place", "other", "probability", "read"),
    [
        ("a beth", 2, "d", 0.3, "a deth"),  # neither of them likely, but one is a word
        ("a beth ", 2, "d", 0.3, "a deth"),
        ("a beth", 2, "d", 0.003, "a beth"),  # preferred, not forced
        ("a beta", 2, "d", 0.3, "a beta"),  # both out of vocabulary
    ],
)
def test_words_are_preferred_and_not_forced(line, place, other, probability, read):
    _, tables = train_language_model(["abcdeht " * 40], ALPHABET, 2)
    plain = CharacterLanguageModel(ALPHABET, tables, 0.0, 1.0)
    model = CharacterLanguageModel(ALPHABET, tables | pack_words(["Deth", "a", "dab", "n0t"]), 0.0, 1.0)
    lines = [written(line, [(place, other, probability)])]
    assert ALPHABET.decode(likeliest(lines, plain, [" "])[0]).strip() == line.strip()
    assert ALPHABET.decode(likeliest(lines, model, [" "])[0]).strip() == read


def test_a_word_that_began_in_the_line_before_is_known():
    _, tables = train_language_model(["abcdeht " * 40], ALPHABET, 2)
    model = CharacterLanguageModel(ALPHABET, tables | pack_words(["bathed", "the"]), 0.0, 1.0)
    lines = [written("had", [(2, "e", 0.1), (1, "e", 0.3), (0, "t", 0.01)])]
    assert ALPHABET.decode(likeliest(lines, model, [" "])[0]) == "had"  # no word is near enough
    lines = [written("hed", [(0, "t", 0.6)])]
    assert ALPHABET.decode(likeliest(lines, model, [" "])[0]) == "ted"
    assert ALPHABET.decode(likeliest(lines, model, ["a bat"])[0]) == "hed"


def test_a_word_list_knows_its_words_and_how_they_begin():
    classes = Alphabet(" abcdehtTéÉ-")
    words = WordList(pack_words(["bat", "bathe", "été"]), classes, unknown=0.1, hyphenated=0.4)

    def spelled(text):
        word, product = np.array([words.begin("")]), 1.0
        for number in classes.encode(text):
            product *= float(words.factors(word, np.array([number]))[0])
            word = words.after(word, np.array([number]))
        return pytest.approx(product)

    assert len(words) == 5  # "b" and "é" as well
    assert spelled("bat bathe ÉTÉ b ") == 1
    assert spelled("bath ") == 0.1  # begins a word and is none
    assert spelled("bath-") == 0.4
    assert spelled("bbbb ") == 0.1  # counts once
    assert spelled("bat---") == 1
    assert spelled("eh the ") == pytest.approx(0.01)
    assert WordList({}, classes).factors(np.array([words.begin("ehe")]), np.array([1])) == 1


def test_a_vocabulary_that_is_not_known_is_named():
    with pytest.raises(ValueError, match=r"no vocabulary of xx; there are: .*en"):
        word_list(["xx"], [])
    assert {"the", "don", "house", "peu", "zeitgeist", "strangeword"} <= word_list(["en", "fr"], ["a Strangeword"])
    assert word_list([], ["a"]) == set()


def test_what_stands_before_a_line_counts():
    model, _ = train_language_model([TEXT], ALPHABET, 5)
    line = np.full((1, 9), 0.001, np.float32)
    line[0, ALPHABET.encode("e")], line[0, ALPHABET.encode("b")] = 0.5, 0.5
    assert ALPHABET.decode(likeliest([line], model, [" th"])[0]) == "e"
    assert ALPHABET.decode(likeliest([line], model, [" ca"])[0]) == "b"


def test_a_page_goes_on_where_its_line_before_ended(monkeypatch):
    reader = LineTextRecognizer("lines", language="language")
    known = {}

    def search(lines, model, before):
        known["before"] = before
        return [[Candidate([], 1.0)] for _ in lines]

    monkeypatch.setattr("text_recognizer.recognition.text.line_recognizer.beam_search", search)
    lines = ["to gov-", "ern - ", "", "-", "and"]
    logits = []
    for line in lines:
        scores = np.full((2 * len(line) + 1, len(reader.alphabet)), -9.0, np.float32)
        scores[::2, 0] = 9
        scores[np.arange(1, 2 * len(line), 2), reader.alphabet.encode(line)] = 9
        logits.append(scores)
    reader.decode(logits)
    assert known["before"] == [" "] * 5
    reader.decode(logits, consecutive=True)
    assert known["before"] == [" ", "to gov", "ern - ", " ", "- "]


def test_it_forgets_what_it_has_no_room_for(monkeypatch):
    model, _ = train_language_model([TEXT], ALPHABET, 5)
    line = np.random.default_rng(7).dirichlet(np.full(9, 0.3), 40).astype(np.float32)
    before = likeliest([line], model, [" "])
    monkeypatch.setattr(language_model, "_REMEMBERED", 3)
    assert likeliest([line], model, [" "]) == before


def test_language_decides_where_the_network_is_in_doubt_and_only_there():
    _, tables = train_language_model([TEXT], ALPHABET, 5)
    model = CharacterLanguageModel(ALPHABET, tables, 0.5, 2.0)

    def read(doubt):
        rows = np.full((5, 9), 0.001, np.float32)
        for frame, number in enumerate(ALPHABET.encode("the c")):
            rows[frame, number] = 0.95
        rows[2, ALPHABET.encode("e")], rows[2, ALPHABET.encode("a")] = 1 - doubt, doubt
        rows /= rows.sum(1, keepdims=True)
        return placed([rows], [likeliest([rows], model, [" "])[0]], [greedy(rows)])[0]

    assert ALPHABET.decode([c.number for c in read(0.998)]) == "tha c"
    found = read(0.6)
    assert ALPHABET.decode([c.number for c in found]) == "the c"
    assert [(c.start, c.end) for c in found] == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    assert found[2].probability == pytest.approx(0.4, abs=0.01)  # what the network thought of it


def test_nothing_is_read_where_there_is_nothing():
    model, _ = train_language_model([TEXT], ALPHABET, 3)
    blank = np.zeros((6, 9), np.float32)
    blank[:, 0] = 1
    assert likeliest([blank, blank[:0]], model, [" ", ""]) == [[], []]


def test_the_command_writes_a_bundle_that_reading_uses(tmp_path, sample_line):
    text = tmp_path / "text.txt"
    text.write_text(TEXT * 20, encoding="utf-8")
    folder = tmp_path / "mine"
    made = call("language-model", text, "--output", folder, "--order", "4", "--no-measure")
    assert made.exit_code == 0, made.stderr
    assert "The weights learned from `text`." in (folder / "README.md").read_text()
    other = call("language-model", text, "--output", tmp_path, "--no-measure")
    assert other.exit_code == 2
    assert "no model bundle" in other.stderr
    alone = TextRecognizer(language=None).read_lines([sample_line])[0]
    assert TextRecognizer(language="none").read_lines([sample_line])[0] == alone
    with_it = TextRecognizer(language=folder)
    assert with_it.read_lines([sample_line], use_language=False)[0] == alone
    assert with_it.line_models()["language"].startswith("mine 1 (")
    assert set(with_it.line_models(use_language=False)) == {"lines"}
    assert LineTextRecognizer("lines", language=folder).language.order == 4
    read = call("read", "--unit", "line", "--language", "none", sample_line)
    assert read.stdout.strip() == alone.text
    assert call("read", "--unit", "line", "--language", folder, sample_line).exit_code == 0
    (folder / "model.npz").write_bytes(b"PK nothing")
    with pytest.raises(BundleError, match=r"model\.npz"):
        load_language_model(folder, ALPHABET)
    bad = call("read", "--language", folder, sample_line)
    assert bad.exit_code == 2
    assert "model.npz" in bad.stderr
    wrong = call("read", "--language", "detector", sample_line)
    assert wrong.exit_code == 2
    assert "language-model" in wrong.stderr


def test_every_text_counts_and_words_that_cannot_be_spelled_are_left_out(tmp_path):
    for year, text in (("2023", TEXT), ("2024", TEXT + " Жук")):
        (tmp_path / year).mkdir()
        (tmp_path / year / "diary.txt").write_text(text, encoding="utf-8")
    texts = [tmp_path / year / "diary.txt" for year in ("2023", "2024")]
    made = call("language-model", *texts, "--output", tmp_path / "mine", "--order", "4", "--no-measure")
    assert made.exit_code == 0, made.stderr
    assert "2024/diary: 1 of 207 words left out" in made.stdout
    learned = json.loads((tmp_path / "mine" / "bundle.json").read_text())["provenance"]["characters"]
    assert learned == {"diary": len(TEXT), "2024/diary": len(TEXT)}
    texts[0].write_bytes("forêt ".encode("latin-1") * 100)
    refused = call("language-model", *texts, "--output", tmp_path / "other", "--no-measure")
    assert refused.exit_code == 2
    assert "2023/diary.txt is no UTF-8 text" in refused.stderr
    assert not (tmp_path / "other").exists()


def test_a_bundle_of_lines_names_its_language_model(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    assert call("language-model", text, "--output", tmp_path / "lm", "--order", "3", "--no-measure").exit_code == 0
    shutil.copytree(SHIPPED / "lines", tmp_path / "lines")
    path = tmp_path / "lines" / "bundle.json"
    data = json.loads(path.read_text())
    data["settings"]["language"] = str(tmp_path / "lm")
    path.write_text(json.dumps(data))
    assert TextRecognizer(tmp_path / "lines").line_reader.language.order == 3
    assert TextRecognizer(tmp_path / "lines", language=None).line_reader.language is None
    assert TextRecognizer().line_reader.language.bundle.name == "language"
    shutil.rmtree(tmp_path / "lm")
    with pytest.raises(BundleError, match=r"lines asks for a language model.*none reads without"):
        TextRecognizer(tmp_path / "lines")
    assert TextRecognizer(tmp_path / "lines", language="none").line_reader.language is None


def test_a_damaged_description_is_named(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    assert call("language-model", text, "--output", tmp_path / "lm", "--order", "3", "--no-measure").exit_code == 0
    path = tmp_path / "lm" / "bundle.json"
    data = json.loads(path.read_text())
    del data["settings"]["weight"]
    path.write_text(json.dumps(data))
    with pytest.raises(BundleError, match="weight"):
        load_language_model(tmp_path / "lm", ALPHABET)
