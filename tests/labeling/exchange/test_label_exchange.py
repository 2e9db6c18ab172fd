"""Labels to and from Transkribus, eScriptorium, kraken and Label Studio, and what may be wrong with their files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.label_folders import FIRST, SECOND, SIZE, box, make_folder, run, said
from tests.helpers.xml_schemas import assert_valid
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.labels import Label, now
from text_recognizer.page import Line, Page

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/"

TRANSKRIBUS = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<PcGts xmlns="{PAGE}2013-07-15" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="{PAGE}2013-07-15 {PAGE}2013-07-15/pagecontent.xsd"><Metadata>
<Creator>prov=University of Rostock/Institute of Mathematics/CITlab</Creator><Created>2020-05-05T10:41:31.131+02:00
</Created><LastChange>2020-05-08T14:37:57.020+02:00</LastChange>
<TranskribusMetadata docId="1" pageId="2" pageNr="1" tsid="3"
 status="GT" userId="4" imgUrl="https://files.example/Get?id=X&amp;fileType=view" xmlUrl="x" imageId="5"/></Metadata>
<Page imageFilename="letter one.jpg" imageWidth="400" imageHeight="300"><ReadingOrder><OrderedGroup id="ro_1"
 caption="Regions reading order"><RegionRefIndexed index="0" regionRef="r1"/></OrderedGroup></ReadingOrder>
<TextRegion orientation="0.0" id="r1" custom="readingOrder {{index:0;}}"><Coords points="30,30 390,30 390,200 30,200"/>
<TextLine id="r1l1" custom="readingOrder {{index:0;}} abbrev {{offset:0; length:3;expansion:Mister;}}">
<Coords points="40,40 340,40 340,80 40,80"/><Baseline points="40,70 340,70"/><TextEquiv>
    <Unicode>Mr. Weiß &amp; Söhne</Unicode></TextEquiv></TextLine>
<TextLine id="r1l2" custom="readingOrder {{index:1;}}"><Coords points="40,120 380,120 380,160 40,160"/>
<Baseline points="40,150 380,150"/><TextEquiv><Unicode></Unicode></TextEquiv></TextLine>
<TextEquiv><Unicode>Mr. Weiß &amp; Söhne
</Unicode></TextEquiv></TextRegion></Page></PcGts>"""

ESCRIPTORIUM = """<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://www.loc.gov/standards/alto/ns-v4# http://www.loc.gov/standards/alto/v4/alto-4-2.xsd">
<Description><MeasurementUnit>pixel</MeasurementUnit><sourceImageInformation><fileName>b.png</fileName>
<fileIdentifier>https://escriptorium.example/iiif/7</fileIdentifier></sourceImageInformation></Description>
<Tags><OtherTag ID="BT1" LABEL="MainZone" DESCRIPTION="block type MainZone"/><OtherTag ID="LT1" LABEL="DefaultLine"
 DESCRIPTION="line type"/></Tags><Layout><Page WIDTH="400" HEIGHT="300" PHYSICAL_IMG_NR="0" ID="eSc_dummypage_">
<PrintSpace HPOS="0" VPOS="0" WIDTH="400" HEIGHT="300"><TextBlock ID="eSc_textblock_1" TAGREFS="BT1">
<Shape><Polygon POINTS="30 30 390 30 390 200 30 200"/></Shape><TextLine ID="eSc_line_7e1f" TAGREFS="LT1"
 BASELINE="40 70 340 70" HPOS="40" VPOS="40" WIDTH="300" HEIGHT="40"><Shape><Polygon
 POINTS="40 40 340 40 340 80 40 80"/></Shape>
<String CONTENT="L’été à Genève" HPOS="40" VPOS="40" WIDTH="300" HEIGHT="40"/></TextLine></TextBlock>
</PrintSpace></Page></Layout></alto>"""

