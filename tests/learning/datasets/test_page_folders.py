"""Folders as programs export them: which file describes which image, in which order its lines are read, hyphens."""

import logging
from pathlib import Path

import pytest

from tests.learning.datasets.test_page_xml import BOXES, TEXTS, alto, draw, page_xml
from text_recognizer.formats import FORMATS
from text_recognizer.formats.ground_truth import read_ground_truth
from text_recognizer.formats.xml import parse_xml
from text_recognizer.learning.datasets import page_folders
from text_recognizer.learning.datasets.exclusions import Exclusions
from text_recognizer.learning.datasets.page_folders import image_of, own_stem, split_files
from text_recognizer.learning.datasets.page_xml import read_page
from text_recognizer.learning.datasets.page_xml_regions import page_regions
from text_recognizer.learning.datasets.sources import LineSource, line_dataset
from text_recognizer.learning.quality.load import gather

PAGE = "2019-07-15"


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(path)
    return path


@pytest.fixture
def both(bare_data, tmp_path):
    """Twelve pages as PAGE and as ALTO, which names no image, with a METS file: an export with both boxes ticked."""
    folder = tmp_path / "export"
    for number in range(12):
        picture(folder / f"{number:04d}_scan.png")
        write(folder / "page" / f"{number:04d}_scan.xml", page_xml(f"{number:04d}_scan.png", PAGE))
        write(folder / "alto" / f"{number:04d}_scan.xml", alto("", 4))
    write(folder / "mets.xml", '<mets xmlns="http://www.loc.gov/METS/"/>')
    write(folder / "metadata.xml", "<trpDocMetadata/>")
    return folder


def test_a_page_that_two_files_describe_is_loaded_once_from_page(both, caplog):
    page_folders._say_once.cache_clear()
    files = {split: split_files(str(both), split) for split in ("train", "val")}
    assert [len(found) for found in files.values()] == [11, 1]
    assert {path.parent.name for found in files.values() for path in found} == {"page"}
    assert not {path.stem for path in files["train"]} & {path.stem for path in files["val"]}
    assert caplog.text.count("of 24 files of PAGE and ALTO several describe one image: 12 are taken") == 1
    assert len(line_dataset(LineSource("pages", path=str(both)))) == 22
    assert len(gather(str(both)).lines) == 24


@pytest.mark.parametrize("names", [("a.xml", "a.alto.xml"), ("a.page.xml", "a.ALTO.XML"), ("PAGE_1.xml", "ALTO_1.xml")])
def test_files_beside_each_other_are_one_page_whatever_they_are_called(tmp_path, names):
    picture(tmp_path / "a.png")
    write(tmp_path / names[0], page_xml("a.png", PAGE))
    write(tmp_path / names[1], alto("a.png", 4))
    assert [path.name for path in split_files(str(tmp_path), "train")] == [names[0]]


def test_without_images_the_names_say_which_files_are_of_one_page(both):
    for image in both.glob("*.png"):
        image.unlink()
    # In two folders: then nothing but an image would say so, and each file is named as lacking it.
    assert len(split_files(str(both), "train")) == 22
    beside = both.parent / "beside"
    write(beside / "a.page.xml", page_xml("a.png", PAGE))
    write(beside / "A.alto.xml", alto("", 4))
    assert [path.name for path in split_files(str(beside), "train")] == ["a.page.xml"]


def test_lists_may_call_a_page_by_its_image_or_by_either_file(both):
    write(both / "train.txt", "\ufeff0003_scan.png\n0001_scan.xml\n")
    write(both / "val.txt", "images\\0002_scan.jpg\n")
    assert [path.stem for path in split_files(str(both), "train")] == ["0003_scan", "0001_scan"]
    assert [path.stem for path in split_files(str(both), "val")] == ["0002_scan"]


def test_a_page_in_two_splits_is_refused(both):
    write(both / "train.txt", "0003_scan\n0001_scan\n")
    write(both / "val.txt", "0001_scan\n")
    with pytest.raises(ValueError, match=r"0001_scan\.xml of train and 0001_scan\.xml of val are of one page"):
        split_files(str(both), "train")


def test_a_page_in_the_folders_of_two_splits_is_refused(tmp_path):
    picture(tmp_path / "images" / "a.png")
    write(tmp_path / "train" / "a.xml", page_xml("../images/a.png", PAGE))
    write(tmp_path / "val" / "b.xml", alto("../images/a.png", 4))
    with pytest.raises(ValueError, match=r"a\.xml of train and b\.xml of val are of one page"):
        split_files(str(tmp_path), "val")


