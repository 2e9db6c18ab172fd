import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text_recognizer import Line, Page, Region, Word
from text_recognizer.formats import to_json, to_text

numbers = st.floats(0, 5000).map(lambda value: round(value, 2))
confidences = st.floats(0, 1).map(lambda value: round(value, 4))
polygons = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=6).map(tuple)
words = st.builds(Word, st.text(min_size=1), polygons, confidences, st.lists(confidences, max_size=4).map(tuple))
lines = st.builds(Line, st.text(), polygons, confidences, polygons, st.lists(words, max_size=3).map(tuple))
pages = st.builds(
    Page, st.lists(lines, max_size=3).map(tuple), st.integers(1, 9000), st.integers(1, 9000), st.none() | st.text()
)


@given(pages)
def test_a_page_survives_json(page):
    assert Page.from_dict(json.loads(to_json(page))) == page


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_a_page_that_was_read_again_is_written_the_same(confidences):
    page = Page(tuple(Line("abc", ((0, 0), (9, 0), (9, 9)), value) for value in confidences), 10, 10)
    assert Page.from_dict(page.to_dict()).to_dict() == page.to_dict()


def test_regions_survive_json_and_hold_every_line_once():
    lines = tuple(Line(text, (), 1.0) for text in "abc")
    outline = ((0.0, 0.0), (5.0, 0.0), (5.0, 5.0))
    parts = (Region("heading", outline, (0,)), Region("paragraph", outline, (1, 2), 0))
    page = Page(lines, 10, 10, regions=parts)
    assert Page.from_dict(json.loads(to_json(page))) == page
    with pytest.raises(ValueError, match="each of its 3 lines once"):
        Page(lines, 10, 10, regions=parts[:1])
    with pytest.raises(ValueError, match="not 'footer'"):
        Region.from_dict({"kind": "footer", "polygon": [], "lines": [0]})


def test_text_is_one_row_a_line():
    page = Page((Line("one", (), 0.5), Line("two", (), 1.0)), 10, 10)
    assert page.text == "one\ntwo"
    assert to_text(page) == "one\ntwo\n"
    assert page.confidence == pytest.approx(0.75)


def test_a_blank_page_has_no_text_and_nothing_doubtful():
    assert Page(width=5, height=5).text == ""
    assert Page().confidence == 1.0
    assert to_text(Page()) == ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "page has no 'lines'"),
        ({"lines": [{"text": "a"}], "width": 1, "height": 1}, "line has no 'polygon'"),
        ({"lines": 3, "width": 1, "height": 1}, "not a page"),
    ],
)
def test_a_broken_dict_is_named(data, message):
    with pytest.raises(ValueError, match=message):
        Page.from_dict(data)