KRAKEN = f"""<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="{PAGE}2019-07-15"><Metadata><Creator>kraken 5.3.0</Creator><Created>2025-01-01T00:00:00</Created>
<LastChange>2025-01-01T00:00:00</LastChange></Metadata><Page imageFilename="/home/me/inner/c.tif" imageWidth="800"
 imageHeight="600"><TextRegion id="region_0"><Coords points="60,60 780,60 780,400 60,400"/><TextLine id="_9a4c1">
<Coords points="80,80 680,80 680,160 80,160"/><Baseline points="80,140 680,140"/><Word id="segment_0"><Coords
 points="80,80 300,80 300,160 80,160"/><TextEquiv conf="0.99"><Unicode>two</Unicode></TextEquiv></Word>
<TextEquiv index="1"><Unicode>too words</Unicode></TextEquiv><TextEquiv index="0" conf="0.9">
<Unicode>two words</Unicode></TextEquiv></TextLine></TextRegion></Page></PcGts>"""


def page_xml(lines: str, image: str = "b.png", size=SIZE, version: str = "2019-07-15") -> str:
    namespace = f' xmlns="{PAGE}{version}"' if version else ""
    name = f'imageFilename="{image}" ' if image else ""
    return (
        f'<PcGts{namespace}><Page {name}imageWidth="{size[0]}" imageHeight="{size[1]}"><TextRegion id="r">{lines}'
        "</TextRegion></Page></PcGts>"
    )