@pytest.mark.parametrize(
    ("image", "file", "name"),
    [
        ("OCR-D-IMG/IN_1.png", "OCR-D-GT-PAGE/PAGE_1.xml", "OCR-D-IMG/IN_1.png"),  # relative to the workspace
        ("img/p1.png", "seg/p1.xml", "../img/p1.png"),  # relative to the file
        ("img/p1.png", "seg/p1.xml", "p1.png"),
        ("images/p1.png", "p1.xml", "p1.png"),
        ("scans/p1.png", "page/p1.xml", "/home/somebody/p1.png"),
        ("scans/P1.PNG", "page/p1.xml", "p1.tif"),  # converted since
        ("p1.png", "page/p1.page.xml", ""),
        ("p1.png", "ALTO/p1.alto.xml", "https://example.org/iiif/other.jpg"),
        ("p1.png", "page/p1.xml", "C:\\scans\\p1.png"),
    ],
)
def test_images_are_found_where_programs_leave_them(tmp_path, image, file, name):
    work = tmp_path / "work"
    found, path = picture(work / image), write(work / file, "<x/>")
    assert image_of(path, name) == found


def test_a_name_relative_to_the_file_counts_before_its_last_part(tmp_path):
    right, wrong = picture(tmp_path / "w" / "img" / "p.png"), picture(tmp_path / "w" / "seg" / "p.png")
    path = write(tmp_path / "w" / "seg" / "p.xml", "<x/>")
    assert image_of(path, "../img/p.png") == right
    assert image_of(path, "p.png") == wrong
    picture(tmp_path / "w" / "thumbs" / "q.png")
    with pytest.raises(FileNotFoundError, match=r"the image 'q\.png' of .*r\.xml is missing"):
        image_of(path.with_name("r.xml"), "q.png")  # a reduced picture is none


def test_a_name_does_not_lead_out_of_the_dataset(tmp_path):
    picture(tmp_path / "secret.png")
    path = write(tmp_path / "a" / "b" / "c" / "page" / "p.xml", "<x/>")
    with pytest.raises(FileNotFoundError):
        image_of(path, "../../../../secret.png")


def test_a_workspace_is_read_from_its_one_folder_of_files_and_several_are_named(tmp_path):
    picture(tmp_path / "OCR-D-IMG" / "IN_1.png")
    write(tmp_path / "mets.xml", "<mets/>")
    write(tmp_path / "OCR-D-GT-PAGE" / "PAGE_1.xml", page_xml("OCR-D-IMG/IN_1.png", PAGE))
    assert [path.name for path in split_files(str(tmp_path), "train")] == ["PAGE_1.xml"]
    write(tmp_path / "OCR-D-SEG" / "SEG_1.xml", page_xml("OCR-D-IMG/IN_1.png", PAGE))
    for look in (lambda: split_files(str(tmp_path), "train"), lambda: gather(str(tmp_path))):
        with pytest.raises(ValueError, match="in OCR-D-GT-PAGE, OCR-D-SEG: name one of these folders"):
            look()


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.xml", "a"), ("a.page.xml", "a"), ("a.ALTO.XML", "a"), ("a.b.xml", "a.b"), ("page.xml", "page")],
)
def test_the_stem_of_a_file_is_that_of_its_image(name, stem):
    assert own_stem(Path(name)) == stem


def line(name: str, box: tuple[int, int, int, int], text: str, order: str = "") -> str:
    x, y, w, h = box
    outline = f"{x},{y} {x + w},{y} {x + w},{y + h} {x},{y + h}"
    said = f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv>"
    return f'<TextLine id="{name}" {order}><Coords points="{outline}"/>{said}</TextLine>'


def custom(place: int) -> str:
    return f'custom="structure {{type:paragraph;}} readingOrder {{index:{place};}}"'


@pytest.mark.parametrize("order", [custom, 'index="{}"'.format], ids=["custom", "index"])
def test_lines_that_were_drawn_later_stand_where_the_file_says(tmp_path, order):
    """Transkribus, Loghi and LAREX say the place of a line in `custom`, PAGE of 2019 in `index`."""
    boxes = [(40, 20 + 40 * n, 300, 30) for n in range(4)]
    lines = line("a", boxes[0], "first", order(0)) + line("c", boxes[2], "third", order(2))
    lines += line("d", boxes[3], "fourth") + line("b", boxes[1], "second", order(1))
    content = page_xml("p.png", PAGE, lines)
    picture(tmp_path / "p.png")
    path = write(tmp_path / "p.xml", content)
    assert FORMATS["page"].read(content.encode()).text == "first\nsecond\nthird\nfourth"
    assert [found["text"] for found in read_page(path, Exclusions("x")).lines] == ["first", "second", "third", "fourth"]
    exclusions = Exclusions("x")
    (region,) = page_regions(str(tmp_path), "train", exclusions)
    assert [found.text for found in region.lines] == ["first", "second", "third", "fourth"]
    assert exclusions.count == 0


