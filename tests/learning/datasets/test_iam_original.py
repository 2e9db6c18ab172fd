"""IAM in its owners' layout: lines, texts, writers, splits, paragraphs, and what is wrong with a copy of it."""

import shutil

import numpy as np
import pytest

from tests.helpers.iam_trees import FORMS, NATURAL, write_original, write_splits
from text_recognizer.learning.datasets.iam import (
    IamLine,
    iam_lines,
    natural_text,
    original_lines,
    require_disjoint,
    split_lines,
)
from text_recognizer.learning.datasets.iam_paragraphs import iam_paragraphs


@pytest.fixture(params=["xml", "lines.txt"])
def iam(request, bare_data):
    """The folder of IAM."""
    folder = bare_data / "iam"
    write_original(folder, xml=request.param == "xml", uttlists=request.param == "xml")
    return folder


def test_lines_have_their_texts_flags_boxes_and_writers(iam):
    lines = original_lines(iam)
    assert len(lines) == sum(len(texts) for _, texts in FORMS.values())
    assert [line.text for line in lines if line.form == "a01-000u"] == NATURAL
    assert [line.segmentation for line in lines if line.form == "b02-003"] == ["ok", "err", "ok"]
    assert {line.form: line.writer for line in lines} == {form: writer for form, (writer, _) in FORMS.items()}
    assert all(line.box is not None and line.box[2] > 20 for line in lines)
    assert isinstance(lines[0], IamLine)


def test_the_splits_are_those_of_the_lists(iam, caplog):
    parts = {split: iam_lines(split) for split in ("train", "val", "test")}
    assert {split: len(part) for split, part in parts.items()} == {"train": 3, "val": 3, "test": 2}
    image, label = parts["train"][0]
    assert (image.dtype, image.shape[0], label.writer) == (np.uint8, 64, "iam-000")
    assert "crossed-out words: a01-000u-02" in caplog.text


def test_paragraphs_are_runs_of_legible_lines(iam):
    ((image, label),) = iam_paragraphs("train")
    assert label.text == "\n".join(NATURAL[:2])  # what follows the crossed-out line is left out
    assert 150 < image.shape[0] < 300
    ((_, label),) = iam_paragraphs("val")
    assert label.text.count("\n") == 2


def test_a_writer_in_two_splits_is_named(iam):
    shutil.rmtree(iam / "splits")
    write_splits(iam, {"train": ["a01-000u", "b02-003"], "val": ["b02-003"], "test": ["c03-004"]})
    with pytest.raises(ValueError, match=r"share writers.*001 \(train, val\)"):
        split_lines(iam, "train")
    require_disjoint({"train": {"1", "2"}, "val": {"3"}})


def test_what_is_missing_is_named(iam):
    image = iam / "lines" / "b02" / "b02-003" / "b02-003-01.png"
    image.rename(image.with_suffix(".gif"))
    with pytest.raises(FileNotFoundError, match=r"b02-003-01\.png is missing"):
        iam_lines("val")
    with pytest.raises(ValueError, match="no lines of split 'dev'"):
        iam_lines("dev")
    shutil.rmtree(iam / "splits")
    with pytest.raises(FileNotFoundError, match=r"train\.uttlist"):
        iam_lines("train")


def test_a_broken_table_is_named_with_its_line(bare_data):
    folder = bare_data / "iam"
    write_original(folder, xml=False)
    table = folder / "lines.txt"
    table.write_text(table.read_text() + "z99-000-00 ok 154\n")
    with pytest.raises(ValueError, match=r"lines\.txt, line 11: 9 fields"):
        original_lines(folder)
    (folder / "forms.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"forms\.txt is missing"):
        original_lines(folder)


def test_quotes_stay_open_from_line_to_line():
    quotes: set[str] = set()
    assert natural_text('He said : " Come'.split(), quotes) == 'He said: "Come'
    assert natural_text('here ! " - and'.split(), quotes) == 'here!" - and'
    assert natural_text("I do n't think it 's £ 5 .".split(), set()) == "I don't think it's £5."
    assert natural_text('said. "Not the end'.split(), set()) == 'said. "Not the end'  # natural text stays as it is
