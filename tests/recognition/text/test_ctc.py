import itertools
import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from text_recognizer.recognition.text.confidence import word_confidence
from text_recognizer.recognition.text.ctc import best_paths, greedy, softmax, viterbi
from text_recognizer.recognition.text.ensemble import averaged, tta_view
from text_recognizer.recognition.text.line_geometry import LineGeometry
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer


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


@given(st.integers(1, 3000), st.sampled_from([1.0, 1.08, 0.9]))
def test_a_lines_input_depends_on_its_own_width_alone(width, stretch):
    geometry = LineGeometry(stretch=stretch)
    padded = geometry.padded_width(width)
    assert padded % geometry.bucket == 0
    assert padded >= geometry.stretched(width) + 2 * geometry.margin
    assert geometry.frames(width) * geometry.columns_per_frame <= padded


@given(st.integers(1, 5000))
def test_frames_of_a_fraction_of_a_column_are_counted_exactly(width):
    geometry = LineGeometry(columns_per_frame=16 / 3)
    columns = width + 2 * geometry.margin
    assert geometry.frames(width) == -(-3 * columns // 16)
    assert geometry == LineGeometry(**json.loads(json.dumps(asdict(geometry))))


def test_whole_columns_a_frame_are_counted_as_before():
    assert [LineGeometry(columns_per_frame=4).frames(width) for width in (1, 32, 33)] == [9, 16, 17]


def test_lines_are_placed_together_as_each_alone():
    rng = np.random.default_rng(3)
    scores = [np.log(rng.dirichlet(np.full(6, 0.4), frames)).astype(np.float32) for frames in (30, 12, 1, 22)]
    labels = [[1, 1, 2, 5, 5, 3], [4, 2], [], [3, 1, 4, 1, 5]]
    together = best_paths(scores, labels)
    for rows, line, spans in zip(scores, labels, together, strict=True):
        assert spans == viterbi(rows, line)
        assert [start < end for start, end in spans] == [True] * len(line)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert best_paths([], []) == []
    with pytest.raises(ValueError, match="3 characters need 4 frames, there are 2"):
        best_paths([scores[0], scores[1][:2]], [[1], [2, 2, 1]])


def test_views_of_test_time_augmentation_agree_where_they_stand_together():
    one = np.log(frames([0, 1, 0, 0, 2, 0, 3, 0]))
    mean = averaged([one, one, one[[0, 1, 2, 4, 5, 6, 7]]])
    assert [c.number for c in greedy(softmax(mean))] == [1, 2, 3]
    assert averaged([one[:0], one[:0]]).shape == (0, 5)
    line = np.zeros((64, 100), np.uint8)
    line[:, 50] = 255
    assert (tta_view(line, 0) == line).all()
    sheared = tta_view(line, 1)
    assert sheared.shape == line.shape
    assert sheared[63].argmax() - sheared[0].argmax() in (6, 7)
    assert tta_view(line, 2).shape == (64, 94)
    with pytest.raises(ValueError, match="1 to 3 views of a line, not 4"):
        LineTextRecognizer("lines", looks=4)
