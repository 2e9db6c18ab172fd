import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text_recognizer.recognition.confidence import word_confidence
from text_recognizer.recognition.decoding import greedy, softmax
from text_recognizer.recognition.geometry import LineGeometry


def frames(numbers, classes=5, peak=8.0):
    logits = np.zeros((len(numbers), classes), np.float32)
    logits[np.arange(len(numbers)), numbers] = peak
    return softmax(logits)


def test_repeats_merge_and_blanks_separate():
    found = greedy(frames([0, 1, 1, 0, 1, 2, 2, 0]))
    assert [(c.number, c.start, c.end) for c in found] == [(1, 1, 3), (1, 4, 5), (2, 5, 7)]
    assert all(0.9 < c.probability <= 1 for c in found)


def test_nothing_but_blanks_is_nothing():
    assert greedy(frames([0, 0, 0])) == []
    assert greedy(np.zeros((0, 5), np.float32)) == []


@given(st.lists(st.integers(0, 4), max_size=30))
def test_greedy_agrees_with_the_definition(numbers):
    merged = [n for i, n in enumerate(numbers) if n and (i == 0 or numbers[i - 1] != n)]
    assert [c.number for c in greedy(frames(numbers))] == merged


def test_temperature_changes_how_sure_not_what():
    logits = np.array([[1.0, 3.0, 2.0]], np.float32)
    cold, warm = softmax(logits, 0.5), softmax(logits, 3.0)
    assert cold.argmax() == warm.argmax() == 1
    assert cold.max() > warm.max()
    assert cold.sum() == pytest.approx(1)


def test_a_word_is_as_sure_as_its_weakest_letters_allow():
    assert word_confidence([1.0, 1.0]) == pytest.approx(1)
    assert word_confidence([0.99] * 9 + [0.3]) < 0.6
    assert word_confidence([0.99] * 10) > 0.9


@given(st.integers(1, 3000))
def test_a_lines_input_depends_on_its_own_width_alone(width):
    geometry = LineGeometry()
    padded = geometry.padded_width(width)
    assert padded % geometry.bucket == 0
    assert padded >= width + 2 * geometry.margin
    assert geometry.frames(width) * geometry.columns_per_frame <= padded
