"""Nothing simpler is as good: smaller networks, and reading with a part left out, make more errors."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image
from rapidfuzz.distance import Levenshtein

from tests.conftest import SAMPLES, sample_text
from text_recognizer.learning.evaluation.suites.behaviour import run_cases
from text_recognizer.learning.evaluation.suites.readers import open_reader
from text_recognizer.learning.evaluation.suites.suite import load_suite
from text_recognizer.recognition.bundle import SHIPPED


def error_rate(bundle: str, slot: str, images: tuple[str, ...]) -> float:
    """Mean over cases of the suite "basic", letter by letter."""
    suite = load_suite("basic")
    cases = [case for case in suite.tasks[slot].functionality if case.image in images and not case.change]
    results = run_cases(open_reader(SHIPPED / bundle, "none"), suite, cases)
    assert len(results) == len(images)
    return float(np.mean([result.rate for result in results]))


def test_each_rung_of_the_ladder_makes_fewer_errors_than_the_one_below():
    images = "digits.png", "small-letters.png", "capitals.png", "punctuation.png", "word.png"
    rates = [error_rate(name, "lines", images) for name in ("line-windows", "line-cnn", "line-cnn-lstm", "lines")]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.6 * rates[-2], rates


def test_a_network_without_convolutions_makes_more_errors_with_characters():
    images = "cells-digits.png", "cells-capitals.png", "cells-small.png"
    assert error_rate("characters", "characters", images) < 0.6 * error_rate("characters-mlp", "characters", images)


def errors(text: str, name: str) -> int:
    return Levenshtein.distance(" ".join(text.split()), sample_text(name))


@pytest.fixture(scope="module")
def french() -> np.ndarray:
    """A real page, gray, without the printed notice at its head."""
    return np.array(Image.open(SAMPLES / "copiste-1.jpg").convert("L"))[140:]


def test_without_the_language_model_a_real_page_has_more_errors(recognizer, french):
    searched, greedy = recognizer.read(french), recognizer.read(french, use_language=False)
    assert errors(searched.text, "copiste-1") < errors(greedy.text, "copiste-1")


def test_without_preparation_a_page_on_its_side_is_not_read(recognizer, letter):
    lying = cv2.rotate(letter, cv2.ROTATE_90_CLOCKWISE)
    assert errors(recognizer.read(lying).text, "letter") < 0.1 * len(sample_text("letter"))
    assert errors(recognizer.read(lying, prepare="none").text, "letter") > 0.5 * len(sample_text("letter"))
