"""Texts where recognisers are weak, sentences of many languages, and the lines that are set of them."""

import lzma
import random
import re
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from text_recognizer.alphabet import CHARACTERS, WESTERN_CHARACTERS, Alphabet
from text_recognizer.cli.main import app
from text_recognizer.learning.datasets.registry import find
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.synthesis.calendars import CALENDARS
from text_recognizer.learning.synthesis.drawn_glyphs import set_words, settable
from text_recognizer.learning.synthesis.form_lines import FormLines
from text_recognizer.learning.synthesis.languages import SHARES, Sentences
from text_recognizer.learning.synthesis.lines import handwriting_faces
from text_recognizer.learning.synthesis.written_forms import _CHOICES, _FIELDS, WrittenForms, _Draw
from text_recognizer.learning.synthesis.written_patterns import KINDS

LANGUAGES = {"pl": "Zażółć gęślą jaźń. Łódź płynie.", "fr": "Où êtes-vous né ? « Ici », dit-elle."}


@pytest.fixture
def forms(bare_data):
    return WrittenForms(Alphabet())


@pytest.fixture
def languages(bare_data):
    """A data folder with two languages beside the English text."""
    text = bare_data / "text"
    story = (text / "story.txt").read_text(encoding="utf-8")
    text.unlink()  # a link to the tests' own folder
    text.mkdir()
    (text / "story.txt").write_text(story, encoding="utf-8")
    for language, line in LANGUAGES.items():
        (text / language).mkdir()
        (text / language / "a.txt.xz").write_bytes(lzma.compress(f"{line}\n{line}\n".encode()))
    return bare_data


def test_every_character_of_the_alphabet_is_written_often_enough_to_be_learned(forms):
    rng, counts = random.Random(0), Counter()
    for _ in range(20_000):
        counts.update(set(forms.sample(rng)))
    rare = {character: counts[character] for character in CHARACTERS if counts[character] < 10}
    assert not rare


def test_texts_are_normal_short_and_the_same_for_the_same_seed(forms):
    first, second = ([forms.sample(random.Random(seed)) for seed in range(500)] for _ in range(2))
    assert first == second
    assert all(text == text.strip() and 1 <= len(text) <= 90 for text in first)
    assert not Alphabet().missing("".join(first))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_many_texts(forms, kind):
    rng = random.Random(1)
    texts = [forms.of_kind(kind, rng) for _ in range(60)]
    assert len(set(texts)) > 20
    assert "{word}" not in " ".join(texts)


@pytest.mark.parametrize(
    ("kind", "signs"),
    [
        ("amounts", "£$€¥₹₺%‰¢"),
        ("equations", "=+×÷±≈≠≤≥√π∞→²<>"),
        ("brackets", "()[]{}<>"),
        ("code", "@#&*_~|\\^{}"),
        ("lists", "•-–*→✓)"),
        ("quotations", "„“”«»‚‘’‹›\"'¿¡"),
        ("measures", "µ°½²³"),
        ("abbreviations", "§°№º"),
        ("addresses", "@./:~_"),
        ("dates", "/.-†"),
    ],
)
def test_each_kind_has_its_signs(forms, kind, signs):
    rng = random.Random(2)
    seen = set("".join(forms.of_kind(kind, rng) for _ in range(600)))
    assert set(signs) <= seen


def test_the_table_is_whole():
    assert sum(form.weight for form in KINDS.values()) == pytest.approx(1)
    assert set(CALENDARS) == set(SHARES)
    assert all(len(known.months) == 12 and len(known.days) == 7 for known in CALENDARS.values())
    assert not _CHOICES.keys() & _FIELDS.keys()


def test_sums_and_products_are_right(forms):
    draw = _Draw(random.Random(3), forms.sentences)
    operations = {"+": int.__add__, "-": int.__sub__, "÷": int.__floordiv__, ":": int.__floordiv__}
    for number in range(100):
        text = _FIELDS["sum" if number % 2 else "product"](draw)
        one, sign, two, result = re.fullmatch(r"(\d+) ?(.) ?(\d+) ?= ?(\d+)", text).groups()
        operation = operations.get("÷" if sign == "/" else sign, int.__mul__)
        assert operation(int(one), int(two)) == int(result), text


