"""Pages written by the API in every format that needs no picture, each with its media type."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import pytest

from tests.helpers.format_pages import PAGES
from tests.service.http.conftest import assert_problem
from text_recognizer.formats import FORMATS

WRITTEN = [name for name, form in FORMATS.items() if not form.needs_image]
PAGE = PAGES["one page"]


def answer(server, name, count=1):
    return server.client.post("/v1/format", json={"pages": [PAGE.to_dict()] * count, "format": name})


@pytest.mark.parametrize("name", WRITTEN)
def test_one_page_is_written_in_every_format(server, name):
    found = answer(server, name)
    assert found.status_code == 200
    assert found.headers["content-type"].partition(";")[0] == FORMATS[name].media_type
    if name in ("json", "alto", "page"):
        assert FORMATS[name].read(found.content) == PAGE
    else:
        assert found.content == FORMATS[name].write(PAGE)


@pytest.mark.parametrize("name", WRITTEN)
def test_several_pages_are_one_file_or_refused(server, name):
    found = answer(server, name, 3)
    if FORMATS[name].several:
        assert found.status_code == 200
        assert found.headers["content-type"].partition(";")[0] == FORMATS[name].media_type
    else:
        assert f"{name} holds one page, not 3" in assert_problem(found, 422)["detail"]
    if name == "csv":
        assert len(list(csv.reader(io.StringIO(found.text, newline="")))) == 1 + 3 * len(PAGE.lines)
    if name == "hocr":
        assert len(ElementTree.fromstring(found.content).findall(".//*[@class='ocr_page']")) == 3


def test_what_needs_a_picture_is_not_offered(server):
    assert server.client.get("/v1/settings").json()["formats"] == WRITTEN
    assert_problem(answer(server, "pdf"), 422)


def test_a_reading_is_answered_in_a_format(server, page_png):
    found = server.predict(page_png, format="alto")
    assert found.headers["content-type"].startswith("application/xml")
    assert FORMATS["alto"].read(found.content).lines
