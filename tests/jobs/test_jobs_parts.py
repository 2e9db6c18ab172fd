"""What there is to read, what outputs are called, and the record: without reading anything."""

import json
import os
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.document_files import blank, blank_pages, pdf
from text_recognizer.atomic_files import WORK, locked_folder, write_file
from text_recognizer.formats import FORMATS
from text_recognizer.images import ImageError, open_document
from text_recognizer.jobs import sources as archives
from text_recognizer.jobs.documents import Opener, PageNumbers
from text_recognizer.jobs.manifest import Manifest, Row
from text_recognizer.jobs.outputs import Names, check_formats
from text_recognizer.jobs.sources import Sources

SUFFIXES = [form.suffix for form in FORMATS.values()]


def names_of(*arguments: object, skip: Path | None = None) -> list[str]:
    return [source.name for source in Sources(map(str, arguments), skip)]


def stems(*paths: str, given: dict[str, str] | None = None) -> list[str]:
    names = Names(given or {}, SUFFIXES)
    return [names.stem(path, tuple(path.split("/"))) for path in paths]


def test_folders_come_in_natural_order_without_what_is_hidden_or_unknown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "page10.png",
        "page2.png",
        "Page3.JPG",
        ".hidden.png",
        "b/1.webp",
        "a/1.tif",
        ".git/x.png",
        "notes.txt",
    ):
        blank(tmp_path / "in" / "x.png")
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    sources = Sources(["in"])
    expected = ["page2.png", "Page3.JPG", "page10.png", "x.png", "a/1.tif", "b/1.webp"]
    assert [source.name for source in sources] == [f"in/{name}" for name in expected]
    assert sources.passed_over == 2  # what is in hidden folders is nobody's business
    assert len(list(sources)) == 6
    assert sources.passed_over == 2


def test_globs_files_and_folders_together_come_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/1/a.png", "in/2/a.png", "in/10/a.png", "in/2/b.txt", "[odd]/c.png"):
        blank(tmp_path / name) if name.endswith("png") else (tmp_path / name).write_text("")
    assert names_of("in/*/a.png") == ["in/1/a.png", "in/2/a.png", "in/10/a.png"]
    assert names_of("in/**/*.png", "in", "in/2/a.png") == ["in/1/a.png", "in/2/a.png", "in/10/a.png"]
    assert names_of("in/*") == ["in/1/a.png", "in/2/a.png", "in/10/a.png"]
    assert names_of("[odd]") == ["[odd]/c.png"]  # a folder of that name is no pattern
    assert [source.parts for source in Sources(["in/*/a.png"])][2] == ("10", "a.png")
    [nothing] = Sources(["in/*.gif"])
    assert nothing.error == "in/*.gif matches no file"
    assert names_of("in", skip=tmp_path / "in" / "2") == ["in/1/a.png", "in/10/a.png"]


