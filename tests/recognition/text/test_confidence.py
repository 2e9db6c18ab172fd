"""What the confidence of a word says, and how it is made believable."""

import numpy as np
import pytest

from text_recognizer.alphabet import Alphabet
from text_recognizer.learning.datasets.lines import LineLabel, cached_lines
from text_recognizer.learning.evaluation.calibration import (
    WordOutcomes,
    calibration_error,
    errors_reviewed,
    fit_calibration,
    held_out_confidences,
    reliability_diagram,
    side_by_side,
    word_outcomes,
)
from text_recognizer.recognition.text.beam_search import Candidate
from text_recognizer.recognition.text.confidence import Calibration, character_features, search_features, word_shares
from text_recognizer.recognition.text.ctc import DecodedCharacter
from text_recognizer.recognition.text.lexicon import WordList, pack_words
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer

ALPHABET = Alphabet(" abcdeht")
SPACE = ALPHABET.encode(" ")[0]


def candidates(*texts):
    return [Candidate(ALPHABET.encode(text), share) for text, share in texts]


@pytest.mark.parametrize(
    ("found", "shares"),
    [
        ([("the cat", 0.6), ("the bat", 0.3), ("tea bat", 0.1)], [0.9, 0.6]),
        ([("the cat ate", 0.5), ("thecat ate", 0.5)], [0.5, 0.5, 1.0]),
        ([("a bat", 3.0), ("a b at", 1.0)], [1.0, 0.75]),  # of texts whose shares do not sum to one
        ([("", 1.0), ("a", 0.5)], []),
    ],
)
def test_a_word_has_the_share_of_the_texts_that_have_it(found, shares):
    assert word_shares(candidates(*found), SPACE) == pytest.approx(shares)


def decoded(text, probability=0.9):
    return [DecodedCharacter(number, at, at + 1, probability) for at, number in enumerate(ALPHABET.encode(text))]


def test_the_features_of_a_word():
    words = [decoded("the", 0.99), decoded("cat", 0.5)]
    found = candidates(("the cat", 0.8), ("the bat", 0.2))
    known = WordList(pack_words(["the"]), ALPHABET)
    features = search_features(words, decoded("the bat"), found, known, SPACE)
    assert features.shape == (2, 5)
    assert (features[:, :1] == character_features(words)).all()
    assert features[1, 0] == pytest.approx(0, abs=1e-6)
    assert features[0, 1] > features[1, 1] == pytest.approx(np.log(0.8 / 0.2))
    assert features[1, 2] == pytest.approx(np.log(2))  # the roots of 0.8 and 0.2 are as two to one
    assert features[:, 3].tolist() == [0, 1]
    assert features[:, 4].tolist() == [1, 0]
    assert Calibration()(features)[1] == pytest.approx(0.5)
    assert Calibration([1.0, 0.0, 0.0, -3.0], 0.5)(features)[1] == pytest.approx(1 / (1 + np.exp(2.5)))


def outcomes(count, slope, shift, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(1, 2, (count, 2))
    right = rng.random(count) < 1 / (1 + np.exp(-slope * features[:, 0] - shift))
    return WordOutcomes(features, right, rng.integers(0, 40, count))


def test_confidence_that_says_too_much_is_made_believable():
    words = outcomes(6000, slope=0.5, shift=-0.7)
    assert calibration_error(Calibration()(words.features), words.right) > 0.1
    fitted = fit_calibration(words)
    assert fitted.weights == pytest.approx([0.5, 0.0], abs=0.06)
    assert fitted.shift == pytest.approx(-0.7, abs=0.1)
    held_out = held_out_confidences(words)
    assert calibration_error(held_out, words.right) < 0.03
    assert errors_reviewed(held_out, words.right) > 0.15  # by chance it would be a tenth


def test_errors_and_bins():
    confidences, right = np.repeat([0.0, 1.0], 50), np.repeat([False, True], 50)
    assert calibration_error(confidences, right) == 0
    assert calibration_error(confidences, ~right) == 1
    assert errors_reviewed(np.arange(100) / 100, np.arange(100) >= 5) == 1
    assert errors_reviewed(1 - np.arange(100) / 100, np.arange(100) >= 5) == 0


def test_diagrams_show_where_the_words_are():
    picture = reliability_diagram(np.full(100, 0.9), np.arange(100) < 50, "words")
    pixels = np.asarray(picture).astype(int)
    rows, columns = np.nonzero(pixels[..., 2] - pixels[..., 0] > 80)
    assert columns.mean() > picture.width * 0.7  # sure
    assert rows.mean() == pytest.approx(picture.height / 2, abs=4)  # right half of the time
    assert side_by_side([picture, picture]).size == (2 * picture.width, picture.height)


def test_outcomes_of_the_shipped_recogniser(sample_line, tmp_path):
    from text_recognizer.images import normalize_line, open_image

    line = normalize_line(open_image(sample_line))
    recognizer = LineTextRecognizer("lines", language="language")
    read = " ".join(recognizer.word_texts(recognizer.decode(recognizer.logits([line]))[0]))
    labels = [LineLabel("a", read, "x", "s"), LineLabel("b", f"Something else, {read.split()[-1]}", "y", "s")]
    dataset = cached_lines(tmp_path, "two", [(line, label) for label in labels])
    words = word_outcomes(recognizer, dataset, recognizer.decode(recognizer.logits([line, line])))
    count = len(read.split())
    assert words.right.tolist() == [True] * count + [False] * (count - 1) + [True]
    assert words.hand.tolist() == [0] * count + [1] * count
    assert words.features.shape == (2 * count, 5)
    confidences = recognizer.confidences(recognizer.decode(recognizer.logits([line]))[0])
    assert len(confidences) == count
    assert all(0 < confidence < 1 for confidence in confidences)
