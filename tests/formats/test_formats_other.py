"""A format of another package, as docs/how-to/add-a-format.md says."""

import pytest

from tests.helpers.other_packages import install, run
from text_recognizer.formats import ENTRY_POINTS, FORMATS, Format, register

WRITE = """
import sys
from text_recognizer.formats import FORMATS
from text_recognizer.page import Line, Page
before = list(FORMATS)
print(FORMATS["tei"].write(Page((Line("a & b", (), 1.0),), 9, 9)).decode(), list(FORMATS)[len(before):])
"""


@pytest.fixture
def tei(tmp_path):
    install(tmp_path / "site", "add-a-format.md", ENTRY_POINTS, "tei")
    return tmp_path / "site"


def test_a_format_of_another_package_is_found_when_it_is_asked_for(tei):
    said = run(tei, WRITE)
    assert "<l>a &amp; b</l>" in said
    assert said.split()[-1] == "['tei']"


def test_the_command_line_and_the_api_write_it(tei):
    read = "from text_recognizer.cli.main import app\ntry: app(['read', 'nothing.png', '--format', '{}'])\n"
    read += "except SystemExit as end: print('ended', end.code)"
    assert "nothing.png" in run(tei, read.format("tei"))
    assert "'tei'" in run(tei, read.format("nonsense"))  # among those that there are
    assert "tei" in run(tei, "from text_recognizer.service.http.schemas import WRITTEN_FORMATS; print(WRITTEN_FORMATS)")


def test_a_package_that_is_broken_is_named_and_the_others_are_there(tei):
    (tei / "tei.py").write_text("import nothing_of_this_name")
    said = run(tei, "from text_recognizer.formats import FORMATS; FORMATS.import_others(); print('alto' in FORMATS)")
    assert "True" in said
    assert "the formats of tei cannot be loaded" in said


def test_a_name_is_given_once():
    class Second(Format):
        name = "txt"

        def write(self, page, picture=None):
            return b""

    with pytest.raises(ValueError, match="two formats are registered as 'txt'"):
        register(Second)
    with pytest.raises(KeyError):
        FORMATS["nonsense"]