def test_the_order_of_regions_is_that_of_the_groups_or_else_of_the_regions():
    def region(name, place, text, inner=""):
        return f'<TextRegion id="{name}" {custom(place)}>{line(name + "l", BOXES[0], text)}{inner}</TextRegion>'

    inner = f'<TextRegion id="i">{line("il", BOXES[1], "inside")}</TextRegion>'
    body = region("a", 2, "last") + region("b", 0, "first", inner) + region("c", 1, "middle")
    start = '<PcGts><Page imageFilename="p.png" imageWidth="400" imageHeight="200">'
    end = f"{body}</Page></PcGts>"
    assert FORMATS["page"].read((start + end).encode()).text.split() == ["first", "inside", "middle", "last"]
    groups = (
        '<ReadingOrder><OrderedGroup id="o"><OrderedGroupIndexed id="g" index="1" regionRef="c">'
        '<RegionRefIndexed index="1" regionRef="b"/><RegionRefIndexed index="0" regionRef="i"/></OrderedGroupIndexed>'
        '<RegionRefIndexed index="0" regionRef="a"/></OrderedGroup></ReadingOrder>'
    )
    found = FORMATS["page"].read((start + groups + end).encode()).text.split()
    assert found == ["last", "middle", "inside", "first"]


HYP = '<HYP CONTENT="{}"/>'


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('<String CONTENT="hand"/>' + HYP.format("&#xAD;"), "hand-"),
        ('<String CONTENT="hand"/>' + HYP.format("-"), "hand-"),
        ('<String CONTENT="hand"/>' + HYP.format("&#x2010;"), "hand-"),
        ('<String CONTENT="hand"/>' + HYP.format("¬"), "hand¬"),
        ('<String CONTENT="hand-"/>' + HYP.format("&#xAD;"), "hand-"),
        ('<String CONTENT="hand&#xAD;" SUBS_TYPE="HypPart1" SUBS_CONTENT="handwriting"/>', "hand-"),
        ('<String CONTENT="writing" SUBS_TYPE="HypPart2" SUBS_CONTENT="handwriting"/>', "writing"),
        ('<String CONTENT="&#xFEFF;&#x200B;My"/><SP/><String CONTENT="dear&#x200B;"/>', "My dear"),
        ('<String CONTENT="auto&#xAD;mobile"/>', "automobile"),
    ],
)
def test_hyphens_and_marks_that_nobody_sees_lose_no_line(tmp_path, line, text):
    content = alto("p.png", 4)
    start, end = content.index("<String"), content.index("</TextLine>")
    content = content[:start] + line + content[end:]
    picture(tmp_path / "p.png")
    path = write(tmp_path / "p.xml", content)
    page = read_page(path, exclusions := Exclusions("x"))
    assert [found["text"] for found in page.lines] == [text, TEXTS[1]]
    assert exclusions.count == 0
    truth = read_ground_truth(parse_xml(content.encode()))  # what `label import` reads
    assert truth.page.lines[0].text == text
    assert " ".join(word.text for word in truth.page.lines[0].words) == text


def test_a_line_with_a_soft_hyphen_is_learned(bare_data, tmp_path, caplog):
    folder = tmp_path / "news"
    picture(folder / "p.png")
    content = alto("p.png", 4)
    write(folder / "p.xml", content.replace("</TextLine>", HYP.format("&#xAD;") + "</TextLine>", 1))
    with caplog.at_level(logging.WARNING):
        lines = line_dataset(LineSource("pages", path=str(folder)))
    assert [label.text for label in lines.labels] == [TEXTS[0] + "-", TEXTS[1]]
    assert "left out" not in caplog.text


def test_what_a_model_read_and_nobody_checked_is_no_ground_truth(tmp_path):
    picture(tmp_path / "p.png")
    lines = line("a", BOXES[0], "checked") + line("b", BOXES[1], "not", 'custom="labeling {status:model;}"')
    page = read_page(write(tmp_path / "p.xml", page_xml("p.png", PAGE, lines)), exclusions := Exclusions("x"))
    assert [found["text"] for found in page.lines] == ["checked"]
    assert len(page.silent) == 1
    assert "nobody has checked" in " ".join(exclusions.lines())
