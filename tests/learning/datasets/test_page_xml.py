"""Folders of PAGE XML and ALTO of every version: text, outlines, splits, and what is wrong with a file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw

from text_recognizer.formats.alto_reader import line_text
from text_recognizer.formats.xml import parse_file
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.page_folders import split_files
from text_recognizer.learning.datasets.page_xml import read_page
from text_recognizer.learning.datasets.sources import LineSource, line_dataset

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/{}"
ALTO = "http://www.loc.gov/standards/alto/ns-v{}#"
TEXTS = ["Été & <fils>", "“Zwei” Äpfel"]
BOXES = [(40, 40, 300, 40), (40, 120, 340, 40)]
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]><PcGts><Page>&d;</Page></PcGts>'


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def page_xml(name: str, version: str, lines: str | None = None, size=(400, 200)) -> str:
    """A PAGE file; before 2013 its points are elements."""
    elements = ""
    for number, (text, (x, y, w, h)) in enumerate(zip(TEXTS, BOXES, strict=True)):
        corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        if version < "2013":
            coordinates = "<Coords>" + "".join(f'<Point x="{a}" y="{b}"/>' for a, b in corners) + "</Coords>"
        else:
            coordinates = f'<Coords points="{" ".join(f"{a},{b}" for a, b in corners)}"/>'
            coordinates += f'<Baseline points="{x},{y + h - 10} {x + w},{y + h - 10}"/>'
        versions = (
            f'<TextEquiv index="1"><Unicode>worse</Unicode></TextEquiv><TextEquiv index="0"><Unicode>{escaped(text)}'
        )
        elements += f'<TextLine id="l{number}">{coordinates}{versions}</Unicode></TextEquiv></TextLine>'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><PcGts xmlns="{PAGE.format(version)}">'
        f'<Page imageFilename="C:\\x\\{name}" '
        f'imageWidth="{size[0]}" imageHeight="{size[1]}"><TextRegion id="r">'
        f"{elements if lines is None else lines}</TextRegion></Page></PcGts>"
    )


def alto(name: str, version: int, unit: int = 1) -> str:
    """An ALTO file; unit: units a pixel."""
    elements = ""
    for text, (x, y, w, h) in zip(TEXTS, BOXES, strict=True):
        x, y, w, h = (value * unit for value in (x, y, w, h))
        level = y + h - 10 * unit
        baseline = f"{x},{level} {x + w},{level}" if version == 4 else str(level)
        shape = f'<Shape><Polygon POINTS="{x} {y} {x + w} {y} {x + w} {y + h} {x} {y + h}"/></Shape>'
        words = '<SP WIDTH="4"/>'.join(f'<String CONTENT="{escaped(word)}"/>' for word in text.split(" "))
        elements += (
            f'<TextLine BASELINE="{baseline}" HPOS="{x}" VPOS="{y}" WIDTH="{w}" HEIGHT="{h}">'
            f"{shape if version > 2 else ''}{words}</TextLine>"
        )
    return (
        f'<alto xmlns="{ALTO.format(version)}"><Description><sourceImageInformation><fileName>{name}</fileName>'
        f'</sourceImageInformation></Description><Layout><Page WIDTH="{400 * unit}" HEIGHT="{200 * unit}"><PrintSpace>'
        f"<TextBlock>{elements}</TextBlock></PrintSpace></Page></Layout></alto>"
    )


def draw(path: Path) -> None:
    """A page 400 x 200 with a dark bar where each line is."""
    picture = Image.new("L", (400, 200), 245)
    for x, y, w, h in BOXES:
        for column in range(x + 4, x + w - 8, 12):
            ImageDraw.Draw(picture).rectangle((column, y + 8, column + 5, y + h - 11), fill=20)
    picture.save(path)


VERSIONS = {
    "PAGE 2010": page_xml("p.png", "2010-03-19"),
    "PAGE 2013": page_xml("p.png", "2013-07-15"),
    "PAGE 2017": page_xml("p.png", "2017-07-15"),
    "PAGE 2019": page_xml("p.png", "2019-07-15"),
    "ALTO 2": alto("p.png", 2),
    "ALTO 3": alto("p.png", 3),
    "ALTO 4": alto("p.png", 4),
    "ALTO 4 in tenths of millimetres": alto("p.png", 4, unit=3),
}


@pytest.mark.parametrize("content", VERSIONS.values(), ids=VERSIONS.keys())
def test_every_version_gives_the_same_lines(tmp_path, content):
    (tmp_path / "page").mkdir()
    draw(tmp_path / "p.png")
    (tmp_path / "page" / "p.xml").write_text(content, encoding="utf-8")
    page = read_page(tmp_path / "page" / "p.xml", exclusions := Exclusions("x"))
    assert [line["text"] for line in page.lines] == TEXTS
    assert exclusions.count == 0
    for line, (x, y, w, h) in zip(page.lines, BOXES, strict=True):
        assert np.min(line["polygon"], axis=0) == pytest.approx((x, y))
        assert np.max(line["polygon"], axis=0) == pytest.approx((x + w, y + h))
        assert y < line["baseline"][0][1] < y + h


def store(picture: Image.Image, path: Path, kind: str) -> None:
    """Save a gray page otherwise: with 16 bits, or lying on its side with an EXIF orientation that says so."""
    if kind == "16 bits":
        Image.fromarray(np.array(picture).astype(np.uint16) * 257).save(path)
        return
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # shown turned by 90 degrees clockwise
    picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


@pytest.mark.parametrize("kind", ["16 bits", "on its side"])
def test_pages_are_opened_as_reading_opens_them(tmp_path, kind):
    draw(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        plain = np.array(picture)
        store(picture, tmp_path / "p.png", kind)
    (tmp_path / "p.xml").write_text(page_xml("p.png", "2019-07-15"), encoding="utf-8")
    page = read_page(tmp_path / "p.xml", Exclusions("x"))
    assert (page.image() == plain).all()
    assert np.max(page.lines[0]["polygon"], axis=0) == pytest.approx((340, 80))


def test_a_file_of_the_picture_as_it_is_stored_is_taken_so(tmp_path):
    draw(tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        plain = np.array(picture)
        picture.save(tmp_path / "p.png", exif=exif)
    (tmp_path / "p.xml").write_text(page_xml("p.png", "2019-07-15"), encoding="utf-8")
    assert (read_page(tmp_path / "p.xml", Exclusions("x")).image() == plain).all()


@pytest.fixture
def folder(bare_data, tmp_path):
    """Twelve pages, PAGE and ALTO by turns."""
    made = tmp_path / "letters"
    made.mkdir()
    for number in range(12):
        draw(made / f"p{number}.png")
        content = page_xml(f"p{number}.png", "2019-07-15") if number % 2 else alto(f"p{number}.png", 4)
        (made / f"p{number}.xml").write_text(content, encoding="utf-8")
    return made


def test_a_folder_trains(folder):
    train, val = (line_dataset(LineSource("pages", path=str(folder), split=split)) for split in ("train", "val"))
    assert (len(train), len(val)) == (22, 2)
    assert not {label.writer for label in train.labels} & {label.writer for label in val.labels}
    image, label = train[1]
    assert (image.dtype, image.shape[0], label.text) == (np.uint8, 64, TEXTS[1])
    assert image.any()


def test_splits_by_lists_and_by_folders(folder):
    (folder / "train.txt").write_text("p3.png\nimages/p1.jpg\n")
    (folder / "val.txt").write_text("p2\n")
    assert [path.stem for path in split_files(str(folder), "train")] == ["p3", "p1"]
    with pytest.raises(ValueError, match="no pages of split 'test'; there are: train, val"):
        split_files(str(folder), "test")
    (folder / "val.txt").write_text("nobody\n")
    with pytest.raises(FileNotFoundError, match=r"val\.txt names nobody"):
        split_files(str(folder), "val")
    (folder / "val").mkdir()
    (folder / "p5.xml").rename(folder / "val" / "p5.xml")
    assert [path.stem for path in split_files(str(folder), "val")] == ["p5"]


def read(folder: Path, content: str):
    (folder / "p0.xml").write_text(content, encoding="utf-8")
    exclusions = Exclusions("x")
    return read_page(folder / "p0.xml", exclusions).lines, exclusions


def test_what_is_odd_is_mended_or_left_out(folder):
    far = '<TextLine id="a"><Coords points="-50,20 900,20 900,90 -50,90"/>'
    far += "<TextEquiv><Unicode>far</Unicode></TextEquiv></TextLine>"
    bare = '<TextLine id="b"><Baseline points="10,90 300,90"/><TextEquiv><Unicode>bare</Unicode></TextEquiv></TextLine>'
    empty = '<TextLine id="c"><Coords points="1,2 3,4 5,6"/><TextEquiv><Unicode> </Unicode></TextEquiv></TextLine>'
    lost = '<TextLine id="d"><TextEquiv><Unicode>lost</Unicode></TextEquiv></TextLine>'
    lines, exclusions = read(folder, page_xml("p0.png", "2019-07-15", far + bare + empty + lost))
    assert [line["text"] for line in lines] == ["far", "bare"]
    assert np.array(lines[0]["polygon"]).min() == 0
    assert np.array(lines[0]["polygon"]).max() == 399
    assert len(lines[1]["polygon"]) >= 4
    assert {reason: len(places) for reason, places in exclusions.reasons.items()} == {
        "no text": 1,
        "neither outline nor baseline": 1,
    }
    assert "p0.xml, line c" in " ".join(exclusions.lines())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, r"p0\.xml: this file declares a document type"),
        ("<PcGts><Page>", r"p0\.xml: this is not well-formed"),
        ("<html/>", r"p0\.xml: it is neither PAGE XML nor ALTO"),
        ("<PcGts/>", r"p0\.xml: this PAGE XML has a <PcGts> without a <Page>"),
        (page_xml("p0.png", "2019-07-15", size=(400, 900)), r"p0\.xml is of an image of 400 x 900"),
        (page_xml("p0.png", "2019-07-15").replace("40,40", "x,y"), r"p0\.xml: a coordinate is no number: 'x'"),
    ],
)
def test_a_broken_file_is_named(folder, content, message):
    with pytest.raises(ValueError, match=message):
        read(folder, content)


def test_a_missing_image_is_named_with_its_file(folder):
    (folder / "p0.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"image 'p0\.png' of .*p0\.xml is missing"):
        read(folder, page_xml("/etc/p0.png", "2019-07-15"))
    (folder / "p0.png").write_text("no image")
    with pytest.raises(ValueError, match=r"p0\.png, the image of .*p0\.xml, is no image"):
        read(folder, page_xml("p0.png", "2019-07-15"))
    with pytest.raises(FileNotFoundError, match="no path"):
        split_files("", "train")


def test_an_external_entity_is_not_read(tmp_path):
    (tmp_path / "a.xml").write_text('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')
    for doctype in (False, True):
        with pytest.raises(ValueError, match="refused"):
            parse_file(tmp_path / "a.xml", doctype)


def test_strings_of_alto_without_spaces_between(tmp_path):
    (tmp_path / "a.xml").write_text(
        '<TextLine><String CONTENT="two"/><String CONTENT="words"/><HYP CONTENT="-"/></TextLine>'
    )
    assert line_text(parse_file(tmp_path / "a.xml")) == "two words-"
