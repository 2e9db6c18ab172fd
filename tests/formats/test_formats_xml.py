"""ALTO and PAGE: valid against the official schemas, and read back without loss."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.format_pages import LINES, OUTLINE, PAGES, line, pages
from tests.helpers.xml_schemas import etree, schema
from text_recognizer import Line, Page, Region, Word
from text_recognizer.formats import FORMATS, FormatError

slow = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def schemas():
    return {"alto": schema("alto"), "page": schema("page")}


@pytest.mark.parametrize("name", ["alto", "page"])
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_files_are_valid(schemas, name, page):
    schemas[name].assertValid(etree.fromstring(FORMATS[name].write(page)))


@slow
@given(pages())
def test_any_page_makes_valid_files(schemas, page):
    for name, valid in schemas.items():
        valid.assertValid(etree.fromstring(FORMATS[name].write(page)))


@pytest.mark.parametrize("name", ["alto", "page"])
def test_the_schemas_refuse_what_is_wrong(schemas, name):
    data = FORMATS[name].write(PAGES["one page"])
    spoilt = data.replace(b"<TextLine", b"<TextRow").replace(b"</TextLine", b"</TextRow")
    assert not schemas[name].validate(etree.fromstring(spoilt))


@pytest.mark.parametrize("name", ["alto", "page"])
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_pages_come_back(name, page):
    assert FORMATS[name].read(FORMATS[name].write(page)) == page


@pytest.mark.parametrize("name", ["alto", "page"])
@slow
@given(page=pages())
def test_any_page_of_the_reader_comes_back(name, page):
    assert FORMATS[name].read(FORMATS[name].write(page)) == page


@pytest.mark.parametrize("name", ["alto", "page"])
def test_characters_that_xml_cannot_hold_are_replaced_one_by_one(name):
    page = FORMATS[name].read(FORMATS[name].write(Page((line("a\x00b \x1b\ud800 \ufffe"),), 9, 9, "a\x07.png")))
    assert page.text == "a\ufffdb \ufffd\ufffd \ufffd"
    assert [len(word.character_confidences) for word in page.lines[0].words] == [3, 2, 1]
    assert page.source == "a\ufffd.png"


@pytest.mark.parametrize("name", ["alto", "page"])
def test_the_text_of_a_line_counts_where_its_words_say_something_else(name):
    read = line("one two")
    corrected = Line("one three", read.polygon, read.confidence, read.baseline, read.words)
    data = FORMATS[name].write(Page((corrected,), 900, 900))
    assert b"two" not in data
    found = FORMATS[name].read(data).lines[0]
    assert (found.text, found.words, found.confidence) == ("one three", (), read.confidence)


def test_page_rounds_and_clips_what_its_schema_cannot_hold(schemas):
    crooked = Line("a", ((-3.0, 1.4), (7.6, 1.5), (7.6, 9.0)), 0.5, ((1.0, 2.0),))
    data = FORMATS["page"].write(Page((crooked,), 10, 10))
    schemas["page"].assertValid(etree.fromstring(data))
    assert FORMATS["page"].read(data).lines[0].polygon == ((0.0, 1.0), (8.0, 2.0), (8.0, 9.0))
    assert FORMATS["alto"].read(FORMATS["alto"].write(Page((crooked,), 10, 10))).lines[0] == crooked


def test_columns_and_kinds_are_tags_of_alto():
    root = etree.fromstring(FORMATS["alto"].write(PAGES["one page"]))
    names = {"a": root.nsmap[None]}
    labels = {tag.get("ID"): tag.get("LABEL") for tag in root.iterfind("a:Tags/a:OtherTag", names)}
    blocks = [[labels[ref] for ref in b.get("TAGREFS").split()] for b in root.iterfind(".//a:TextBlock", names)]
    assert blocks == [["heading"], ["paragraph", "0"], ["marginalia"]]
    assert root.find(".//a:Page", names).get("PHYSICAL_IMG_NR") == "3"


def test_regions_are_ordered_and_typed_in_page():
    root = etree.fromstring(FORMATS["page"].write(PAGES["one page"]))
    names = {"p": root.nsmap[None]}
    kinds = {region.get("id"): region.get("type") for region in root.iterfind(".//p:TextRegion", names)}
    order = [kinds[ref.get("regionRef")] for ref in root.iterfind(".//p:RegionRefIndexed", names)]
    assert order == ["heading", "paragraph", "marginalia"]
    items = {item.get("name"): item.get("value") for item in root.iterfind(".//p:MetadataItem", names)}
    assert items == PAGES["one page"].models


@pytest.mark.parametrize("name", ["alto", "page"])
def test_a_region_without_lines_comes_back(name):
    page = Page(LINES[:1], 9, 9, regions=(Region("heading", OUTLINE, ()), Region("paragraph", OUTLINE, (0,), 2)))
    assert FORMATS[name].read(FORMATS[name].write(page)) == page


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]><alto>&y;</alto>"""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (BOMB, "declares a document type"),
        (b'<!DOCTYPE alto SYSTEM "file:///etc/passwd"><alto/>', "declares a document type"),
        (b"<alto>", "not well-formed"),
        (b"", "not well-formed"),
        (b"\xff\xfe\x00", "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><alto/>', "not well-formed"),
        (b"<a>" * 300 + b"</a>" * 300, "deep"),
        (b"<html/>", "its root is <html>"),
    ],
)
@pytest.mark.parametrize("name", ["alto", "page"])
def test_other_files_are_refused_in_a_sentence(name, data, message):
    with pytest.raises(FormatError, match=message):
        FORMATS[name].read(data)


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused_and_break_nothing(data):
    for name in ("alto", "page", "json"):
        with pytest.raises(FormatError):
            FORMATS[name].read(data)


def test_confidences_keep_all_their_digits():
    odd = Line("a", OUTLINE, 1 / 3, (), (Word("a", OUTLINE, 1e-17, (2 / 3,)),))
    for name in ("alto", "page"):
        assert FORMATS[name].read(FORMATS[name].write(Page((odd,), 400, 400))).lines[0] == odd
