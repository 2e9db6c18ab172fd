"""The labelling folder: labels that many append, readings whose lines keep their names, pages of all kinds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from tests.helpers.labelled_pages import blank_pages, box, label, reading
from text_recognizer.images import ImageError
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.labels import LabelFile
from text_recognizer.labeling.pages import UnknownPage
from text_recognizer.page import Page


@pytest.fixture
def folder(tmp_path) -> Path:
    return blank_pages(tmp_path)


APPEND = """
import sys
from pathlib import Path
from text_recognizer.labeling.labels import Label, LabelFile, now
file = LabelFile(Path(sys.argv[1]))
for n in range(60):
    file.add([Label("a.png", f"l{n:04d}", sys.argv[2], now(), "labeled", "é" * 900, ((0, 0), (9, 0), (9, 9)))])
"""


def test_labels_of_two_processes_at_once_are_all_kept(tmp_path):
    path = tmp_path / "labels.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", APPEND, path, who]) for who in ("Ada", "Ben")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = LabelFile(path).read()
    for who in ("Ada", "Ben"):
        assert [one.line for one in found if one.annotator == who] == [f"l{n:04d}" for n in range(60)]


def test_a_torn_last_line_is_passed_over_and_cut_off(tmp_path):
    path = tmp_path / "labels.jsonl"
    file = LabelFile(path)
    file.add([label(text="one")])
    with path.open("ab") as torn:
        torn.write(b'{"page":"a.png","line":"l00')
    assert [one.text for one in file.read()] == ["one"]
    other = LabelFile(path)
    other.add([label(text="two")])
    assert [one.text for one in file.read()] == [one.text for one in other.read()] == ["one", "two"]
    assert len(path.read_bytes().splitlines()) == 2


def test_a_line_that_is_no_label_is_named(tmp_path):
    path = tmp_path / "labels.jsonl"
    LabelFile(path).add([label(), label()])
    rows = path.read_text(encoding="utf-8").splitlines()
    for wrong in ("{}", "[1]", "no json", rows[0].replace('"labeled"', '"guessed"')):
        path.write_text("\n".join([rows[0], wrong, rows[1], ""]), encoding="utf-8")
        with pytest.raises(ValueError, match=r"labels\.jsonl, line 2: .*mend that line"):
            LabelFile(path).read()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"text": "a\tb"}, "holds a tab"),
        ({"text": "a\nb"}, "holds a line break"),
        ({"text": "a\u2028b"}, "holds a line break"),
        ({"text": "a\x00b"}, r"control character U\+0000"),
        ({"text": "  "}, "has a text"),
        ({"text": "a" * 3000}, "3000 characters"),
        ({"who": " "}, "names its annotator"),
        ({"line": "l1\n"}, "no name of the line"),
        ({"status": "maybe"}, "no status"),
        ({"polygon": ()}, "the polygon"),
        ({"polygon": ((0, 0), (1, 1))}, "3 points"),
        ({"polygon": ((0, 0), (1, 1), (float("nan"), 2))}, "finite"),
        ({"seconds": -1.0}, "0 seconds or more"),
    ],
)
def test_labels_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        label(**wrong)


def test_a_text_is_kept_in_its_normal_form():
    assert label(text=" e\u0301te\u0301  de ").text == "été de"


def test_pages_have_names_in_natural_order_and_documents_many(folder):
    frames = [Image.fromarray(np.full((300, 220), shade, np.uint8)) for shade in (10, 90)]
    frames[0].save(folder / "inner" / "scan.tif", save_all=True, append_images=frames[1:])
    (folder / "damaged.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "notes.txt").write_text("no page")
    pages = LabelingFolder(folder)
    expected = ["a.png", "damaged.pdf", "p2.png", "p10.png", "inner/b.png"]
    assert pages.pages() == [*expected, "inner/scan.tif#page=1", "inner/scan.tif#page=2"]
    assert pages.image("inner/scan.tif#page=2").shape == (300, 220, 3)
    assert (pages.image("inner/scan.tif#page=2") == 90).all()
    with pytest.raises(ImageError, match=r"damaged\.pdf"):
        pages.image("damaged.pdf")
    for name in ("../secret.png", "a.png#page=2", "/etc/passwd", "none.png"):
        with pytest.raises(UnknownPage):
            pages.image(name)
    (folder / "p2.png").unlink()
    with pytest.raises(UnknownPage, match="any more"):
        pages.image("p2.png")


def test_folders_that_are_something_else_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        LabelingFolder(tmp_path / "none")
    with pytest.raises(ValueError, match="no images"):
        LabelingFolder(tmp_path)
    picture = tmp_path / "a.png"
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(picture)
    with pytest.raises(ValueError, match="is a file"):
        LabelingFolder(picture)
    (tmp_path / "labeling").mkdir()
    LabelingFolder(tmp_path)
    (tmp_path / "labeling" / "b.png").touch()
    with pytest.raises(ValueError, match="no labels"):
        LabelingFolder(tmp_path)
    shutil.rmtree(tmp_path / "labeling")
    (tmp_path / "lines.tsv").touch()
    with pytest.raises(ValueError, match="folder of lines"):
        LabelingFolder(tmp_path)


def test_lines_keep_their_names_when_the_page_is_read_again(folder):
    pages = LabelingFolder(folder)
    assert pages.reading("a.png") is None
    assert pages.lines("a.png") == []
    pages.store_reading("a.png", reading(10, 60, 110))
    pages.add([label("l0002", polygon=box(62))])
    pages.store_reading("a.png", reading(61, 160, 12))  # one line is not found any more, one is new
    found = pages.lines("a.png")
    assert [line.id for line in found] == ["l0002", "l0004", "l0001"]
    assert (found[0].text, found[0].polygon) == ("text 61", box(62))
    assert found[0].labels["Ada"].text == "abc"
    stored = json.loads((folder / "labeling" / "readings" / "a.png.json").read_text(encoding="utf-8"))
    assert Page.from_dict(stored) == pages.reading("a.png")
    (folder / "labeling" / "readings" / "a.png.json").write_text("{", encoding="utf-8")
    assert pages.reading("a.png") is None
    assert [line.id for line in pages.lines("a.png")] == ["l0002"]


def test_added_lines_stand_where_they_belong_and_cover_what_was_read(folder):
    pages = LabelingFolder(folder)
    pages.store_reading("inner/b.png", reading(10, 110))
    added = [label("n0000000a", page="inner/b.png", polygon=box(60)), label("x7", page="inner/b.png", polygon=box(112))]
    pages.add(added)
    assert [line.id for line in pages.lines("inner/b.png")] == ["l0001", "n0000000a", "x7"]
    assert pages.lines("inner/b.png")[1].confidence == 0
    other = LabelingFolder(folder)  # another process
    other.add([label("x7", page="inner/b.png", status="no-line", text="", polygon=box(112))])
    assert [line.id for line in pages.lines("inner/b.png")] == ["l0001", "n0000000a", "l0002", "x7"]


def test_the_final_text_is_the_latest_where_all_agree(folder):
    pages = LabelingFolder(folder)
    pages.store_reading("a.png", reading(10, 60, 110, 160))
    pages.add([label("l0001", "one"), label("l0001", "one!"), label("l0002", "two"), label("l0002", "too", "Ben")])
    pages.add([label("l0003", "", status="illegible"), label("l0004", "", status="skipped")])
    agreed = pages.agreed()
    assert [(one.line, one.text) for one in agreed.labels] == [("l0001", "one!"), ("l0003", "")]
    assert [[one.text for one in said] for said in agreed.disputed] == [["two", "too"]]
    pages.add([label("l0002", "two", origin="adjudication")])
    assert [one.text for one in pages.agreed("a.png").labels] == ["one!", "two", ""]
    pages.add([label("l0002", "tow", "Cleo")])
    assert len(pages.agreed().disputed) == 1
    (folder / "a.png").unlink()
    LabelingFolder(folder).add([label("l0004", "four")])  # of a page that was there when its line was shown
    assert len(LabelingFolder(folder).agreed().labels) == 3
    with pytest.raises(UnknownPage):
        LabelingFolder(folder).add([label(page="b.png")])


def test_labels_that_cannot_be_written_leave_nothing_behind(folder, tmp_path):
    pages = LabelingFolder(folder)
    pages.add([label()])
    file = folder / "labeling" / "labels.jsonl"
    with pytest.raises(ValueError, match="tab"):
        pages.add([label(), label(text="a\tb")])
    before = file.read_bytes()
    file.unlink()
    file.mkdir()  # root may write into any file, but not into a folder
    with pytest.raises(OSError, match=r"labels\.jsonl"):
        pages.add([label()])
    file.rmdir()
    file.write_bytes(before)
    assert len(pages.labels("a.png")) == 1


def test_a_sample_is_opened_as_it_is(tmp_path):
    shutil.copy(SAMPLES / "letter.jpg", tmp_path)
    image = LabelingFolder(tmp_path).image("letter.jpg")
    assert image.shape[2] == 3
    assert np.array_equal(image, np.array(Image.open(SAMPLES / "letter.jpg").convert("RGB")))


def test_a_disk_that_fills_up_in_the_middle_of_a_label_leaves_no_half_of_it(tmp_path):
    resource = pytest.importorskip("resource", reason="Windows has no such limits")
    file = LabelFile(tmp_path / "labels.jsonl")
    file.add([label(text="one")])
    size = file.path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            file.add([label(text="two")])
        assert file.path.stat().st_size == size
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.add([label(text="three")])
    assert [one.text for one in file.read()] == ["one", "three"]
