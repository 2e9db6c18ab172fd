"""What comes out of labelling: how far annotators agree, and the settled lines, cut out to train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.helpers.labelled_pages import blank_pages, box, label, queue_of, reading
from text_recognizer.cli.main import app
from text_recognizer.labeling.agreement import edits
from text_recognizer.labeling.export import COLUMNS, Choice, export_labels
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.outlines import cut_out, straight_baseline


@pytest.fixture
def folder(tmp_path) -> Path:
    return blank_pages(tmp_path)


def test_export_writes_what_is_settled_as_lines_to_train_on(folder, monkeypatch):
    from text_recognizer.learning.datasets.own_folder import folder_lines

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


@pytest.mark.parametrize("texts", [("", "abc"), ("kitten", "sitting"), ("flaw", "lawn"), ("été", "été"), ("aaaa", "")])
def test_edits_are_those_of_a_known_library(texts):
    from rapidfuzz.distance import Levenshtein

    assert edits(*texts) == Levenshtein.distance(*texts)