def test_a_loop_of_links_ends(tmp_path):
    blank(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
    assert names_of(tmp_path / "in") == [f"{tmp_path}/in/a.png"]


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_archives_are_listed_and_what_is_wrong_in_them_is_named(tmp_path, monkeypatch):
    picture = blank(tmp_path / "a.png").read_bytes()
    members = {
        "../../etc/x.png": picture,
        "/b/y.PNG": picture,
        "__MACOSX/._y.png": b"",
        "notes.txt": b"",
        "z.png": b"?" * 9,
    }
    path = zipped(tmp_path / "in.zip", **members)
    sources = list(Sources([str(path)]))
    assert [source.name for source in sources] == [f"{path}/../../etc/x.png", f"{path}//b/y.PNG", f"{path}/z.png"]
    assert [source.parts for source in sources] == [("in", "etc", "x.png"), ("in", "b", "y.PNG"), ("in", "z.png")]
    opener = Opener(10**6, 200)
    assert len(opener.open(sources[1])) == 1
    with pytest.raises(ImageError, match=r"in\.zip/z\.png is nothing that can be read"):
        opener.open(sources[2])
    monkeypatch.setattr(archives, "MAX_MEMBER", len(picture) - 1)
    with pytest.raises(ImageError, match="unpack it first"):
        Opener(10**6, 200).open(sources[0])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # says that the first member is encrypted
    path.write_bytes(data)
    assert "is encrypted" in str(next(iter(Sources([str(path)]))).error)
    path.write_bytes(data[:60])
    [damaged] = Sources([str(path)])
    assert "in.zip is no zip archive, or a damaged one" in str(damaged.error)


def test_what_a_member_says_of_its_size_is_not_believed(tmp_path, monkeypatch):
    path = zipped(tmp_path / "bomb.zip", **{"a.png": bytes(100_000)})
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = (50).to_bytes(4, "little")
    path.write_bytes(data)
    monkeypatch.setattr(archives, "MAX_MEMBER", 60_000)
    [source] = Sources([str(path)])
    with pytest.raises(ImageError):
        Opener(10**6, 200).open(source)


def test_documents_that_would_share_outputs_get_names_of_their_own():
    assert stems("a.jpg", "a.png", "A.tif", "b/a.jpg") == ["a", "a.png", "A.tif", "b/a"]
    assert stems("a.jpg", "a.png", "a.JPG", "a.jpg") == ["a", "a.png", "a-2", "a-3"]
    assert stems("é.jpg", unicodedata.normalize("NFD", "é.png")) == ["é", "é.png"]
    assert stems("a.jpg", "a.alto.jpg") == ["a", "a.alto.jpg"]  # a.alto + .xml, a + .alto.xml
    assert stems("a.pdf", "a/0001.png", "a/title.png") == ["a", "a/0001.png", "a/title"]
    assert stems("a/0001.png", "a.pdf") == ["a/0001", "a.pdf"]
    assert stems("a.png", "b.png", given={"a.jpg": "a"}) == ["a.png", "b"]
    assert stems("b.png", given={"b.png": "a"}) == ["a"]


def test_names_that_no_file_system_takes_are_changed():
    long = "ä" * 200 + ".png"
    [stem] = stems(long)
    assert len(stem.encode()) <= 160
    other, _ = stems("ä" * 201 + ".png", long)
    assert other != stem
    assert stems(os.fsdecode(b"caf\xe9.png"))[0] == "caf%e9"
    assert stems("a\nb.png")[0] == "a_b"


@given(st.lists(st.text(min_size=1, max_size=6).filter(lambda name: "/" not in name and name.strip(".")), unique=True))
def test_no_two_documents_share_a_stem(files):
    names = Names({}, SUFFIXES)
    found = [names.stem(str(number), (name,)) for number, name in enumerate(files)]
    keys = {unicodedata.normalize("NFC", stem).casefold() for stem in found}
    assert len(keys) == len(files)
    for stem in found:
        stem.encode()
        assert "/" not in stem


def test_pages_are_chosen_by_numbers_and_ranges():
    assert PageNumbers("1-3, 7").of(10) == [1, 2, 3, 7]
    assert PageNumbers("8-").of(10) == [8, 9, 10]
    assert PageNumbers("").of(3) == [1, 2, 3]
    assert PageNumbers("7,2,2-3").of(3) == [2, 3]
    for text in ("0", "3-1", "a", "1--2", "1,", "-3"):
        with pytest.raises(ValueError, match="--pages"):
            PageNumbers(text)


def test_a_torn_row_is_cut_off_and_a_damaged_one_passed_over(tmp_path):
    row = Row("a.png", 1, 1, "00", "read", stem="a")
    manifest = Manifest(tmp_path)
    manifest.add(row)
    manifest.close()
    path = tmp_path / "manifest.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b"what?\n" + whole.replace(b"a.png", b"b.png")[:-30])
    manifest = Manifest(tmp_path)
    assert (manifest.damaged, list(manifest.done)) == (1, ["a.png"])
    manifest.add(Row("c.png", 1, 1, "00", "failed", "broken", stem="c"))
    manifest.close()
    assert path.read_bytes().startswith(whole + b"what?\n")
    assert json.loads(path.read_bytes().splitlines()[-1])["source"] == "c.png"
    path.write_bytes(b"x" * 200_000)
    assert Manifest(tmp_path).done == {}
    assert path.read_bytes() == b""


def test_the_last_row_of_a_page_counts_and_other_versions_do_not(tmp_path):
    manifest = Manifest(tmp_path)
    for page, sha256, status in ((1, "a", "failed"), (2, "a", "read"), (1, "a", "read")):
        manifest.add(Row("x.pdf", page, 2, sha256, status, stem="x"))
    assert manifest.done["x.pdf"].pages == {1: True, 2: True}
    manifest.add(Row("x.pdf", 1, 2, "b", "read", stem="x"))
    assert manifest.done["x.pdf"].pages == {1: True}


def test_a_lock_keeps_others_out_until_it_is_given_back(tmp_path):
    with (
        locked_folder(tmp_path),
        pytest.raises(ValueError, match=rf"process {os.getpid()}\) writes into"),
        locked_folder(tmp_path),
    ):
        pass
    with locked_folder(tmp_path):
        pass


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    (tmp_path / WORK).mkdir()
    target = tmp_path / "deep" / "a.txt"
    write_file(target, b"one", tmp_path / WORK)
    with pytest.raises(TypeError):
        write_file(target, None, tmp_path / WORK)  # type: ignore[arg-type]
    assert target.read_bytes() == b"one"
    assert list((tmp_path / WORK).iterdir()) == []


def test_formats_of_one_suffix_are_refused_together():
    with pytest.raises(ValueError, match="txt and paragraphs would be files of one name"):
        check_formats(["txt", "paragraphs"])
    check_formats(["txt", "json", "alto"])


def test_a_stack_is_a_document_of_several_pages(tmp_path):
    [source] = Sources([str(blank_pages(tmp_path / "a.tif", 3))])
    document = Opener(10**6, 200).open(source)
    assert [document.page_source(number) for number in (1, 3)] == [f"{source.name}#page=1", f"{source.name}#page=3"]


def test_a_document_says_at_what_resolution_its_pages_are(tmp_path):
    path = blank(tmp_path / "a.png", (900, 600))
    assert Opener(10**6, 200).open(next(iter(Sources([str(path)])))).document.resolution(0) is None
    with Image.open(path) as image:
        image.save(tmp_path / "b.jpg", dpi=(300, 300))
        image.save(tmp_path / "c.jpg", dpi=(1, 1))
    assert open_document(tmp_path / "b.jpg").resolution(0) == 300
    assert open_document(tmp_path / "c.jpg").resolution(0) is None
    document = open_document(pdf(tmp_path / "d.pdf", ["text", "blank", "broken"]), dpi=144)
    assert document.page(0).shape == (120, 180, 3)
    assert document.resolution(0) == pytest.approx(144)
    assert document.resolution(2) is None
    assert [document.has_text(number) for number in range(3)] == [True, False, False]


def test_jpeg_files_are_pictures_of_their_pages_however_they_are_turned(tmp_path):
    with Image.open(blank(tmp_path / "a.png")) as image:
        image.save(tmp_path / "b.jpg")
        turned = Image.Exif()
        turned[0x0112] = 6
        image.save(tmp_path / "c.jpg", exif=turned)
    opened = [Opener(10**6, 200).open(source).jpeg for source in Sources([str(tmp_path)])]
    assert opened == [None, (tmp_path / "b.jpg").read_bytes(), (tmp_path / "c.jpg").read_bytes()]