def test_languages_are_opened_when_they_are_drawn(languages):
    sentences = Sentences(Alphabet())
    assert set(sentences.paths) == {"pl", "fr"}
    assert not sentences._opened
    rng = random.Random(0)
    assert sentences.sample(rng, ["pl"])
    assert set(sentences._opened) == {"pl"}
    texts = [sentences.sample(rng) for _ in range(100)]
    assert {"ż", "ê", "«"} <= set("".join(texts))
    assert max(map(len, texts)) <= 90
    words = {sentences.word(rng) for _ in range(50)}
    assert "Łódź" in words
    assert "Ici" in words, "without the quotes around it"


def test_texts_with_other_characters_are_not_drawn(languages):
    sentences, rng = Sentences(Alphabet(WESTERN_CHARACTERS)), random.Random(0)
    assert not any(set("żźłęś") & set(sentences.sample(rng)) for _ in range(100))


def test_a_folder_without_text_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no text"):
        Sentences(Alphabet())
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "brown.txt").write_text("not for everybody")
    with pytest.raises(FileNotFoundError, match="no text"):
        Sentences(Alphabet())


def test_texts_that_cannot_be_drawn_are_an_error_and_no_endless_search(languages):
    (languages / "text" / "pl" / "a.txt.xz").write_bytes(lzma.compress("Привет, как дела сегодня\n".encode()))
    (languages / "text" / "fr" / "a.txt.xz").write_bytes(lzma.compress(b"\n"))
    with pytest.raises(ValueError, match="not in the alphabet, as 'Привет"):
        Sentences(Alphabet()).sample(random.Random(0), ["pl"])
    with pytest.raises(ValueError, match="are empty"):
        Sentences(Alphabet()).sample(random.Random(0), ["fr"])


def test_letters_that_a_font_lacks_are_drawn(bare_data):
    for face in handwriting_faces():
        assert set("ąćęłńśźżčďěňřšťůžğşŁŞİ→←↑↓✓√π∞≈≠≤≥₹₺‰№") <= settable(face)
    face = next(face for face in handwriting_faces() if "č" not in face.characters)
    plain, marked = (set_words(text, face, 60, random.Random(0)) for text in ("c", "č"))
    rows = [np.flatnonzero(mask.max(axis=1) > 100) for mask in (plain, marked)]
    assert rows[1][0] < rows[0][0] - 4, "the mark is above"
    assert rows[1][-1] == pytest.approx(rows[0][-1], abs=2)
    below = np.flatnonzero(set_words("ş", face, 60, random.Random(0)).max(axis=1) > 100)
    assert below[-1] > rows[0][-1] + 4
    inked = [(set_words(text, face, 60, random.Random(0)) > 100).any(axis=0).sum() for text in ("a b", "a → b")]
    assert inked[1] > 1.4 * inked[0]


def test_a_font_is_not_used_for_what_it_can_neither_set_nor_draw(bare_data):
    lines = FormLines("synthetic-signs", 1, printed_share=0.0)
    able = {f"font-{face.path.stem}": characters for face, characters in lines.written}
    printed = {f"font-{face.path.stem}": characters for face, characters in lines.printed}
    for number in range(80):
        picture, label = lines[number]
        assert set(label.text) - {" "} <= able.get(label.writer, printed.get(label.writer))
        assert picture.dtype == np.uint8


@pytest.mark.parametrize("name", ["synthetic-signs", "synthetic-languages"])
def test_datasets_of_forms_are_deterministic_by_seed(languages, monkeypatch, tmp_path, name):
    one = line_dataset(LineSource(name, count=6, seed=4))
    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path / "again"))
    two, other = (line_dataset(LineSource(name, count=6, seed=seed)) for seed in (4, 5))
    assert [label.text for label in one.labels] == [label.text for label in two.labels]
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(one, two, strict=True))
    assert [label.text for label in one.labels] != [label.text for label in other.labels]
    assert find(name)[0].names() == [name]


def test_the_command_prints_examples_of_each_kind(bare_data):
    result = CliRunner().invoke(app, ["data", "texts", "--count", "3"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert sum(not line.startswith(" ") for line in lines) == len(KINDS)
    assert len(lines) == 4 * len(KINDS)
    refused = CliRunner().invoke(app, ["data", "texts", "nonsense"])
    assert refused.exit_code == 2
    assert "unknown kind 'nonsense'; there are: dates" in refused.stderr
