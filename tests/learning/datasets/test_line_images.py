"""Line images with *.gt.txt files or a table, as other programs keep them."""

import pytest
from PIL import Image, ImageDraw

from text_recognizer.learning.datasets.line_images import holds_line_images
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.experiments.fine_tuning.data import _sources
from text_recognizer.learning.quality.load import gather


def draw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (220, 60), 240)
    ImageDraw.Draw(image).line((10, 50, 60, 10, 90, 50, 200, 15), fill=20, width=4)
    image.save(path)


@pytest.fixture
def folder(bare_data, tmp_path):
    """Twelve lines with files of their texts, the first in a folder of its own and of a name with two suffixes."""
    made = tmp_path / "lines"
    draw(made / "one" / "00.bin.png")
    (made / "one" / "00.gt.txt").write_text("\ufeffÉté\n", encoding="utf-8")
    for number in range(1, 12):
        draw(made / f"{number:02d}.png")
        (made / f"{number:02d}.gt.txt").write_text(f"line {number}\r\n")
    return made


def lines(folder, split="train"):
    return line_dataset(LineSource("line-images", path=str(folder), split=split))


def test_texts_beside_the_images_are_learned(folder):
    train, val = lines(folder), lines(folder, "val")
    assert (len(train), len(val)) == (11, 1)
    texts = {label.text for label in [*train.labels, *val.labels]}
    assert texts == {"Été", *(f"line {number}" for number in range(1, 12))}
    assert train[0][0].any()
    assert len(gather(str(folder)).lines) == 12
    assert [source.name for source in _sources(folder)] == ["line-images", "line-images"]


def test_texts_of_pages_beside_xml_files_are_no_line_images(folder):
    assert holds_line_images(folder)
    (folder / "page").mkdir()
    (folder / "page" / "01.xml").write_text("<PcGts/>")
    assert not holds_line_images(folder)


@pytest.mark.parametrize("head", ["filename,words", "file_name,text"])
def test_a_table_names_images_and_texts(bare_data, tmp_path, head, caplog):
    folder = tmp_path / "table"
    for split in ("train", "val"):
        draw(folder / split / "a.jpg")
        name = "labels.csv" if head.startswith("filename") else "metadata.csv"
        rows = f'{head}\na.jpg,"Baker Street,\n4 March"\ngone.png,nothing\n'
        (folder / split / name).write_text(rows, encoding="utf-8")
    assert [label.text for label in lines(folder).labels] == ["Baker Street, 4 March"]
    assert "no image" in caplog.text
    assert len(lines(folder, "val")) == 1


def test_what_is_wrong_is_said(bare_data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"line images with \*\.gt\.txt or labels\.csv"):
        lines(tmp_path)
    draw(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("image,label\na.png,x\n")
    with pytest.raises(ValueError, match="needs a column filename or file_name and a column words or text"):
        lines(tmp_path)
    (tmp_path / "labels.csv").write_text("filename,words\na.png,x\n")
    with pytest.raises(ValueError, match="no lines of split 'test'; there are: train"):
        lines(tmp_path, "test")
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(ValueError, match=r"a\.png"):
        lines(tmp_path)