def text_line(text: str, name: str = "x1", place=SECOND, more: str = "") -> str:
    points = " ".join(f"{x},{y}" for x, y in box(*place))
    return (
        f'<TextLine id="{name}"><Coords points="{points}"/>{more}<TextEquiv><Unicode>{text}</Unicode></TextEquiv>'
        "</TextLine>"
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    return make_folder(tmp_path / "pages")


def write(folder: Path, **files: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return [folder / name.replace("__", ".") for name in files]


def test_files_of_three_programs_are_imported_once(folder, tmp_path):
    mets = '<mets xmlns="http://www.loc.gov/METS/"/>'
    files = write(tmp_path / "xml", a__xml=TRANSKRIBUS, b__xml=ESCRIPTORIUM, c__xml=KRAKEN, METS__xml=mets)
    code, output = run("import", *files, "--into", folder, "--annotator", "Ada")
    assert code == 0, output
    assert said(folder) == {
        ("letter one.jpg", "r1l1", "labeled", "Mr. Weiß & Söhne"),
        ("b.png", "eSc_line_7e1f", "labeled", "L’été à Genève"),
        ("inner/c.png", "_9a4c1", "labeled", "two words"),
    }
    labels = LabelingFolder(folder).labels()
    assert {(label.annotator, label.origin) for label in labels} == {("Ada", "page"), ("Ada", "alto")}
    assert {label.polygon for label in labels} == {box(*FIRST)}
    assert {label.baseline for label in labels} == {((40, 70), (340, 70))}
    for message in (
        "a.xml: 1 lines without text are left out",
        "c.xml: its image '/home/me/inner/c.tif' is taken to be inner/c.png",
        "c.xml: scaled from 800 x 600 to 400 x 300 pixels",
        "METS.xml is a METS file",
        "added 3 labels",
    ):
        assert message in output
    code, output = run("import", *files, "--into", folder, "--annotator", "Ada")
    assert "added 0 labels" in output
    assert "3 were there already" in output
    assert len(LabelingFolder(folder).labels()) == 3


BAD = {
    "an image of another shape": (page_xml(text_line("a"), size=(300, 400)), "it is of an image of 300 x 400"),
    "no image": (page_xml(text_line("a"), "gone.tif"), "there is no image 'gone.tif' in the folder"),
    "images by one name": (page_xml(text_line("a"), "c.png"), "may be any of inner/c.png, other/c.png"),
    "a document type": ('<!DOCTYPE a [<!ENTITY b "c">]>' + page_xml("&b;"), "refused, remove the <!DOCTYPE"),
    "no XML": ("<PcGts><Page>", "this is not well-formed XML"),
    "something else": ("<html/>", "it is neither PAGE XML nor ALTO: its root is <html>"),
    "no page": ("<PcGts/>", "without a <Page>"),
    "words": ("hello", "it is neither PAGE XML nor ALTO nor a JSON export"),
    "a place": (page_xml(text_line("a").replace("40,120", "x,y")), "a coordinate is no number: 'x'"),
    "a tab": (page_xml(text_line("one&#9;two")), "line x1 is left out: the text holds a tab"),
    "two lines in one": (page_xml(text_line("one\ntwo")), "line x1 is left out: the text holds a line break"),
    "nowhere": (
        page_xml('<TextLine id="x1"><TextEquiv><Unicode>a</Unicode></TextEquiv></TextLine>'),
        "line x1 is left out: it has neither an outline nor a baseline",
    ),
    "outside": (
        page_xml(text_line("a", place=(900, 900, 50, 50))),
        "line x1 is left out: its outline is empty, or lies outside",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_what_is_refused_is_named_and_all_else_is_imported(folder, tmp_path, content, message):
    good = page_xml(text_line("first", "y1", FIRST))
    bad = content.replace("</TextRegion>", text_line("good", "z1", FIRST) + "</TextRegion>")
    files = write(tmp_path / "xml", one__xml=bad, two__xml=good)
    code, output = run("import", *files, "--into", folder)
    assert code == 2
    assert message in output
    assert ("b.png", "y1", "labeled", "first") in said(folder) or ("b.png", "z1", "labeled", "first") in said(folder)
    assert ("is left out" in message) == (("b.png", "z1", "labeled", "good") in said(folder))


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("2010-03-19", "C:\\scans\\b.png"),
        ("2013-07-15", "/mnt/x/b.png"),
        ("2017-07-15", "https://host.example/files/B.PNG?w=9"),
        ("2019-07-15", "b.tif"),
        ("", ""),
    ],
)
def test_images_are_found_by_whatever_names_them(folder, tmp_path, version, image):
    file = tmp_path / "b.page.xml"
    file.write_text(page_xml(text_line("a"), image, version=version), encoding="utf-8")
    code, output = run("import", file, "--into", folder)
    assert (code, said(folder)) == (0, {("b.png", "x1", "labeled", "a")}), output
    assert ("it names no image, and is taken to be of b.png" if not image else f"{image!r} is taken to be b") in output


def test_lines_take_the_names_of_those_that_they_cover(folder, tmp_path):
    labeling = LabelingFolder(folder)
    labeling.store_reading("b.png", Page((Line("frist", box(40, 42, 298, 38), 0.5),), *SIZE))
    bare = '<TextLine id="x1"><Baseline points="10,250 300,250"/><TextEquiv><Unicode>bare</Unicode></TextEquiv>'
    bare += "</TextLine>"
    file = tmp_path / "b.xml"
    # Identifiers that are not unique, that our line has, and that are none.
    lines = text_line("first", "l9", FIRST) + text_line("other", "l0001", SECOND)
    file.write_text(page_xml(lines + bare + text_line("last", "x1", (40, 170, 300, 30))), encoding="utf-8")
    assert run("import", file, "--into", folder)[0] == 0
    names = {text: name for _, name, _, text in said(folder)}
    assert names["first"] == "l0001"
    for text in ("other", "bare", "last"):
        assert re.fullmatch(r"n[0-9a-f]{8}", names[text])
    assert len(set(names.values())) == 4
    assert [line.labels["page"].text for line in labeling.lines("b.png")] == ["first", "other", "last", "bare"]
    assert "added 0 labels" in run("import", file, "--into", folder)[1]
    file.write_text(page_xml(text_line("better", "l9", FIRST)), encoding="utf-8")
    assert "added 1 labels" in run("import", file, "--into", folder)[1]
    assert [label.text for label in labeling.labels() if label.line == "l0001"] == ["first", "better"]


def label(line: str, place, text: str = "", who: str = "Ada", page: str = "b.png", **more) -> Label:
    status = more.pop("status", "labeled")
    return Label(page, line, who, now(), status, text, box(*place), ((place[0], place[1] + 30), (300, place[1] + 31)))


@pytest.fixture
def labelled(folder) -> Path:
    labeling = LabelingFolder(folder)
    lines = tuple(Line(f"read {n}", box(20, 20 + 40 * n, 300, 30), 0.5) for n in range(5))
    labeling.store_reading("b.png", Page(lines, *SIZE, models={"lines": "some model"}))
    labeling.add(
        [
            label("l0001", (20.25, 20.5, 300, 30), "Él & “sie” <3"),
            label("l0001", (20.25, 20.5, 300, 30), "Él & “sie” <3", "Ben"),
            label("l0002", (20, 60, 300, 30), status="illegible"),
            label("l0003", (20, 100, 300, 30), status="no-line"),
            label("l0004", (20, 140, 300, 30), "one thing"),
            label("l0004", (20, 140, 300, 30), "another", "Ben"),
            label("n0a1b2c3d", (20, 230, 300, 30), "drawn"),
            label("l0001", (10, 10, 90, 30), "inner", page="inner/c.png"),
            label("l0001", (10, 10, 90, 30), "other", page="other/c.png"),
        ]
    )
    return folder


@pytest.mark.parametrize("form", ["page", "alto"])
def test_labels_go_to_another_folder_and_are_the_same(labelled, tmp_path, form):
    out, copy = tmp_path / "out", tmp_path / "copy"
    code, output = run("export", labelled, "--format", form, "--output", out)
    assert (code, "wrote 3 files with 4 labelled lines, 1 illegible" in output) == (0, True)
    assert "disputed: b.png l0004 Ada: one thing, Ben: another" in output
    assert run("export", labelled, "--format", form, "--output", out)[0] == 2
    files = sorted(out.rglob("*.xml"))
    assert [str(file.relative_to(out)) for file in files] == ["b.xml", "inner/c.xml", "other/c.xml"]
    for file in files:
        assert_valid(form, file.read_bytes())
    for name in LabelingFolder(labelled).pages():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((labelled / name).read_bytes())
    assert run("import", *files, "--into", copy, "--annotator", "Ada")[0] == 0
    before, after = (
        {(label.page, label.line, label.status, label.text): label for label in LabelingFolder(f).agreed().labels}
        for f in (labelled, copy)
    )
    before.pop(("b.png", "l0003", "no-line", ""))
    assert before.keys() == after.keys()
    for key, one in before.items():
        assert np.abs(np.array(one.polygon) - np.array(after[key].polygon)).max() <= (0.5 if form == "page" else 0)
        assert np.abs(np.array(one.baseline) - np.array(after[key].baseline)).max() <= (0.5 if form == "page" else 0)
    assert "added 0 labels" in run("import", *files, "--into", labelled, "--annotator", "Ada")[1]


@pytest.mark.parametrize("form", ["page", "alto"])
def test_what_only_the_model_read_is_marked_and_not_taken_for_a_label(labelled, tmp_path, form):
    out = tmp_path / "out"
    output = run("export", labelled, "--format", form, "--output", out, "--unlabeled")[1]
    assert "4 labelled lines, 1 illegible, 1 as the model reads them" in output
    text = (out / "b.xml").read_text(encoding="utf-8")
    assert "read 4" in text
    assert "read 2" not in text
    before = LabelingFolder(labelled).labels()
    output = run("import", out / "b.xml", "--into", labelled, "--annotator", "Ada")[1]
    assert "1 lines are a model's reading that nobody has checked: left out" in output
    assert LabelingFolder(labelled).labels() == before
