"""Lines grouped into paragraphs, headings and notes in the margin, from hand-made geometry and from real readings."""

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SAMPLES
from text_recognizer.recognition.layout.boxes import straight_boxes
from text_recognizer.recognition.layout.line_tracing import DetectedLine
from text_recognizer.recognition.layout.reading_order import reading_order
from text_recognizer.recognition.layout.regions import page_regions


def line(left: float, base: float, right: float, height: float = 40, angle: float = 0.0) -> DetectedLine:
    """A line on a page that was turned by an angle in degrees."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    xs = np.linspace(left, right, 5)
    points = np.stack([xs, np.full(5, float(base))], axis=1)
    outline = np.vstack([points - (0, 0.7 * height), (points + (0, 0.3 * height))[::-1]])
    return DetectedLine(points @ turn, outline @ turn, 1.0)


def block(count: int, left=100.0, right=900.0, top=100.0, leading=60.0, **options) -> list[DetectedLine]:
    """So many lines below each other, their ends a little ragged."""
    return [line(left, top + k * leading, right - 7 * (k % 3), **options) for k in range(count)]


def regions_of(lines: list[DetectedLine]) -> list[tuple[str, int | None, list[int]]]:
    """Kind, column and lines, by their numbers in the list given, of the regions of lines given in no order."""
    shuffled = list(range(len(lines)))
    random.Random(1).shuffle(shuffled)
    order = [shuffled[i] for i in reading_order(straight_boxes([lines[i] for i in shuffled]))]
    regions = page_regions([lines[i] for i in order])
    assert [number for region in regions for number in region.lines] == list(range(len(lines)))
    return [(region.kind, region.column, [order[i] for i in region.lines]) for region in regions]


def numbers(start: int, end: int) -> list[int]:
    return list(range(start, end))


def test_no_lines_have_no_regions_and_one_line_is_a_paragraph():
    assert page_regions([]) == ()
    assert regions_of(block(1)) == [("paragraph", 0, [0])]


def test_even_lines_are_one_paragraph():
    assert regions_of(block(12)) == [("paragraph", 0, numbers(0, 12))]


@pytest.mark.parametrize("angle", [0, 3, -3])
def test_indents_begin_paragraphs_on_a_page_that_lies_askew(angle):
    lines = block(10, angle=angle)
    lines[4] = line(160, 340, 895, angle=angle)
    assert regions_of(lines) == [("paragraph", 0, numbers(0, 4)), ("paragraph", 0, numbers(4, 10))]


def test_paper_between_lines_parts_paragraphs():
    lines = block(4) + block(3, top=400) + block(2, top=640)
    assert [members for _, _, members in regions_of(lines)] == [numbers(0, 4), numbers(4, 7), numbers(7, 9)]


def test_a_short_line_ends_a_paragraph_and_a_slightly_short_one_does_not():
    lines = block(10)
    lines[4], lines[7] = line(100, 340, 400), line(100, 520, 850)
    assert [members for _, _, members in regions_of(lines)] == [numbers(0, 5), numbers(5, 10)]


def test_first_lines_may_hang_out():
    lines = [
        line(100 if k % 4 == 0 else 170, 100 + 60 * k, 500 if k % 4 == 3 else 895 - 6 * (k % 2)) for k in range(12)
    ]
    assert [members for _, _, members in regions_of(lines)] == [numbers(0, 4), numbers(4, 8), numbers(8, 12)]


def test_two_columns_are_read_one_after_the_other():
    lines = block(10, right=450) + block(9, left=550, top=110)
    assert regions_of(lines) == [("paragraph", 0, numbers(0, 10)), ("paragraph", 1, numbers(10, 19))]


def test_a_heading_above_two_columns_stands_in_none():
    lines = [line(300, 60, 720, height=60), *block(6, right=450, top=180), *block(6, left=550, top=180)]
    assert regions_of(lines) == [
        ("heading", None, [0]),
        ("paragraph", 0, numbers(1, 7)),
        ("paragraph", 1, numbers(7, 13)),
    ]


def test_a_centred_line_with_paper_below_is_a_heading_and_words_before_a_signature_are_not():
    heading = [line(380, 100, 620)]
    close = [line(380, 700, 620), line(560, 780, 800)]
    found = regions_of(heading + block(7, top=200) + close)
    assert found[0] == ("heading", 0, [0])
    assert [kind for kind, _, _ in found[1:]] == ["paragraph"] * (len(found) - 1)


@pytest.mark.parametrize(("left", "right"), [(20, 170), (950, 1100)])
def test_a_note_in_the_margin_is_read_after_the_column_beside_it(left, right):
    body = block(12, left=220)
    note = [line(left, 250 + 35 * k, right, height=25) for k in range(3)]
    assert regions_of(body + note) == [("paragraph", 0, numbers(0, 12)), ("marginalia", None, numbers(12, 15))]


def test_a_note_of_one_line_beside_full_lines_is_a_note():
    assert regions_of([*block(9), line(930, 280, 1010, height=30)])[1] == ("marginalia", None, [9])


def test_the_cells_of_a_row_stay_together():
    cells = [line(100 + 300 * column, 100 + 60 * row, 180 + 300 * column) for row in range(6) for column in range(3)]
    order = [i for _, _, members in regions_of(cells) for i in members]
    assert order == numbers(0, 18)
    assert {column for _, column, _ in regions_of(cells)} == {0}


def test_numbers_before_lines_belong_to_them():
    items = [line(170, 100 + 60 * k, 900) for k in range(5)]
    marks = [line(130, 100 + 60 * k, 155) for k in range(5)]
    order = [i for _, _, members in regions_of(items + marks) for i in members]
    assert order == [number for k in range(5) for number in (5 + k, k)]


def test_outlines_go_around_the_lines_and_numbers_begin_where_they_are_told():
    lines = block(3)
    outlines = [((0.0, 10.0 * k), (50.0, 10.0 * k), (50.0, 10.0 * k + 8), (0.0, 10.0 * k + 8)) for k in range(3)]
    (region,) = page_regions(lines, outlines, first=7)
    assert region.lines == (7, 8, 9)
    assert set(region.polygon) == {(0.0, 0.0), (50.0, 0.0), (50.0, 28.0), (0.0, 28.0)}


def test_five_hundred_lines_take_no_time():
    lines = [other for column in range(5) for other in block(100, 50 + 300 * column, 300 + 300 * column, leading=20)]
    start = time.process_time()
    regions = regions_of(lines)
    assert time.process_time() - start < 2  # a tenth of it on an idle core
    assert sorted(i for _, _, members in regions for i in members) == numbers(0, 500)


coordinates = st.floats(0, 1000).map(lambda value: round(value, 1))
sizes = st.tuples(st.floats(1, 600), st.floats(1, 80))


@settings(deadline=None)
@given(st.lists(st.tuples(coordinates, coordinates, sizes, st.floats(-30, 30)), max_size=30))
def test_any_lines_are_parted_and_ordered_the_same_each_time(drawn):
    lines = [line(x, y, x + width, height, angle) for x, y, (width, height), angle in drawn]
    boxes = straight_boxes(lines)
    order = reading_order(boxes)
    assert sorted(order) == numbers(0, len(lines))
    assert reading_order(boxes) == order
    regions = page_regions([lines[i] for i in order])
    assert [number for region in regions for number in region.lines] == numbers(0, len(lines))
    assert page_regions([lines[i] for i in order]) == regions


@pytest.mark.parametrize("name", ["letter", "copiste-1", "notes-photograph"])
def test_a_reading_has_regions_that_hold_its_lines_in_order(recognizer, name):
    page = recognizer.read(SAMPLES / f"{name}.jpg")
    assert [number for region in page.regions for number in region.lines] == numbers(0, len(page.lines))
    for region in page.regions:
        low, high = np.min(region.polygon, axis=0), np.max(region.polygon, axis=0)
        for number in region.lines:
            points = np.array(page.lines[number].polygon)
            assert (points >= low).all()
            assert (points <= high).all()
