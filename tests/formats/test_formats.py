"""What every format promises, whatever it is."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from tests.helpers.format_pages import HEIGHT, PAGES, WIDTH, line, pages
from text_recognizer import Line, Page, Region
from text_recognizer.formats import FORMATS, FormatError, Picture
from text_recognizer.formats.json_format import SCHEMA
from text_recognizer.formats.text import escaped

PICTURE = Picture(None, lambda: np.full((HEIGHT, WIDTH), 255, np.uint8), 300.0)
SEVERAL = [name for name, form in FORMATS.items() if form.several]
READ_BACK = ("json", "alto", "page")
UTF8 = [name for name, form in FORMATS.items() if not form.needs_image]


def written(name, page):
    return FORMATS[name].write(page, PICTURE if FORMATS[name].needs_image else None)


def joined(name, several, folder):
    parts = []
    for number, page in enumerate(several):
        parts.append(folder / f"{number}.part")
        parts[-1].write_bytes(written(name, page))
    target = io.BytesIO()
    FORMATS[name].join(iter(parts), target)
    return target.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_says_what_it_is(name):
    form = FORMATS[name]
    assert form.name == name
    assert re.fullmatch(r"(\.[a-z]+)+", form.suffix)
    assert re.fullmatch(r"[a-z]+/[a-z+.-]+", form.media_type)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("name", FORMATS)
def test_every_page_can_be_written(name, page):
    if FORMATS[name].needs_image and page is PAGES["no places"]:
        with pytest.raises(ValueError, match="no outline"):  # text over a picture has to stand somewhere
            written(name, page)
        return
    data = written(name, page)
    assert isinstance(data, bytes)
    if name in UTF8:
        data.decode()


@pytest.mark.parametrize("name", [name for name in UTF8 if name not in ("paragraphs", "md")])
def test_the_text_of_every_line_is_there(name):
    text = written(name, PAGES["one page"]).decode()
    for row in PAGES["one page"].lines:
        for word in row.text.split():
            assert word in text


@pytest.mark.parametrize("name", FORMATS)
def test_parts_are_joined_or_refused(name, tmp_path):
    several = [PAGES["one page"], PAGES["a blank page"], PAGES["unicode"]]
    if name in SEVERAL:
        assert joined(name, several, tmp_path)
    else:
        with pytest.raises(ValueError, match=f"format {name} holds one page"):
            joined(name, several, tmp_path)


@pytest.mark.parametrize("name", SEVERAL)
def test_one_part_at_a_time_is_read_while_they_are_made(name, tmp_path):
    part = tmp_path / "part"

    def parts():
        for _ in range(40):
            part.write_bytes(written(name, PAGES["one page"]))
            yield part
            part.write_bytes(b"taken")

    target = io.BytesIO()
    if FORMATS[name].needs_image:
        pytest.skip("a picture is read again when the file is ended")
    FORMATS[name].join(parts(), target)
    assert target.getvalue().count(b"taken") == 0
    assert target.getvalue().count(b"heading") >= 40


@pytest.mark.parametrize("name", UTF8)
def test_a_format_that_is_not_read_back_says_so(name):
    data = written(name, PAGES["one page"])
    if name in READ_BACK:
        assert FORMATS[name].read(data) == PAGES["one page"]
        half = FORMATS[name].read(data, (WIDTH // 2, HEIGHT // 2))
        assert half.lines[1].baseline == tuple((x / 2, y / 2) for x, y in PAGES["one page"].lines[1].baseline)
        assert half.regions[0].polygon == tuple((x / 2, y / 2) for x, y in PAGES["one page"].regions[0].polygon)
    else:
        with pytest.raises(FormatError, match=f"not read back from {name}"):
            FORMATS[name].read(data)


def test_text_has_a_row_a_line_and_a_form_feed_between_pages(tmp_path):
    several = [PAGES["one page"], PAGES["a blank page"], PAGES["one page"]]
    text = "A heading\none two-\nthree\nN. B. 4\n"
    assert joined("txt", several, tmp_path).decode() == f"{text}\f\f{text}"
    assert written("paragraphs", PAGES["one page"]).decode() == "A heading\n\none twothree\n\nN. B. 4\n"
    assert written("txt", Page((Line("a\udc80", (), 1.0),))) == b"a\\udc80\n"


def test_json_has_what_the_schema_says(tmp_path):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    valid = Draft202012Validator(schema)
    for page in PAGES.values():
        valid.validate(json.loads(written("json", page)))
    broken = json.loads(written("json", PAGES["one page"]))
    broken["lines"][0]["words"][0]["confidence"] = 2
    assert not valid.is_valid(broken)
    assert not valid.is_valid({"lines": [], "width": 1, "height": 1})
    described = {name: set(schema["$defs"][name]["properties"]) for name in ("line", "word", "region")}
    page = PAGES["one page"]
    assert set(schema["properties"]) == set(page.to_dict())
    assert described["line"] == set(page.lines[0].to_dict())
    assert described["word"] == set(page.lines[0].words[0].to_dict())
    assert described["region"] == set(page.regions[0].to_dict())


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(pages())
def test_any_page_fits_the_schema_of_json(page):
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(json.loads(written("json", page)))


def test_pages_of_json_are_a_list(tmp_path):
    several = [PAGES["one page"], PAGES["a blank page"]]
    data = joined("json", several, tmp_path)
    assert [Page.from_dict(page) for page in json.loads(data)] == several
    assert json.loads(joined("json", [], tmp_path)) == []
    with pytest.raises(FormatError, match="holds 2 pages"):
        FORMATS["json"].read(data)
    assert FORMATS["json"].read(joined("json", several[:1], tmp_path)) == several[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"{}", "has no 'lines'"),
        (b"3", "not a page"),
        (b"[" * 10**5, "not JSON"),
    ],
)
def test_json_that_is_no_page_is_named(data, message):
    with pytest.raises(FormatError, match=message):
        FORMATS["json"].read(data)


XHTML = "{http://www.w3.org/1999/xhtml}"


def titles(root, kind):
    return [element.get("title") for element in root.iter() if element.get("class") == kind]


def test_hocr_has_pages_columns_paragraphs_lines_and_words():
    root = ET.fromstring(written("hocr", PAGES["one page"]))
    assert titles(root, "ocr_page") == ['image "scans/a & b.pdf#page=3"; bbox 0 0 900 1200; ppageno 0']
    assert len(titles(root, "ocr_carea")) == 3
    assert titles(root, "ocr_par")[0] == "bbox 10 18 300 62; x_kind heading"
    assert titles(root, "ocr_line")[1] == "bbox 0 60 800 100; baseline -0.0025 -10; x_wconf 75"
    assert titles(root, "ocrx_word")[0] == "bbox 0 0 45 40; x_wconf 50; x_confs 25"
    assert [
        "".join(element.itertext()) for element in root.iter(XHTML + "span") if element.get("class") == "ocr_line"
    ] == [row.text for row in PAGES["one page"].lines]
    metas = {element.get("name"): element.get("content") for element in root.iter(XHTML + "meta")}
    assert "detector 2 (d97419f5), lines 3 (f783552d)" in metas["ocr-system"]


def test_pages_of_hocr_are_one_web_page_with_identifiers_of_their_own(tmp_path):
    tricky = Page((line('id="page_1" ppageno 0'),), 9, 9, 'x" id="page_1; ppageno 0">.png')
    root = ET.fromstring(joined("hocr", [PAGES["one page"], tricky, PAGES["a blank page"], tricky], tmp_path))
    names = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(names)) == len(names)
    assert [name for name in names if name.startswith("page")] == ["page_1", "page_2", "page_3", "page_4"]
    assert [title.rpartition(" ")[2] for title in titles(root, "ocr_page")] == ["0", "1", "2", "3"]
    assert "".join(root.itertext()).count('id="page_1" ppageno 0') == 2
    assert ET.fromstring(joined("hocr", [], tmp_path)).tag == XHTML + "html"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(pages())
def test_any_page_makes_hocr_that_is_well_formed(page):
    root = ET.fromstring(written("hocr", page))
    assert len(titles(root, "ocr_line")) == len(page.lines)


def test_markdown_shows_headings_paragraphs_and_quotes(tmp_path):
    text = "## A heading\n\none twothree\n\n> N. B. 4\n"
    assert written("md", PAGES["one page"]).decode() == text
    both = joined("md", [PAGES["one page"], PAGES["a blank page"], PAGES["one page"]], tmp_path).decode()
    assert both == f"{text}\n---\n---\n\n{text}\n"
    html = MarkdownIt().render(both)
    assert (html.count("<h2>"), html.count("<hr />"), html.count("<blockquote>")) == (2, 2, 2)


@given(st.text(st.sampled_from("ab1 .)-+=*_`#>[]()<!&;|~$\\:/\"'")).map(lambda text: " ".join(text.split())))
def test_markdown_shows_any_text_as_it_is(text):
    from html import unescape

    for prefix, tags in (("", ("p",)), ("## ", ("h2",)), ("> ", ("blockquote", "p"))):
        html = MarkdownIt().render(f"{prefix}{escaped(text)}\n").replace("\n", "")
        wanted = text
        for tag in reversed(tags):
            wanted = f"<{tag}>{wanted}</{tag}>"
        if text:
            assert unescape(html) == wanted


def test_csv_has_a_row_a_line_and_one_header(tmp_path):
    data = joined("csv", [PAGES["one page"], PAGES["no places"], PAGES["unicode"]], tmp_path)
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert [row["text"] for row in rows] == [
        row.text for name in ("one page", "no places", "unicode") for row in PAGES[name].lines
    ]
    assert rows[1] == {
        "source": "scans/a & b.pdf#page=3",
        **{"line": "2", "region": "2", "kind": "paragraph", "column": "1"},
        **{"left": "0", "top": "60", "right": "800", "bottom": "100", "confidence": "0.75", "text": "one two-"},
    }
    assert (rows[4]["left"], rows[4]["region"], rows[4]["source"]) == ("", "", "")
    assert data.count(b"source,line") == 1
    assert b"\r\n" in data
    assert b'"=1+1 ""x""' in data, "a formula is written as it was read"


def test_regions_without_text_leave_no_empty_paragraph():
    empty = Page((line(""), line("a")), 9, 9, regions=(Region("heading", (), (0,)), Region("paragraph", (), (1,))))
    assert written("paragraphs", empty) == b"a\n"
    assert written("md", empty) == b"a\n"
