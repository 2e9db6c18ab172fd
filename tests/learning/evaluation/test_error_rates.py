import numpy as np
import pytest

from text_recognizer import Line, Page
from text_recognizer.learning.datasets.pages import TracedLine, TracedPage
from text_recognizer.learning.evaluation.error_rates import error_rates
from text_recognizer.learning.evaluation.pages import PageScores, add_page, is_notice, match_lines, overlaps


def test_corpus_rates_weigh_lines_by_length():
    rates = error_rates(["abcd", "x"], ["abcd efgh", "y"])
    assert (rates.character_edits, rates.characters) == (6, 10)
    assert (rates.word_edits, rates.words) == (2, 3)
    assert rates.cer == pytest.approx(0.6)


def test_runs_of_spaces_and_composition_do_not_count():
    assert error_rates(["e\u0301t  a"], ["ét a"]).cer == 0


def test_insertions_can_exceed_one():
    assert error_rates(["abcdef"], ["a"]).cer == 5


def test_unequal_lists_are_refused():
    with pytest.raises(ValueError, match="1 predictions for 2"):
        error_rates(["a"], ["a", "b"])


def square(x: float, y: float, side: float = 40) -> np.ndarray:
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], float)


def test_overlap_of_polygons():
    iou = overlaps([square(0, 0), square(100, 100)], [square(0, 0), square(20, 0)], (200, 200))
    assert iou[0, 0] == pytest.approx(1)
    assert iou[0, 1] == pytest.approx(1 / 3, abs=0.05)
    assert iou[1].tolist() == [0, 0]
    assert match_lines(iou) == [(0, 0)]


def test_page_scores_count_missed_and_invented_lines():
    truth = TracedPage(
        "p", np.zeros((300, 300), np.uint8), [TracedLine(square(0, 0)[2:], square(0, y), "ab") for y in (0, 100)]
    )
    page = Page((Line("ab", tuple(map(tuple, square(0, 2))), 1.0), Line("c", tuple(map(tuple, square(200, 200))), 1.0)))
    scores = PageScores()
    add_page(scores, page, truth)
    assert (scores.found, scores.predicted, scores.expected) == (1, 2, 2)
    assert scores.f1 == pytest.approx(0.5)
    assert (scores.edits, scores.characters) == (2, 5)


def test_the_printed_notice_is_known_and_handwriting_is_not():
    assert is_notice("J'ai lu les conditions de participation et j'y consens. Je comprends que mon manuscrit sera")
    assert not is_notice("La Fédération du Laos de football est une association")
