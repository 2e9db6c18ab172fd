"""The labelling folder: labels that many append, readings whose lines keep their names, pages of all kinds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SAMPLES
from PIL import Image
from typer.testing import CliRunner

from text_recognizer.cli.main import app
from text_recognizer.images import ImageError
from text_recognizer.page import Line, Page
from text_recognizer.service.labeling.cutting import cut_out, straight_baseline
from text_recognizer.service.labeling.edits import edits
from text_recognizer.service.labeling.folder import LabelingFolder
from text_recognizer.service.labeling.labels import Label, LabelFile, now
from text_recognizer.service.labeling.pages import UnknownPage
from text_recognizer.service.labeling.queue.export import COLUMNS, Choice, export_labels
from text_recognizer.service.labeling.queue.queue import LabelQueue


def box(top: float, left: float = 10, right: float = 200, height: float = 30):
    return ((left, top), (right, top), (right, top + height), (left, top + height))


def label(line="l0001", text="abc", who="Ada", page="a.png", status="labeled", **more) -> Label:
    return Label(page, line, who, now(), status, text, more.pop("polygon", box(10)), **more)


def reading(*tops: float) -> Page:
    lines = [Line(f"text {top}", box(top), 0.5, ((10, top + 22), (200, top + 22))) for top in tops]
    return Page(tuple(lines), 220, 300)


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("a.png", "p10.png", "p2.png", "inner/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((300, 220), 255, np.uint8)).save(tmp_path / name)
    return tmp_path


APPEND = """
import sys
from pathlib import Path
from text_recognizer.service.labeling.labels import Label, LabelFile, now
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


def queue_of(folder, **options) -> LabelQueue:
    pages = LabelingFolder(folder)
    low, high = Line("low", box(10), 0.2), Line("high", box(60), 0.9)
    pages.store_reading("a.png", Page((high, low), 220, 300))
    pages.store_reading("p2.png", Page((Line("middle", box(10), 0.5),), 220, 300))
    return LabelQueue(pages, **options)


def said(task, who="Ada", text="x", status="labeled", **more) -> Label:
    return label(task.line.id, text, who, task.page, status, polygon=task.line.polygon, **more)


def test_doubtful_lines_come_first_and_nobody_gets_the_line_of_another(folder):
    clock = [0.0]
    queue = queue_of(folder, seconds=100, clock=lambda: clock[0])
    assert queue.next("Ada").line.text == "low"
    assert queue.next("Ada").line.text == "low"  # after a reload it is still hers
    assert queue.next("Ben").line.text == "middle"
    assert queue.next("Cleo", order="page").line.text == "high"
    assert queue.next("Dan") is None
    assert queue.others("Dan")
    clock[0] = 101
    assert queue.next("Dan").line.text == "low"
    queue.source.add([said(queue.task("Dan", "a.png", "l0002"), "Dan")])
    assert queue.next("Ada", passed=[("p2.png", "l0001")]).line.text == "high"
    assert queue.next("Ada", page="p2.png").line.text == "middle"
    assert queue.next("Ada", page="none.png") is None
    with pytest.raises(ValueError, match="no order"):
        queue.next("Ada", order="best")


def test_a_line_that_is_passed_on_is_for_somebody_else(folder):
    queue = queue_of(folder)
    task = queue.next("Ada")
    queue.source.add([said(task, text="", status="skipped")])
    assert queue.next("Ada").line.text == "middle"
    assert queue.next("Ben").line.text == "low"
    queue.release("Ben", task.page, task.line.id)
    assert queue.next("Ada", order="skipped").line.text == "low"
    assert (queue.progress().waiting, queue.progress().done) == (3, 0)


def test_lines_for_two_people_come_to_both_and_disputed_ones_again(folder):
    queue = queue_of(folder, overlap=1.0)
    first, second = queue.next("Ada"), queue.next("Ben")
    assert first.line.id == second.line.id
    assert queue.next("Cleo").line.text == "middle"  # two have it in hand
    queue.source.add([said(first, text="abcd"), said(second, "Ben", "abce")])
    queue.release("Ben", second.page, second.line.id)
    progress = queue.progress()
    assert (progress.disputed, progress.done, progress.waiting, dict(progress.by)) == (1, 0, 2, {"Ada": 1, "Ben": 1})
    found = queue.agreement()
    pair = found.pairs[0]
    assert (pair.lines, pair.exact, pair.edits, pair.cer) == (1, 0, 1, 0.25)
    assert [one.text for one in found.disputed[0]] == ["abcd", "abce"]
    assert queue.next("Ada", order="disputed").adjudicate
    assert queue.next("Ben", order="disputed") is None  # Ada has it
    queue.source.add([said(first, text="abce", origin="adjudication")])
    assert queue.next("Ada", order="disputed") is None
    assert queue.progress().done == 1
    assert queue.agreement().pairs[0].exact == 0  # what was said in sight of the other's text proves nothing
    assert queue.agreement().disputed == []
    some = LabelQueue(queue.source, overlap=0.3)
    assert 200 < sum(some.wanted("a.png", f"l{n:04d}") == 2 for n in range(1000)) < 400
    with pytest.raises(ValueError, match="from 0 to 1"):
        LabelQueue(queue.source, overlap=2)


