import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text_recognizer.alphabet import CHARACTERS, WESTERN_CHARACTERS, Alphabet, normalize_text


@pytest.mark.parametrize(
    "text", ["Hello, World! 0123456789", "Où ça ? « Noël »", "Übergröße", "¿Dónde? ¡Mañana!", "“x” ‘y’ – — … £5 €6"]
)
def test_covers_english_french_german_spanish_and_typographic_signs(text):
    alphabet = Alphabet()
    assert alphabet.missing(text) == ""
    assert alphabet.decode(alphabet.encode(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "Zażółć gęślą jaźń",
        "Příliš žluťoučký kůň úpěl ďábelské ódy",
        "Pijamalı hasta yağız şoföre çabucak güvendi, İstanbul'da",
        "À noite, vovô Kowalsky vê o ímã cair no pé do pinguim; põe-te à parte, órfã",
        "Flygande bäckasiner söka hwila på mjuka tuvor",
        "Høj bly gom vandt fræk sexquiz på wc, Århus",
        "een coördinatie, geïnd, één, crème",
        "a ≤ b ≥ c ≈ d ≠ e → π·√2 ‰ ₹5 ₺7 ¥9 ¢3 №1 ✓ ∞ ¬",
    ],
)
def test_covers_the_languages_and_signs_that_were_added_at_the_end(text):
    assert Alphabet().missing(text + text.replace("ı", "").replace("π", "").upper()) == ""


def test_the_ids_of_bundles_before_the_alphabet_grew_stay():
    assert len(WESTERN_CHARACTERS) == 187
    assert len(CHARACTERS) == 252
    assert Alphabet(WESTERN_CHARACTERS).encode("Été, §5 •") == Alphabet().encode("Été, §5 •")


def test_an_alphabet_is_extended_at_its_end():
    assert Alphabet("ab").extended("bdc") == Alphabet("abdc")


@given(st.text(alphabet=CHARACTERS))
def test_decoding_undoes_encoding(text):
    alphabet = Alphabet()
    assert alphabet.decode(alphabet.encode(text)) == text


@given(st.text())
def test_normalized_text_is_nfc_without_runs_of_spaces_and_stays_so(text):
    normal = normalize_text(text)
    assert normal == unicodedata.normalize("NFC", normal)
    assert "  " not in normal
    assert normal == normal.strip()
    assert normalize_text(normal) == normal


def test_accents_are_composed_and_nothing_is_folded():
    assert normalize_text("e\u0301te\u0301  “a”") == "été “a”"


def test_a_character_outside_the_alphabet_is_named():
    with pytest.raises(ValueError, match="漢"):
        Alphabet().encode("a漢")


def test_the_blank_is_no_character():
    alphabet = Alphabet("ab")
    assert len(alphabet) == 3
    assert alphabet.encode("ab") == [1, 2]
    assert alphabet.decode([0, 1, 0, 2]) == "ab"


@pytest.mark.parametrize("characters", ["aa", ["ab"]])
def test_an_ambiguous_alphabet_is_refused(characters):
    with pytest.raises(ValueError, match="alphabet"):
        Alphabet(characters)
