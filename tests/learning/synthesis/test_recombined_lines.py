"""Words cut out of lines and set in another order: the picture still shows what the label says."""

import random

import numpy as np

from tests.conftest import fonts_and_text
from text_recognizer.images import normalize_line
from text_recognizer.learning.alignment.character_positions import line_places
from text_recognizer.learning.datasets.lines import LineLabel, cached_lines
from text_recognizer.learning.evaluation.error_rates import error_rates
from text_recognizer.learning.synthesis.lines import SyntheticLines, render_words
from text_recognizer.learning.synthesis.recombined_lines import RecombinedLines, cut_words, recombined_lines
from text_recognizer.recognition.text.line_recognizer import LineTextRecognizer


def bars(widths, gap=12):
    """Upright strokes as words, and the middles of their characters and of the spaces between them."""
    image, columns, left = np.zeros((64, 400), np.uint8), [], 10
    for number, width in enumerate(widths):
        if number:
            columns.append(left - gap / 2)
        image[16:48, left : left + width] = 255
        columns.append(left + width / 2)
        left += width + gap
    return image, np.array(columns, np.float32)


def test_words_are_cut_at_the_empty_columns_between_them():
    image, columns = bars([20, 30, 40])
    words = cut_words(image, "a b c", columns)
    assert [(word.text, word.start, word.end, word.gap) for word in words] == [
        ("a", 10, 30, 0), ("b", 42, 72, 12), ("c", 84, 124, 12)
    ]  # fmt: skip


def test_words_that_touch_are_left_out():
    image, columns = bars([20, 30, 40])
    image[30:34, 60:90] = 255  # a stroke from the second to the third
    assert [word.text for word in cut_words(image, "a b c", columns)] == ["a"]
    assert cut_words(np.zeros((64, 100), np.uint8), "a b", np.array([10, 20, 30], np.float32)) == []
    assert cut_words(image, "a b c d", columns) == []


def written_lines(tmp_path, monkeypatch):
    """Lines of two hands (fonts), texts of usual words."""
    fonts_and_text(tmp_path, monkeypatch)
    faces = SyntheticLines(seed=3).handwriting[:2]
    texts = ["the house was empty", "they came from the sea", "he said that it was good", "we have seen her there"]
    samples = []
    for hand, face in enumerate(faces):
        for number, text in enumerate(texts):
            ink = render_words(text, face.path, 48, random.Random(number), steady=True)
            label = LineLabel(f"{hand}-{number}", text, str(hand), "made")
            samples.append((normalize_line(255 - ink), label))
    return cached_lines(tmp_path / "cache", "made", samples)


def test_new_lines_show_the_words_of_their_labels(tmp_path, monkeypatch):
    lines = written_lines(tmp_path, monkeypatch)
    generator = RecombinedLines(lines, line_places(lines, "made"), seed=1, texts=["the sea was good"])
    texts_of = {hand: {w for lab in lines.labels if lab.writer == hand for w in lab.text.split(" ")} for hand in "01"}
    made = [generator[number] for number in range(12)]
    assert all(set(label.text.split(" ")) <= texts_of[label.writer] for _, label in made)
    assert {label.text for _, label in made}.isdisjoint(label.text for label in lines.labels)
    reader = LineTextRecognizer()
    read = [reading.text for reading in reader.read([255 - image for image, _ in made])]
    rates = error_rates(read, [label.text for _, label in made])
    assert rates.cer < 0.2, "the reader reads the words that the labels name"


def test_the_same_seed_gives_the_same_lines(tmp_path, monkeypatch):
    lines = written_lines(tmp_path, monkeypatch)
    first = recombined_lines(lines, "made", seed=2, count=3)
    again = recombined_lines(lines, "made", seed=2, count=3)
    other = recombined_lines(lines, "made", seed=3, count=3)
    assert [label.text for _, label in first] == [label.text for _, label in again]
    assert [label.text for _, label in first] != [label.text for _, label in other]