def test_the_rest_of_the_queue_is_what_is_disputed(folder):
    queue = queue_of(folder)
    for who in ("Ada", "Ben", "Cleo"):
        task = queue.next(who)
        queue.source.add([said(task, "Ada"), said(task, "Ben", "y")])
        queue.release(who, task.page, task.line.id)
    assert [queue.next("Dan").adjudicate, queue.next("Eve").adjudicate] == [True, True]


@pytest.mark.parametrize("texts", [("", "abc"), ("kitten", "sitting"), ("flaw", "lawn"), ("été", "été"), ("aaaa", "")])
def test_edits_are_those_of_a_known_library(texts):
    from rapidfuzz.distance import Levenshtein

    assert edits(*texts) == Levenshtein.distance(*texts)


def test_export_writes_what_is_settled_as_lines_to_train_on(folder, monkeypatch):
    from text_recognizer.learning.data.folder import folder_lines

    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(folder / "cache"))
    pages = LabelingFolder(folder)
    page = np.full((300, 220), 255, np.uint8)
    page[20:30, 20:190] = 0
    Image.fromarray(page).save(folder / "a.png")
    pages.store_reading("a.png", reading(10, 60, 110, 160))
    pages.add([label("l0001", "été"), label("l0002", "two"), label("l0002", "too", "Ben")])
    pages.add([label("l0003", "", status="illegible"), label("l0004", "", status="no-line")])
    pages.add([label("l0001", "deep", page="inner/b.png"), label("l0002", "漢", page="inner/b.png", polygon=box(60))])
    pages.add([label("n0000000a", "out", page="inner/b.png", polygon=box(900))])
    target = folder.parent / "lines"
    report = export_labels(pages, target, Choice(split="train", licence="CC0"))
    assert report.splits == {"train": 3}
    assert report.writers == {folder.name, "inner"}
    assert report.unknown == {"漢": 1}
    assert report.left_out == {
        "annotators dispute it": 1,
        "nobody can read it": 1,
        "there is no line": 1,
        "its outline is empty, or lies outside of the page": 1,
    }
    rows = [row.split("\t") for row in (target / "lines.tsv").read_text(encoding="utf-8").splitlines()]
    assert rows[0] == [*COLUMNS]
    first = dict(zip(COLUMNS, rows[1], strict=True))
    assert (first["text"], first["page"], first["line"], first["annotator"]) == ("été", "a.png", "l0001", "Ada")
    image = np.array(Image.open(target / "lines" / f"{first['line_id']}.png"))
    assert image.shape[1] >= 190
    assert (image.min(), image.max()) == (0, 255)
    assert len(folder_lines(str(target), "train")) == 2  # without the one of an unknown character
    before = (target / "lines.tsv").read_bytes()
    with pytest.raises(FileExistsError, match="--replace"):
        export_labels(pages, target, Choice())
    export_labels(LabelingFolder(folder), target, Choice(split="train", licence="CC0"), replace=True)
    assert (target / "lines.tsv").read_bytes() == before
    (target / "lines.tsv").write_text("line_id\tother\n", encoding="utf-8")
    with pytest.raises(FileExistsError, match="no export of labels"):
        export_labels(pages, target, Choice(), replace=True)


def test_export_needs_labels_and_a_known_split(folder):
    with pytest.raises(ValueError, match="no labelled lines"):
        export_labels(LabelingFolder(folder), folder.parent / "new", Choice())
    assert not (folder.parent / "new").exists()
    with pytest.raises(ValueError, match="no split"):
        export_labels(LabelingFolder(folder), folder.parent / "new", Choice(split="all"))


def test_a_line_is_cut_along_its_baseline_or_a_straight_one():
    page = np.full((300, 400, 3), 255, np.uint8)
    slanted = ((20.0, 100.0), (380.0, 40.0), (380.0, 70.0), (20.0, 130.0))
    (left, right) = straight_baseline(slanted)
    assert left[0] < 30
    assert right[0] > 370
    assert left[1] - right[1] == pytest.approx(60, abs=6)
    assert cut_out(page, slanted).shape[1] == pytest.approx(365, abs=8)
    for wrong in (((5, 5), (5, 5), (5, 5)), box(900)):
        with pytest.raises(ValueError, match="empty, or lies outside"):
            cut_out(page, wrong)


def test_agreement_is_said_on_the_command_line(folder):
    queue = queue_of(folder)
    runner = CliRunner()
    assert "no line was labelled by two people" in runner.invoke(app, ["label", "agreement", str(folder)]).output
    queue.source.add([label("l0001", "abcd"), label("l0001", "abce", "Ben")])
    output = runner.invoke(app, ["label", "agreement", str(folder)]).output
    assert "Ada and Ben: 1 lines with a text from both, 0.0 % the same (0), CER 25.00 %" in output
    assert "disputed: a.png l0001  Ada: abcd, Ben: abce" in output
    refused = runner.invoke(app, ["label", "export", str(folder), "--output", str(folder.parent / "x")])
    assert refused.exit_code == 2
    assert "annotators dispute it" in refused.output
    assert runner.invoke(app, ["label", "serve", str(folder / "none")]).exit_code == 2


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
