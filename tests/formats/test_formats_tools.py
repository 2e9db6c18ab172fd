"""Files opened by the tools of the field, where these are installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.format_pages import LINES, MODELS, PAGES, line
from text_recognizer import Page, Region
from text_recognizer.formats import FORMATS

HOCR_CHECK = Path(sys.executable).with_name("hocr-check")


def below(top, count, kind, first, column=None):
    outline = ((0.0, top), (800.0, top), (800.0, top + 60.0 * count), (0.0, top + 60.0 * count))
    return Region(kind, outline, tuple(range(first, first + count)), column)


PAGE = Page(
    LINES,
    900,
    1200,
    "a.png",
    MODELS,
    (below(0, 1, "heading", 0), below(60, 2, "paragraph", 1, 0), below(180, 1, "marginalia", 3)),
)


def complaints(path):
    found = subprocess.run([HOCR_CHECK, path], capture_output=True, text=True, check=True).stderr
    assert "ok 3 - has a page" in found
    return [row for row in found.splitlines() if row.startswith("not ok")]


@pytest.mark.skipif(not HOCR_CHECK.is_file(), reason="hocr-tools is not installed: it comes with the extra dev")
def test_hocr_tools_find_nothing_wrong(tmp_path):
    parts = []
    for number, page in enumerate((PAGE, PAGES["without regions"])):
        parts.append(tmp_path / f"{number}.hocr")
        parts[-1].write_bytes(FORMATS["hocr"].write(page))
        assert complaints(parts[-1]) == []
    lines = [LINES[0], line("another", 5)]  # they lie on one another
    crossed = tmp_path / "crossed.hocr"
    crossed.write_bytes(FORMATS["hocr"].write(Page(tuple(lines), 900, 1200)))
    assert len(complaints(crossed)) == 1, "the tool does look"
    with (tmp_path / "both.hocr").open("wb") as both:
        FORMATS["hocr"].join(parts, both)
    text = subprocess.run(
        [HOCR_CHECK.with_name("hocr-lines"), tmp_path / "both.hocr"], capture_output=True, text=True, check=True
    ).stdout
    assert text.splitlines() == [row.text for row in LINES] * 2


@pytest.mark.parametrize("name", ["alto", "page"])
def test_kraken_finds_lines_regions_and_order(name, tmp_path):
    xml = pytest.importorskip("kraken.lib.xml", reason="kraken is not installed: it needs an environment of its own")
    path = tmp_path / "page.xml"
    path.write_bytes(FORMATS[name].write(PAGE))
    page = xml.XMLPage(path)
    assert page.image_size == (900, 1200)
    assert {kind: len(found) for kind, found in page.regions.items()} == {"heading": 1, "paragraph": 1, "marginalia": 1}
    assert [found.text for found in page.get_sorted_lines()] == [row.text for row in LINES]
    assert page.get_sorted_lines()[1].baseline == [(0, 90), (800, 88)]
