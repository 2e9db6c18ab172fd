"""Cutting lines, tracing them in maps, and the order of reading."""

import itertools

import numpy as np
import pytest

from text_recognizer.images import LineStrip, cut_line
from text_recognizer.recognition.layout.detector_input import EXTENT_UNIT, STRIDE
from text_recognizer.recognition.layout.line_tracing import lines_from_maps
from text_recognizer.recognition.layout.reading_order import reading_order


def page_with_line(angle: float, bow: float = 0.0):
    """A white page with a dashed dark line, its baseline and outline."""
    page = np.full((400, 700), 255, np.uint8)
    xs = np.arange(60, 640)
    ys = 200 + np.tan(np.radians(angle)) * (xs - 350) + bow * np.sin((xs - 60) / 580 * np.pi)
    for x, y in zip(xs, ys, strict=True):
        if x % 20 < 12:
            page[round(y) - 20 : round(y), x] = 0
    base = np.stack([xs[::20], ys[::20]], axis=1)
    return page, base, np.vstack([base - (0, 28), (base + (0, 10))[::-1]])


@pytest.mark.parametrize(("angle", "bow"), [(0, 0), (10, 0), (-10, 0), (3, 25)])
def test_a_cut_line_is_straight_and_whole(angle, bow):
    page, base, polygon = page_with_line(angle, bow)
    crop = cut_line(page, base, polygon)
    rows = np.flatnonzero((crop < 128).sum(axis=1) > 100)
    assert 15 <= len(rows) <= 26
    assert abs(np.count_nonzero(crop < 128) / np.count_nonzero(page < 128) - 1) < 0.15


def test_strip_points_lead_back_to_the_page():
    page, base, polygon = page_with_line(8)
    strip = LineStrip(base, polygon)
    crop = strip.cut(page)
    rows, columns = np.nonzero(crop < 60)
    points = strip.to_page(np.stack([columns, rows], axis=1)).round().astype(int)
    assert (page[points[:, 1], points[:, 0]] < 128).mean() > 0.9


def test_other_ink_outside_of_the_outline_is_left_out():
    page, base, polygon = page_with_line(0)
    page[100:165] = 0
    assert (cut_line(page, base, polygon)[:3] > 200).all()


@pytest.mark.parametrize("baseline", [[[5, 5], [5, 5]], [[30, 20], [5, 20]], [[5, 20], [30, 20]]])
def test_odd_baselines_still_cut(baseline):
    page = np.full((60, 60), 255, np.uint8)
    assert cut_line(page, np.array(baseline, float), np.array([[2, 2], [40, 2], [40, 30], [2, 30]], float)).size > 0


def maps(*lines: tuple[int, int, int], above: float = 24, below: float = 8, shape=(120, 200)):
    """Detector maps with a core for each (left, right, row) in map pixels."""
    core, extents = np.zeros(shape, np.float32), np.zeros((2, *shape), np.float32)
    for left, right, row in lines:
        core[row : row + 3, left:right] = 0.95
    extents[0], extents[1] = above / EXTENT_UNIT, below / EXTENT_UNIT
    return core, extents


def test_maps_become_baseline_and_outline():
    (line,) = lines_from_maps(*maps((20, 150, 50)), threshold=0.5)
    assert line.baseline[0, 0] == pytest.approx(20 * STRIDE, abs=8)
    assert line.baseline[-1, 0] == pytest.approx(150 * STRIDE, abs=8)
    assert np.allclose(line.baseline[:, 1], 53 * STRIDE, atol=STRIDE)
    assert line.height == pytest.approx(32, abs=2)
    assert 0.9 < line.confidence <= 1


def test_a_gap_between_words_is_bridged_and_a_gutter_is_not():
    assert len(lines_from_maps(*maps((20, 80, 50), (86, 150, 50)), threshold=0.5)) == 1
    assert len(lines_from_maps(*maps((20, 80, 50), (100, 180, 50)), threshold=0.5)) == 2
    assert len(lines_from_maps(*maps((20, 80, 50), (86, 150, 58)), threshold=0.5)) == 2


def test_a_quotation_mark_belongs_to_its_line():
    (line,) = lines_from_maps(*maps((20, 100, 50), (104, 109, 47)), threshold=0.5)
    assert line.baseline[-1, 0] > 108 * STRIDE
    assert np.allclose(line.baseline[:, 1], 53 * STRIDE, atol=STRIDE)


def test_an_empty_map_has_no_lines():
    assert lines_from_maps(*maps(), threshold=0.5) == []


ONE_COLUMN = [(10, 10, 200, 30), (12, 40, 190, 60), (40, 70, 120, 90)]
TWO_COLUMNS = [(10, 60, 200, 80), (8, 90, 190, 110), (12, 120, 200, 140), (240, 58, 430, 78), (238, 92, 430, 108)]
HEADED = [(10, 10, 430, 40), *TWO_COLUMNS, (10, 160, 430, 190)]
RECEIPT = [(10, 10, 90, 30), (10, 40, 100, 60), (200, 41, 250, 59), (10, 70, 230, 90), (10, 100, 95, 120)]
TABLE = [(10, 10, 80, 30), (240, 12, 300, 32), (10, 50, 90, 70), (240, 50, 300, 70)]


@pytest.mark.parametrize(
    "boxes",
    [ONE_COLUMN, TWO_COLUMNS, HEADED, RECEIPT],
    ids=["one column", "two columns", "with head and foot", "an amount at the end of a row"],
)
def test_reading_order_whatever_the_order_given(boxes):
    for order in itertools.islice(itertools.permutations(range(len(boxes))), 0, 720, 37):
        shuffled = [boxes[i] for i in order]
        assert [shuffled[i] for i in reading_order(shuffled)] == boxes


def test_every_line_is_read_once_even_where_rules_contradict():
    rng = np.random.default_rng(1)
    for _ in range(20):
        corners = rng.uniform(0, 300, (15, 2))
        boxes = [
            (x, y, x + w, y + h)
            for (x, y), w, h in zip(corners, rng.uniform(5, 200, 15), rng.uniform(5, 60, 15), strict=True)
        ]
        assert sorted(reading_order(boxes)) == list(range(15))


def test_a_page_of_very_many_pieces_is_sorted():
    boxes = [(x * 300.0, y * 20.0, x * 300 + 200.0, y * 20 + 16.0) for x in range(4) for y in range(100)]
    assert [boxes[::-1][i] for i in reading_order(boxes[::-1])] == boxes


def test_a_row_of_a_table_is_read_from_left_to_right():
    order = reading_order(TABLE)
    assert order.index(0) < order.index(1)
    assert order.index(2) < order.index(3)
